// SPEC 12.1, 12.4, 12.5: pairing codes, the recovery kit, and words that people compare.

import { concat, u32, utf8 } from './bytes.mjs';
import { SealingKey, checkSealPublic, checkVerifyKey, equal, hash, verifyKeyOf } from './crypto.mjs';
import { encode } from './encoding.mjs';
import { must } from './errors.mjs';
import * as records from './records.mjs';
import { recoded } from './schema.mjs';
import { firstWords } from './words.mjs';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const MAILBOX_ID = 8;
const PAIRING_SECRET = 16;
const CODE_MAX = 120;
const DIGITS = 42;
const CODE_FORM = /^[0-9A-Za-z]{6}(-[0-9A-Za-z]{6}){6}$/;
// Scheme, host with perhaps a port, and perhaps a path; printable ASCII without a user and without a second "#".
const URL_FORM = /^([A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?@#\x00-\x20\x7f-\uffff]+)([/?][^@#\x00-\x20\x7f-\uffff]*)?$/;

// ---------------------------------------------------------------------------------------------------- code, SPEC 12.1

function check(mailboxId, secret, purpose) {
  const kind = purpose === 'INVITATION' ? Uint8Array.of(1) : new Uint8Array(0);
  return hash('CODE_CHECK', concat(mailboxId, secret, kind)).subarray(0, 2);
}

function base32(bytes) {
  let bits = 0;
  let held = 0;
  let digits = '';
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) digits += ALPHABET[(held >> (bits - 5)) & 31];
    held &= 255;
  }
  return bits ? digits + ALPHABET[(held << (5 - bits)) & 31] : digits;
}

/** Strictly: an unknown digit, or a bit beyond the last byte, is refused. */
function fromBase32(digits) {
  const bytes = [];
  let bits = 0;
  let held = 0;
  for (const digit of digits.toUpperCase().replaceAll('O', '0').replace(/[IL]/g, '1')) {
    const value = ALPHABET.indexOf(digit);
    must(value >= 0, 'BadCode', `${digit} is not of the alphabet`);
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits >= 8) bytes.push((held >> (bits -= 8)) & 255);
  }
  must((held & ((1 << bits) - 1)) === 0, 'BadCode', 'the last digit says more than it may');
  return Uint8Array.from(bytes);
}

/** A fresh code: `{text, mailboxId, secret, purpose, relayUrl}`. */
export function makeCode({ relayUrl, purpose = 'PAIRING' }, entropy) {
  const mailboxId = entropy.draw('mailbox id', MAILBOX_ID);
  const secret = entropy.draw('pairing secret', PAIRING_SECRET);
  const digits = base32(concat(mailboxId, secret, check(mailboxId, secret, purpose)));
  const groups = digits.match(/.{6}/g).join('-');
  const text = relayUrl === undefined ? groups : `${urlInCode(relayUrl)}#${groups}`;
  must(text.length <= CODE_MAX, 'BadCode', 'a code of more than 120 characters');
  return { text, mailboxId, secret, purpose, relayUrl };
}

/** A URL without a path means the same in upper case, and a QR code of it is smaller. */
function urlInCode(url) {
  const form = URL_FORM.exec(url);
  must(form, 'BadCode', 'this is no address of a relay');
  return form[2] ? url : url.toUpperCase();
}

export function parseCode(text) {
  must([...text].length <= CODE_MAX, 'BadCode', 'a code of more than 120 characters');
  const parts = text.split('#');
  must(parts.length <= 2, 'BadCode', 'a second #');
  const digits = parts.at(-1);
  must(CODE_FORM.test(digits) && !digits.endsWith('\n'), 'BadCode', `${DIGITS} digits in groups of six were expected`);
  const bytes = fromBase32(digits.replaceAll('-', ''));
  const mailboxId = bytes.slice(0, MAILBOX_ID);
  const secret = bytes.slice(MAILBOX_ID, MAILBOX_ID + PAIRING_SECRET);
  const said = bytes.slice(MAILBOX_ID + PAIRING_SECRET);
  const purpose = ['PAIRING', 'INVITATION'].find((each) => equal(said, check(mailboxId, secret, each)));
  must(purpose, 'BadCode', 'mistyped: the check digits do not fit');
  const relayUrl = parts.length === 2 ? urlOfCode(parts[0]) : undefined;
  return { mailboxId, secret, purpose, relayUrl };
}

function urlOfCode(text) {
  const form = URL_FORM.exec(text);
  must(form, 'BadCode', 'what stands before # is no address of a relay');
  return form[1].toLowerCase() + (form[2] ?? '');
}

// --------------------------------------------------------------------------------------------- recovery kit, SPEC 12.4

/** Recovery key number n of a seed: `{signingSeed, verifyKey, sealingKey}`. */
export function kitKeys(seed, number) {
  must(seed.length === 32, 'BadCode', 'a recovery kit is made of 32 bytes');
  const n = u32(number);
  const signingSeed = hash('KIT_SIGNING', n, { key: seed });
  const first = hash('KIT_SEALING', concat(n, Uint8Array.of(0)), { key: seed, size: 64 });
  const second = hash('KIT_SEALING', concat(n, Uint8Array.of(1)), { key: seed });
  return { signingSeed, verifyKey: verifyKeyOf(signingSeed), sealingKey: new SealingKey(concat(first, second)) };
}

export function kitProof({ signingSeed, sealingKey }) {
  return records.kitProof(signingSeed, sealingKey.public);
}

export function checkKitProof(verifyKey, sealingKey, proof) {
  checkVerifyKey(verifyKey);
  checkSealPublic(sealingKey);
  recoded('ChainInvalid', () => records.verifyKitProof(verifyKey, sealingKey, proof));
}

// ----------------------------------------------------------------------------------------- words for people, SPEC 12.5

export function deviceFingerprint(setId, verifyKey) {
  return firstWords(hash('FINGERPRINT', concat(setId, verifyKey)), 4);
}

/** `vector` is `[[member, counter], …]` ascending. */
export function statePhrase(setId, recordHash, digest, vector) {
  return firstWords(hash('STATE_PHRASE', concat(setId, recordHash, digest, encode(vector))), 6);
}

/** A name that people give: NFC text of 1 to 64 bytes (SPEC 12.2 step 1). */
export function isName(value) {
  const fits = typeof value === 'string' && value.isWellFormed() && value === value.normalize('NFC');
  return fits && value.length > 0 && utf8(value).length <= 64;
}
