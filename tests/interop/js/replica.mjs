// SPEC 8, 10, 14: one device's whole knowledge of one set. No I/O: what was served goes in, what is to be sent comes
// out. Nothing here moves before it has been verified.

import { ZERO32, sameBytes, toHex } from './bytes.mjs';
import { SealingKey } from './crypto.mjs';
import { ContactSet, encodeOps } from './contactset.mjs';
import { Refusal, must } from './errors.mjs';
import { nextLogHash, readEnvelope, sealEnvelope, sealHeartbeat, signEntry } from './log.mjs';
import { signAnnouncement } from './epochs.mjs';
import { BATCH, DELETE } from './operations.mjs';
import { READER, isDevice } from './records.mjs';

const VERSION = 1;
const ENTRY_BODY_MAX = 245_760;

export class Replica {
  constructor({ setId, member, signingSeed, relayUrl }) {
    Object.assign(this, { setId, member, signingSeed, relayUrl });
    this.sealing = new Map(); // number → SealingKey of this device
    this.announced = { number: 0, revision: 0 };
    this.outbox = []; // own entries that have not landed: { counter, fields, size, entry?, envelope? }
    this.made = new Set(); // ids of all entries that this device made
    this.announcements = new Map(); // member → { bytes, number, sealingKey, requests }
    this.closed = new Map(); // epoch → { seq, logHash } at which it was closed
    this.claims = []; // { author, vector }: what others say that they have seen
    this.snapshot = []; // the open epoch's runs: { run, contents: Map(id in hex → packed state), chunks? }
  }

  get epoch() {
    return this.chain.epoch;
  }

  get position() {
    return this.envelopes.length;
  }

  get logHash() {
    return this.hashes[this.position];
  }

  get self() {
    return this.chain.members.get(this.member);
  }

  /** This device is in the epoch that `chain` ends with, whose log begins from `set`. */
  begin({ chain, key, set, horizon, manifest = null, snapshot = [] }) {
    Object.assign(this, { chain, key, horizon, manifest, snapshot, start: set.copy(), unsure: undefined });
    this.sealAgain();
    this.forgetKeysBelow(chain.numbers.get(this.member) ?? 0);
    this.rewind();
  }

  /** Back to the beginning of the open epoch's log. */
  rewind() {
    this.set = this.start.copy();
    this.envelopes = [];
    this.hashes = [this.chain.recordHash];
    this.batches = []; // the runs of the log's batches, in its order, like `snapshot`
  }

  /** SPEC 14.2 step 7. */
  forgetKeysBelow(number) {
    for (const held of this.sealing.keys()) if (held < number) this.sealing.delete(held);
  }

  // ------------------------------------------------------------------------------------------------ reading, SPEC 14.1

  /** The log hashes behind these further envelopes of the open epoch. */
  hashesBehind(envelopes) {
    const hashes = [this.logHash];
    for (const envelope of envelopes) hashes.push(nextLogHash(hashes.at(-1), envelope));
    return hashes.slice(1);
  }

  /** What an envelope says, or undefined where it has no effect: it takes its position all the same (SPEC 10.4). */
  peek(envelope) {
    try {
      return readEnvelope(this.chain, this.key, envelope);
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  }

  /** Folds verified envelopes; `items` has what is in their batches by index id in hex. Gives codes and entries. */
  fold(envelopes, items) {
    const notices = [];
    const folded = [];
    this.hashes.push(...this.hashesBehind(envelopes));
    for (const envelope of envelopes) {
      this.envelopes.push(envelope);
      const entry = this.peek(envelope);
      if (!entry) continue;
      if (entry.author === this.member && !this.made.has(toHex(entry.id))) notices.push('CloneDetected');
      const status = this.#foldEntry(entry, items);
      if (status === 'FORKED') notices.push('ForkDetected');
      if (status === 'APPLIED') this.#keepBatches(entry, items);
      folded.push({ ...entry, position: this.position });
      this.claims.push({ author: entry.author, vector: entry.vector });
    }
    this.outbox = this.outbox.filter((own) => own.counter > this.set.counterOf(this.member));
    return { notices, folded };
  }

  #foldEntry(entry, items) {
    try {
      return this.set.fold(entry, this.epoch, ([, id]) => items.get(toHex(id))?.list ?? []);
    } catch (error) {
      if (error instanceof Refusal) return 'INVALID';
      throw error;
    }
  }

