// SPEC 12.2, 12.3: the conversation in a mailbox, as one small machine for each side. Messages in, messages out; no
// I/O. Whatever is wrong ends the attempt with PairingAborted: a code is good for one attempt.

import { concat, sameBytes, utf8 } from './bytes.mjs';
import { checkKitProof, isName } from './access.mjs';
import {
  AE_OVERHEAD, checkSealPublic, checkVerifyKey, equal, hash, open, pad, seal, unpad, verifyKeyOf,
} from './crypto.mjs';
import { decode, encode } from './encoding.mjs';
import { must } from './errors.mjs';
import { tuple } from './fields.mjs';
import { possession, verifyPossession } from './records.mjs';
import { bytes, epoch, int, member, recoded, shaped } from './schema.mjs';
import { firstWords, typedWords } from './words.mjs';

const VERSION = 1;
const MESSAGE_MAX = 8_192;

const OPENING = [int(VERSION, VERSION), bytes(32)];
const offerFields = [bytes(32), bytes(32), bytes(16), int(1, 3), bytes(32), bytes(32), epoch];
const OFFER = { PAIRING: offerFields, INVITATION: [...offerFields, bytes(32), isName, isName] };
const claimFields = [bytes(32), bytes(1216), isName];
const CLAIMS = { PAIRING: claimFields, INVITATION: [...claimFields, isName, bytes(32), bytes(1216), bytes(64)] };
const LANDING = [bytes(32), epoch, int(), bytes(32), member];

/** Every refusal in a step becomes PairingAborted. */
const aborting = (step) => recoded('PairingAborted', step);

// ------------------------------------------------------------------------------------------------- messages, SPEC 12.2

function messageKey({ mailboxId, secret, purpose }, n) {
  const context = purpose === 'INVITATION' ? 'e2e invitation' : 'e2e pairing';
  return [hash('PAIRING_KEY', Uint8Array.of(n), { key: secret }), concat(utf8(context), mailboxId, Uint8Array.of(n))];
}

export function sealMessage(code, n, body, entropy) {
  const [key, context] = messageKey(code, n);
  return seal(key, context, pad(body, AE_OVERHEAD), entropy, 'pairing seal nonce');
}

function openMessage(code, n, message) {
  must(message.length <= MESSAGE_MAX, 'LimitExceeded', 'a message of more than 8 KiB');
  const [key, context] = messageKey(code, n);
  return unpad(open(key, context, message), AE_OVERHEAD);
}

export function commitmentOf(nonce, claims) {
  return hash('PAIRING_COMMIT', concat(nonce, encode(claims)));
}

/** The three words that both sides compare. */
export function wordsOf(body0, body1, nonce) {
  return firstWords(hash('SAS', hash('TRANSCRIPT', encode([body0, body1, nonce]))), 3);
}

/** What both sides hear: the message that came last, delivered once more, is taken once (13.7). */
class Listener {
  hasHeard(n, message) {
    return this.heard !== undefined && this.heard[0] === n && sameBytes(this.heard[1], message);
  }
}

// --------------------------------------------------------------------------------------------------------- the sponsor

/** A: awaits message 0, sends its offer, awaits message 2, and then the words that its owner types. */
export class Sponsor extends Listener {
  /** `offer` is the array of message 1. */
  constructor(code, offer) {
    super();
    Object.assign(this, { code, offer, body1: encode(offer), awaits: 0 });
    aborting(() => shaped(offer, OFFER[code.purpose], 'an offer'));
  }

  /** Message 0 gives message 1, to be sent; message 2 gives nothing to send. */
  receive(n, message, entropy) {
    if (this.hasHeard(n, message)) return undefined;
    this.heard = [n, message];
    return aborting(() => {
      const awaited = this.awaits;
      this.awaits = -1;
      must(n === awaited, 'PairingAborted', 'a message out of turn');
      const body = openMessage(this.code, n, message);
      if (n === 0) return this.#opening(body, entropy);
      this.#claims(body);
      this.awaits = 'words';
      return undefined;
    });
  }

