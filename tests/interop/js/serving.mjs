// What a relay serves to one member, as a case of `scenarios::follow` says, and its answers to requests: a Connection
// without a network. It keeps no rule of SPEC 13: what is served may be a lie, and what it is sent it takes.

import { fromHex, sameBytes, toHex } from './bytes.mjs';
import { verifyKeyOf } from './crypto.mjs';
import { Refusal } from './errors.mjs';
import { nextLogHash, signHead } from './log.mjs';
import { recordHash } from './records.mjs';
import { Requests } from './requests.mjs';
import { blobId } from './snapshots.mjs';

const INCARNATION = 1;
const BLOB_PART = 524_288;
const NOTHING = new Uint8Array(0);

const fields = (stage) => ({
  records: stage.records.map(fromHex),
  boxes: new Map(stage.boxes.map(([epoch, list, box]) => [epoch, [fromHex(list), fromHex(box)]])),
  logs: new Map(stage.logs.map(([epoch, envelopes]) => [epoch, envelopes.map(fromHex)])),
  blobs: new Map(stage.blobs.map(fromHex).map((blob) => [toHex(blobId(blob)), blob])),
});

export class Serving extends Requests {
  /** `relay` is { setId, seed }: the relay signs its heads over just what the stage says. */
  constructor(stage, relay, now) {
    super();
    Object.assign(this, fields(stage), { relay, now, relayKey: verifyKeyOf(relay.seed) });
    const { head } = this.#head();
    this.welcome = { kind: 'WELCOMED', head };
  }

  get epoch() {
    return this.records.length - 1;
  }

  get log() {
    if (!this.logs.has(this.epoch)) this.logs.set(this.epoch, []);
    return this.logs.get(this.epoch);
  }

  #head() {
    const record = recordHash(this.records.at(-1));
    const head = {
      epoch: this.epoch, seq: this.log.length, logHash: this.log.reduce(nextLogHash, record), recordHash: record,
      time: this.now(), incarnation: INCARNATION, binding: NOTHING,
    };
    const [, signature] = signHead(this.relay.seed, this.relay.setId, head);
    return { head, short: [head.seq, head.time, signature] };
  }

  async ask(type, ...request) {
    switch (type) {
      case 'APPEND': return this.#append(request[1]);
      case 'READ': return this.#read(...request);
      case 'CHAIN': return [this.records.slice(request[0])];
      case 'BOX': return found(this.boxes.get(request[0]));
      case 'GET_BLOB': return part(found(this.blobs.get(toHex(request[0]))), request[1]);
      case 'PUT_SLOT': return [];
      default: throw new Error(`${type} is nothing that a follower asks for`);
    }
  }

  #append(envelope) {
    let at = this.log.findIndex((other) => sameBytes(other, envelope));
    if (at < 0) at = this.log.push(envelope) - 1;
    return [at + 1, this.#head().short];
  }

  #read(epoch, from) {
    const log = epoch === this.epoch ? this.log : found(this.logs.get(epoch));
    return [epoch, from, log.slice(from - 1), epoch === this.epoch ? this.#head().short : []];
  }
}

const part = (blob, offset) => [blob.length, blob.subarray(offset, offset + BLOB_PART)];

function found(served) {
  if (served !== undefined) return served;
  throw Object.assign(new Refusal('Refused', 'NotFound: it is not served'), { reason: 'NotFound' });
}
