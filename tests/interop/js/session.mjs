// SPEC 13.2 and 13.3: a session as two small machines, one for each side. Frames in, events or replies out; no I/O.
//
// The client: START → HELLO SENT → CHALLENGED → PROVED → OPEN, and ENDED from everywhere. A refusal of a step
// leaves the session ended: whoever spoke out of turn is not spoken to again.

import { ZERO32, concat, readU64, u64 } from './bytes.mjs';
import { equal, hash, sign, verify, verifyKeyOf } from './crypto.mjs';
import { decode, encode } from './encoding.mjs';
import { Refusal, must } from './errors.mjs';
import { MESSAGES, TYPE, decodeFrame, encodeFrame } from './frames.mjs';
import { verifyHead } from './log.mjs';

const VERSION = 1;
const PIPELINE_MAX = 64;
const HANDSHAKE_FRAME_MAX = 4_096;
/** A WELCOME of eight bytes is the epoch in which the member was removed: no head is that short. */
const REMOVED_BODY = 8;
/** One that begins like an array of two is a deletion (SPEC 13.14): a head's body is an array of seven. */
const DELETED_BODY = 0x92;

/** What a removed member may ask for. */
const FORMER = [TYPE.CHAIN, TYPE.PING];

/** What both sides sign: everything that was said before (SPEC 13.2). */
export function binding(setId, member, nonceClient, nonceRelay, relayKey) {
  return hash('TRANSCRIPT', encode([VERSION, setId, member, nonceClient, nonceRelay, relayKey]));
}

export class ClientSession {
  /** `setId` empty: a visitor. `relayKey` empty: whatever key the relay shows, as on first use. */
  constructor({ setId, member, signingSeed, relayKey }) {
    Object.assign(this, { setId, member, signingSeed, relayKey, state: 'START', awaited: [] });
    this.visitor = setId.length === 0;
  }

  hello(entropy) {
    this.#expect('START');
    this.nonce = entropy.draw('session nonce', 32);
    this.state = 'HELLO SENT';
    return encodeFrame(TYPE.HELLO, VERSION, this.setId, this.member, this.nonce);
  }

  proof() {
    this.#expect('CHALLENGED');
    this.state = 'PROVED';
    if (this.visitor) return encodeFrame(TYPE.PROOF, new Uint8Array(0));
    return encodeFrame(TYPE.PROOF, sign(this.signingSeed, 'SIGN_SESSION', this.setId, this.binding));
  }

  /** A request may follow PROOF at once, before WELCOME has come. */
  request(frame) {
    this.#expect('PROVED', 'OPEN');
    if (this.awaited.length >= PIPELINE_MAX) throw new Refusal('LocalProtocolError', '64 requests are unanswered');
    const [type] = decodeFrame('CLIENT', frame);
    if (!MESSAGES.get(type).answer) throw new Refusal('LocalProtocolError', 'this is no request');
    this.awaited.push(type);
    return frame;
  }

  /** One event of a frame: `{kind, message}`, with `head` where it is a member's WELCOME. */
  receive(frame) {
    if (this.state === 'ENDED') throw new Refusal('LocalProtocolError', 'the session is over');
    try {
      return this.#event(this.#decode(frame));
    } catch (error) {
      this.state = 'ENDED';
      throw error;
    }
  }

