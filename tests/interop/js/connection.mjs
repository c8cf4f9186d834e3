// SPEC 13.1: a session over a WebSocket: one binary message is one frame, without extensions. The rules are those of
// session.mjs; here is only I/O.

import WebSocket from 'ws';
import { systemEntropy } from './crypto.mjs';
import { Refusal } from './errors.mjs';
import { TYPE, encodeFrame } from './frames.mjs';
import { Requests } from './requests.mjs';
import { ClientSession } from './session.mjs';

const FRAME_MAX = 1_048_576;
/** How long a relay may be silent, in milliseconds. */
const PATIENCE = 12_000;
const NOBODY = { setId: new Uint8Array(0), member: 0, signingSeed: new Uint8Array(0) };

export class Connection extends Requests {
  /** A session as a member: `identity` = `{setId, member, signingSeed}`. `relayKey` empty: whatever key it shows. */
  static async member(url, identity, relayKey) {
    return new Connection(url, { ...identity, relayKey }).#shakeHands();
  }

  static async visit(url, relayKey = new Uint8Array(0)) {
    return new Connection(url, { ...NOBODY, relayKey }).#shakeHands();
  }

  constructor(url, identity) {
    super();
    this.session = new ClientSession(identity);
    this.waiting = []; // One of each event that is awaited, in order: {resolve, reject, timer}.
    this.mails = []; // What the other side of a mailbox has sent, and nobody has taken yet.
    this.mailWaiting = null;
    this.socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: FRAME_MAX, handshakeTimeout: PATIENCE });
    this.socket.on('message', (data, isBinary) => this.#received(data, isBinary));
    this.socket.on('error', () => this.#fail(new Refusal('Unreachable', 'the connection was lost')));
    this.socket.on('close', () => this.#fail(new Refusal('Unreachable', 'the connection was closed')));
  }

  async #shakeHands() {
    try {
      await new Promise((resolve, reject) => {
        this.socket.once('open', resolve);
        this.socket.once('error', () => reject(new Refusal('Unreachable', 'nobody answers')));
      });
      this.#send(this.session.hello(systemEntropy));
      await this.#event();
      this.#send(this.session.proof());
      this.welcome = await this.#event();
      this.relayKey = this.session.relayKey;
      return this;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The answer to a request, as an array. A refusal is thrown, with its `reason` and `data` (SPEC 13.8). */
  async ask(type, ...fields) {
    if (this.failure) throw this.failure;
    const frame = this.session.request(encodeFrame(TYPE[type], ...fields));
    this.#send(frame);
    const event = await this.#event();
    if (event.kind !== 'REFUSED') return event.message.slice(1);
    const [, code, words] = event.message;
    throw Object.assign(new Refusal('Refused', `${code}: ${words}`), { reason: code, data: event.data });
  }

  /** The next message of the other side of the mailbox: `[n, bytes]`. */
  async mail(patience) {
    if (this.mails.length) return this.mails.shift();
    if (this.failure) throw this.failure;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(new Refusal('PairingAborted', 'the other side is silent')), patience);
      this.mailWaiting = { resolve, reject, timer };
    });
  }

  close() {
    this.closed = true;
    this.#fail(new Refusal('Unreachable', 'this side has closed the connection'));
    this.socket.terminate();
  }

  #send(frame) {
    if (this.failure) throw this.failure;
    this.socket.send(frame);
  }

  #event() {
    return new Promise((resolve, reject) => {
      if (this.failure) return reject(this.failure);
      const timer = setTimeout(() => this.#fail(new Refusal('Unreachable', 'the relay is silent')), PATIENCE);
      this.waiting.push({ resolve, reject, timer });
    });
  }

  #received(data, isBinary) {
    if (this.failure) return;
    try {
      if (!isBinary) throw new Refusal('RemoteProtocolError', 'a message in text');
      // A copy of its own: the library's buffers are pooled.
      const event = this.session.receive(Uint8Array.from(data));
      if (event.kind === 'PUSHED' && event.message[0] === TYPE.MAILED) this.#mailed(event.message.slice(1));
      if (event.kind === 'PUSHED' || event.kind === 'CLOSING') return; // What is pushed is read again on request.
      const { resolve, timer } = this.waiting.shift();
      clearTimeout(timer);
      resolve(event);
    } catch (error) {
      this.#fail(error);
      this.socket.terminate();
    }
  }

  #mailed(mail) {
    if (!this.mailWaiting) return this.mails.push(mail);
    clearTimeout(this.mailWaiting.timer);
    this.mailWaiting.resolve(mail);
    this.mailWaiting = null;
    return undefined;
  }

  #fail(error) {
    if (this.failure) return;
    this.failure = error;
    for (const { reject, timer } of this.waiting.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
    if (!this.mailWaiting) return;
    clearTimeout(this.mailWaiting.timer);
    this.mailWaiting.reject(error);
    this.mailWaiting = null;
  }
}