  #keepBatches(entry, items) {
    for (const [kind, id, key, count] of entry.operations) {
      if (kind !== BATCH) continue;
      const { list, chunks } = items.get(toHex(id));
      const contents = new Map(list.map(([contact, packed]) => [toHex(contact), packed]));
      this.batches.push({ run: [id, key, count], contents, chunks });
    }
  }

  /** The set as this device shows it: with its own entries that have not landed. */
  local() {
    const set = this.set.copy();
    for (const own of this.outbox) set.fold(own.fields, this.epoch);
    return set;
  }

  // ------------------------------------------------------------------------------------------------ writing, SPEC 10.3

  /** These operations, into the outbox: in the entry before, if that is of the same causal context and not signed. */
  edit(operations) {
    must(this.self.role !== READER, 'ReadOnly', 'this person may read the book and not change it');
    const { length: size } = encodeOps(operations);
    const seenHead = [this.epoch, this.position, this.logHash.slice(0, 16)];
    const last = this.outbox.at(-1);
    if (last && mayJoin(last, seenHead, operations, size)) {
      last.fields.operations.push(...operations);
      last.size += size;
      return;
    }
    const before = last?.fields ?? { counter: this.set.counterOf(this.member), id: this.#lastLandedId };
    const counter = before.counter + 1;
    const vector = this.set.vectorList().map(([member, count]) => [member, count]);
    const fields = {
      author: this.member, counter, prev: before.id, vector, seenHead,
      id: ZERO32, operations: [...operations], size,
    };
    this.outbox.push({ counter, fields, size });
  }

  get #lastLandedId() {
    return this.set.vector.get(this.member)?.id ?? ZERO32;
  }

  /** The envelopes of what has not landed: within an epoch a retry is the same bytes (SPEC 10.5). */
  unsent(entropy) {
    let prev = this.#lastLandedId;
    for (const own of this.outbox) {
      if (!own.entry) this.#sign(own, prev, entropy);
      own.envelope ??= sealEnvelope(this.key, this.setId, this.epoch, own.entry, [], entropy);
      prev = own.fields.id;
    }
    return this.outbox.map((own) => own.envelope);
  }

  /** An entry never changes again, and has an id, once it is signed: when it is about to be sent. */
  #sign(own, prev, entropy) {
    const header = { ...own.fields, prev, ops: encodeOps(own.fields.operations) };
    const { entry, id } = signEntry(this.signingSeed, this.setId, header, entropy);
    Object.assign(own.fields, { prev, id, size: entry.length });
    own.entry = entry;
    this.made.add(toHex(id));
  }

  sealAgain() {
    for (const own of this.outbox) delete own.envelope;
  }

  // ----------------------------------------------------------------------------------------- the slot, SPEC 10.6, 10.7

  /** The announcement of the sealing key after that of `chain`, which is stored before; with requests if any. */
  announce(requests, entropy, chain = this.chain) {
    const number = chain.numbers.get(this.member) + 1;
    if (!this.sealing.has(number)) this.sealing.set(number, SealingKey.generate(entropy));
    return this.announcementOf(number, this.sealing.get(number), this.signingSeed, requests);
  }

  announcementOf(number, sealingKey, seed, requests = []) {
    this.announced = { number, revision: this.announced.revision + 1 };
    const key = sealingKey.public;
    const fields = { member: this.member, ...this.announced, sealingKey: key, version: VERSION, requests };
    const bytes = signAnnouncement(seed, this.setId, fields);
    this.announcements.set(this.member, { bytes, ...fields });
    return bytes;
  }

  heartbeat(now, entropy) {
    const vector = this.set.vectorList().map(([member, counter]) => [member, counter]);
    const fields = { member: this.member, epoch: this.epoch, time: now, until: now, vector, head: this.signedHead };
    return sealHeartbeat(this.key, this.signingSeed, this.setId, fields, entropy);
  }

  // ------------------------------------------------------------------------------------------------ compare, SPEC 14.6

  /** Step 1: whether somebody says to have seen what this device was not served. */
  isWithheld() {
    const lacks = ([member, counter], author) =>
      member !== author && this.chain.members.has(member) && counter > this.set.counterOf(member);
    this.claims = this.claims.filter(({ author, vector }) => vector.some((dot) => lacks(dot, author)));
    return this.claims.length > 0 || this.set.parked.size > 0;
  }

  /** Steps 2 and 3: what a head `[epoch, seq, log hash or its first half]` that another device has seen says. */
  judgeHead([epoch, seq, logHash], position = this.position + 1) {
    if (epoch > this.epoch) return 'WithheldDetected';
    const closed = this.closed.get(epoch);
    if (epoch < this.epoch) {
      const differs = closed && closed.seq === seq && !sameBytes(closed.logHash.slice(0, logHash.length), logHash);
      return differs ? 'ForkDetected' : undefined;
    }
    if (seq >= position) return 'WithheldDetected';
    return sameBytes(this.hashes[seq].slice(0, logHash.length), logHash) ? undefined : 'ForkDetected';
  }

  /** Members that are devices, other than this one. */
  others() {
    return [...this.chain.members.values()].filter((member) => isDevice(member) && member.index !== this.member);
  }
}

/** Whether operations go into an unsigned entry: one context (SPEC 10.3), no set of what it deletes (8.4), and room. */
function mayJoin({ entry, fields, size }, seenHead, operations, more) {
  const [epoch, position, logHash] = fields.seenHead;
  const sameContext = epoch === seenHead[0] && position === seenHead[1] && sameBytes(logHash, seenHead[2]);
  const deletes = ([, contact, life]) => fields.operations.some(([kind, other, number]) =>
    kind === DELETE && number === life && sameBytes(other, contact));
  return !entry && sameContext && size + more <= ENTRY_BODY_MAX && !operations.some(deletes);
}

/** A set in which nothing was written yet. */
export const emptySet = () => new ContactSet();