  #decode(frame) {
    if (this.state !== 'OPEN' && frame.length > HANDSHAKE_FRAME_MAX) this.#outOfTurn('a long frame in the handshake');
    try {
      return decodeFrame('RELAY', frame);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return this.#outOfTurn(error.message);
    }
  }

  #event(message) {
    const type = message[0];
    if (type === TYPE.REFUSED) return this.#refused(message);
    if (this.state === 'HELLO SENT' && type === TYPE.CHALLENGE) return this.#challenged(message);
    if (this.state === 'PROVED' && type === TYPE.WELCOME) return this.#welcomed(message);
    if (this.state !== 'OPEN') return this.#outOfTurn('only WELCOME or a refusal may come in the handshake');
    if (type === TYPE.CLOSING) return { kind: 'CLOSING', message };
    if (MESSAGES.get(type).push) return { kind: 'PUSHED', message };
    const awaited = MESSAGES.get(this.awaited[0])?.answer;
    if (awaited !== type) this.#outOfTurn('not the awaited answer');
    return { kind: 'ANSWERED', message, request: this.awaited.shift() };
  }

  #refused(message) {
    const [, code, words, data] = message;
    if (this.state === 'OPEN' && this.awaited.length && code !== 'BadFrame') {
      return { kind: 'REFUSED', message, code, data, request: this.awaited.shift() };
    }
    // Before WELCOME, or of nothing that was asked: about the session as a whole (SPEC 13.2 step 3).
    throw Object.assign(new Refusal('Refused', `${code}: ${words}`), { reason: code, data });
  }

  #challenged(message) {
    const [, nonce, relayKey] = message;
    // SPEC 13.2 step 1: before anything is signed.
    if (this.relayKey.length && !equal(this.relayKey, relayKey)) {
      throw new Refusal('HandshakeFailed', 'another relay than the expected one');
    }
    this.relayKey = relayKey;
    this.binding = binding(this.setId, this.member, this.nonce, nonce, relayKey);
    this.state = 'CHALLENGED';
    return { kind: 'CHALLENGED', message };
  }

  #welcomed(message) {
    const [, body, signature] = message;
    if (this.visitor && body.length) this.#outOfTurn("a member's welcome for a visitor");
    const welcome = this.#proving(() => this.#readWelcome(body, signature));
    this.state = 'OPEN';
    return { ...welcome, message };
  }

  /** Signed by the relay for this very handshake: a visitor's, a removed member's, a deleted set's, or a head. */
  #readWelcome(body, signature) {
    if (this.visitor) {
      verify(this.relayKey, 'SIGN_SESSION', ZERO32, this.binding, signature);
      return { kind: 'CONNECTED' };
    }
    if (body.length === REMOVED_BODY) {
      verify(this.relayKey, 'SIGN_SESSION', this.setId, concat(this.binding, body), signature);
      return { kind: 'REMOVED', epoch: readU64(body, 0) };
    }
    if (body[0] === DELETED_BODY) {
      verify(this.relayKey, 'SIGN_SESSION', this.setId, concat(this.binding, body), signature);
      return { kind: 'DELETED', deletion: body };
    }
    const head = verifyHead(this.setId, this.relayKey, [body, signature]);
    const bound = equal(head.binding, this.binding);
    must(bound, 'HandshakeFailed', "the relay's head is not of this session");
    return { kind: 'CONNECTED', head };
  }

  #proving(step) {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw new Refusal('HandshakeFailed', 'the relay does not prove that it is the expected one');
    }
  }

  #expect(...states) {
    if (!states.includes(this.state)) throw new Refusal('LocalProtocolError', `not while the session is ${this.state}`);
  }

  #outOfTurn(words) {
    throw new Refusal('RemoteProtocolError', words);
  }
}

/** The relay's side of a session of one set; what only its store can answer is counted in `asked`. */
export class RelaySession {
  constructor({ relaySeed, set }) {
    Object.assign(this, { relaySeed, set, relayKey: verifyKeyOf(relaySeed), state: 'START', closed: false, asked: 0 });
  }

  /** The reply to a frame: bytes, `{refused: code}`, or nothing. */
  receive(frame, entropy) {
    if (this.closed) return undefined;
    try {
      return this.#handle(this.#decode(frame), frame, entropy);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // Whatever is wrong with a request ends that request; whatever is wrong with the session ends it.
      if (!error.soft) this.closed = true;
      return { refused: error.code };
    }
  }