  #opening(body, entropy) {
    [, this.commitment] = shaped(decode(body), OPENING, 'message 0');
    this.body0 = body;
    this.awaits = 2;
    return entropy ? sealMessage(this.code, 1, this.body1, entropy) : undefined;
  }

  #claims(body) {
    const form = [bytes(32), tuple(...CLAIMS[this.code.purpose]), bytes(64)];
    const [nonce, claims, proved] = shaped(decode(body), form, 'message 2');
    // Step 1: what N says was fixed before A's nonce was known.
    must(equal(this.commitment, commitmentOf(nonce, claims)), 'PairingAborted', 'not what was committed to');
    const [verifyKey, sealingKey, deviceName, guest, kitVerify, kitSealing, proof] = claims;
    const [, setId, person, role] = this.offer;
    checkVerifyKey(verifyKey);
    checkSealPublic(sealingKey);
    verifyPossession(setId, person, role, verifyKey, sealingKey, proved);
    if (this.code.purpose === 'INVITATION') checkKitProof(kitVerify, kitSealing, proof);
    this.words = wordsOf(this.body0, this.body1, nonce);
    this.newcomer = { verifyKey, sealingKey, deviceName, possession: proved };
    if (guest !== undefined) Object.assign(this.newcomer, { guest, kit: [kitVerify, kitSealing, proof] });
  }

  /** The newcomer, once its owner has typed the right words. A wrong one ends the attempt (step 2). */
  confirm(typed) {
    return aborting(() => {
      must(this.awaits === 'words', 'PairingAborted', 'there is nothing to confirm yet');
      this.awaits = -1;
      must(typedWords(typed).join(' ') === this.words.join(' '), 'PairingAborted', 'these are not the words');
      return this.newcomer;
    });
  }

  landing(recordHash, epoch, seq, logHash, index, entropy) {
    return sealMessage(this.code, 3, encode([recordHash, epoch, seq, logHash, index]), entropy);
  }
}

// ---------------------------------------------------------------------------------------------------------- the joiner

/** N: sends its commitment, shows words after message 1, sends its claims, and awaits its landing. */
export class Joiner extends Listener {
  /** `guest` (a person's name) and `kit` ([verify key, sealing key, proof]) for an invitation that is accepted. */
  constructor(code, { signingSeed, sealingKey, nonce, deviceName, guest, kit }) {
    super();
    aborting(() => must(isName(deviceName), 'PairingAborted', 'a name is NFC text of 1 to 64 bytes'));
    Object.assign(this, { code, signingSeed, sealingKey, nonce, awaits: 1 });
    this.claims = [verifyKeyOf(signingSeed), sealingKey.public, deviceName];
    if (code.purpose === 'INVITATION') this.claims.push(guest, ...kit);
    this.body0 = encode([VERSION, commitmentOf(nonce, this.claims)]);
  }

  start(entropy) {
    return sealMessage(this.code, 0, this.body0, entropy);
  }

  /** Message 1 gives message 2, to be sent, and `words`; message 3 gives nothing to send, and `landing`. */
  receive(n, message, entropy) {
    if (this.hasHeard(n, message)) return undefined;
    this.heard = [n, message];
    return aborting(() => {
      const awaited = this.awaits;
      this.awaits = -1;
      must(n === awaited, 'PairingAborted', 'a message out of turn');
      const body = openMessage(this.code, n, message);
      return n === 1 ? this.#offer(body, entropy) : this.#landing(body);
    });
  }

  #offer(body, entropy) {
    const offer = shaped(decode(body), OFFER[this.code.purpose], 'message 1');
    const [, setId, person, role, relayKey, recordHash, epoch] = offer;
    this.offer = { setId, person, role, relayKey, recordHash, epoch };
    this.words = wordsOf(this.body0, body, this.nonce);
    const proof = possession(this.signingSeed, setId, person, role, this.sealingKey.public);
    this.body2 = encode([this.nonce, this.claims, proof]);
    this.awaits = 3;
    return entropy ? sealMessage(this.code, 2, this.body2, entropy) : undefined;
  }

  #landing(body) {
    const [recordHash, epoch, seq, logHash, index] = shaped(decode(body), LANDING, 'message 3');
    const behind = index > 0 && epoch > this.offer.epoch;
    must(behind, 'PairingAborted', 'the record that adds this device is not behind the one of the offer');
    this.landing = { recordHash, epoch, seq, logHash, index };
    return undefined;
  }
}