  #decode(frame) {
    if (this.state === 'START') this.#checkVersion(frame);
    try {
      return decodeFrame('CLIENT', frame);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw new Refusal('BadFrame', error.message);
    }
  }

  /** A HELLO of another version may have any form (SPEC 13.2 step 3). */
  #checkVersion(frame) {
    let message;
    try {
      message = decode(frame, { limit: HANDSHAKE_FRAME_MAX });
    } catch (error) {
      if (error instanceof Refusal) throw new Refusal('BadFrame', error.message);
      throw error;
    }
    const isHello = Array.isArray(message) && message[0] === TYPE.HELLO && typeof message[1] === 'number';
    if (isHello && message[1] !== VERSION) throw new Refusal('BadVersion', 'this relay speaks version 1');
  }

  #handle(message, frame, entropy) {
    const type = message[0];
    if (this.state === 'START' && type === TYPE.HELLO) return this.#hello(message, entropy);
    if (this.state === 'CHALLENGED' && type === TYPE.PROOF) return this.#proof(message);
    if (this.state === 'OPEN' && MESSAGES.get(type).answer) return this.#request(message);
    throw new Refusal('BadFrame', 'out of turn');
  }

  #hello([, , setId, member, nonceClient], entropy) {
    if (setId.length === 0 && member !== 0) throw new Refusal('BadFrame', "a visitor is nobody's member");
    const nonce = entropy.draw('session nonce', 32);
    Object.assign(this, { setId, member, visitor: setId.length === 0, state: 'CHALLENGED' });
    this.binding = binding(setId, member, nonceClient, nonce, this.relayKey);
    return encodeFrame(TYPE.CHALLENGE, nonce, this.relayKey);
  }

  #proof([, signature]) {
    if (this.visitor !== (signature.length === 0)) throw new Refusal('BadFrame', "a proof that is not this client's");
    if (this.visitor) {
      this.state = 'OPEN';
      return encodeFrame(TYPE.WELCOME, new Uint8Array(0), sign(this.relaySeed, 'SIGN_SESSION', ZERO32, this.binding));
    }
    // SPEC 13.2 step 2: one and the same refusal, so that a stranger learns nothing.
    const key = equal(this.setId, this.set.setId) ? this.set.members.get(this.member) : undefined;
    if (!key) throw new Refusal('NotMember', 'not a member of a set that is here');
    this.#verify('SIGN_SESSION', this.setId, this.binding, signature, key, false);
    this.state = 'OPEN';
    this.removedIn = this.set.removed.get(this.member);
    if (this.removedIn !== undefined) return this.#said(u64(this.removedIn)); // Step 4.
    this.deleted = this.set.deletion.length > 0;
    if (this.deleted) return this.#said(this.set.deletion); // SPEC 13.14 step 4.
    const { epoch, seq, logHash, recordHash, time, incarnation } = this.set;
    const body = encode([epoch, seq, logHash, recordHash, time, incarnation, this.binding]);
    return encodeFrame(TYPE.WELCOME, body, sign(this.relaySeed, 'SIGN_HEAD', this.setId, body));
  }

  /** What is said in place of a head. */
  #said(body) {
    const signature = sign(this.relaySeed, 'SIGN_SESSION', this.setId, concat(this.binding, body));
    return encodeFrame(TYPE.WELCOME, body, signature);
  }

  #request(message) {
    const form = MESSAGES.get(message[0]);
    const forOthers = form.visitor !== undefined && form.visitor !== this.visitor;
    const shutOut = this.removedIn !== undefined && !FORMER.includes(message[0]);
    const gone = this.deleted && !FORMER.includes(message[0]) && message[0] !== TYPE.INSPECT;
    if (forOthers || shutOut || gone) {
      throw Object.assign(new Refusal('NotAllowed', 'not for this kind of session'), { soft: true });
    }
    if (message[0] === TYPE.PING) return encodeFrame(form.answer);
    if (message[0] === TYPE.FIND) {
      // SPEC 13.10 step 1: before anything is looked up.
      const [, key, signature] = message;
      this.#verify('SIGN_FIND', ZERO32, concat(key, this.binding), signature, key, true);
    }
    this.asked += 1;
    return undefined;
  }

  #verify(label, setId, message, signature, key, soft) {
    try {
      verify(key, label, setId, message, signature);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw Object.assign(new Refusal('NotMember', 'the signature does not verify'), { soft });
    }
  }
}
