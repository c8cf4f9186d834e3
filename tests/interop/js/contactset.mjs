// SPEC 8: the contact set, a state that is a pure function of the log. Knows nothing of keys or of the network.

import { Refusal, must } from './errors.mjs';
import { encode } from './encoding.mjs';
import { compareBytes, concat, fromHex, sameBytes, toHex, utf8 } from './bytes.mjs';
import { hash } from './crypto.mjs';
import { BATCH, DELETE, LIFE_MAX, SET } from './operations.mjs';
import { bytes, compareDots, recoded } from './schema.mjs';
import * as states from './state.mjs';

export { decodeOps, encodeOps } from './operations.mjs';
export { packState, parseState, view, writeLife } from './state.mjs';

const PARKED_MAX = 1_048_576;
/** SPEC 8.8: the set's own object, and that of its kit. Folded like any contact, and never shown as a contact. */
export const OWN_OBJECT = '00'.repeat(16);
export const KIT_OBJECT = 'ff'.repeat(16);

/** SPEC 8.1. */
export function contactId(setId, uid, ordinal = 0) {
  return hash('CONTACT_ID', encode([uid, ordinal]), { key: setId, size: 16 });
}

/** SPEC 8.7: the digest of `[contact id, packed state]`, in any order. */
export function stateDigest(contacts) {
  const buckets = Array.from({ length: 256 }, () => []);
  for (const [id, packed] of [...contacts].sort((a, b) => compareBytes(a[0], b[0]))) {
    buckets[id[0]].push(hash('CONTACT_HASH', concat(id, packed)));
  }
  return hash('DIGEST', concat(...buckets.map((hashes) => hash('DIGEST', concat(...hashes)))));
}

export class ContactSet {
  constructor() {
    this.vector = new Map(); // member → { counter, id } of its last entry
    this.contacts = new Map(); // contact id in hex → lives
    this.unknown = []; // [member, counter, op bytes]: operations of later versions, verbatim
    this.ids = new Map(); // "author/counter" → id of an entry folded or parked
    this.parked = new Map(); // "author/counter" → { entry, epoch }
  }

  /** A set that shares what never changes in place: lives are replaced, not altered. */
  copy() {
    const other = new ContactSet();
    for (const name of ['vector', 'contacts', 'ids', 'parked']) other[name] = new Map(this[name]);
    other.unknown = [...this.unknown];
    return other;
  }

  /** A set in the state of a snapshot: `vector` is [[member, counter, id], …], `contacts` [[id, packed state], …]. */
  static adopt(vector, contacts, unknown = []) {
    const set = new ContactSet();
    for (const [member, counter, id] of vector) {
      set.vector.set(member, { counter, id });
      set.ids.set(`${member}/${counter}`, id);
    }
    for (const [id, packed] of contacts) set.contacts.set(toHex(id), states.parseState(packed));
    set.unknown = [...unknown];
    return set;
  }

  counterOf(member) {
    return this.vector.get(member)?.counter ?? 0;
  }

  /** [[member, counter, id of its last entry], …] ascending, as a manifest has it. */
  vectorList() {
    return [...this.vector].map(([member, { counter, id }]) => [member, counter, id]).sort((a, b) => a[0] - b[0]);
  }

  /** [[contact id, packed state], …] ascending. */
  packed() {
    return [...this.contacts.keys()].sort().map((id) => [fromHex(id), states.packState(this.contacts.get(id))]);
  }

  digest() {
    return stateDigest(this.packed());
  }

  /** Contact id in hex → view, of what is alive; the set's own objects are among them. */
  views() {
    const views = [...this.contacts.keys()].sort().map((id) => [id, states.view(this.contacts.get(id))]);
    return new Map(views.filter(([, view]) => view !== null));
  }

  /** The same of what is shown as contacts. */
  shown() {
    return new Map([...this.views()].filter(([id]) => id !== OWN_OBJECT && id !== KIT_OBJECT));
  }

  // -------------------------------------------------------------------------------------------------- fold, SPEC 8.4

  /**
   * FOLD an entry in an epoch. `entry` is { author, counter, id, prev, vector: [[member, counter], …], operations,
   * size }; `itemsOf(operation)` gives the items [[contact id, packed state], …] of a batch. Says what became of it:
   * APPLIED, DUPLICATE, FORKED, PARKED or DROPPED; only the first has an effect. EntryInvalid where a batch is wrong.
   */
  fold(entry, epoch, itemsOf = () => []) {
    const key = `${entry.author}/${entry.counter}`;
    const known = this.ids.get(key);
    const forked = known !== undefined && !sameBytes(known, entry.id);
    const last = this.counterOf(entry.author);
    if (entry.counter <= last) return forked ? 'FORKED' : 'DUPLICATE'; // step 1
    if (entry.counter > last + 1) return forked ? 'FORKED' : this.park(key, entry, epoch); // step 2
    if (!this.follows(entry)) return 'FORKED'; // SPEC 10.4: the right counter, and another `prev`
    this.apply(entry, epoch, itemsOf);
    this.unpark(entry.author);
    return 'APPLIED';
  }

  follows(entry) {
    const before = this.vector.get(entry.author)?.id ?? new Uint8Array(32);
    return sameBytes(entry.prev, before);
  }

  park(key, entry, epoch) {
    if (this.parked.has(key)) return 'PARKED'; // The first one stays.
    const own = [...this.parked.values()].filter((other) => other.entry.author === entry.author);
    const size = own.reduce((sum, other) => sum + other.entry.size, entry.size);
    const hasBatch = entry.operations.some(([kind]) => kind === BATCH);
    if (size > PARKED_MAX || hasBatch) return 'DROPPED';
    this.parked.set(key, { entry, epoch });
    this.ids.set(key, entry.id);
    return 'PARKED';
  }

  /** Step 5, and again for each that becomes the next one. */
  unpark(author) {
    for (;;) {
      const key = `${author}/${this.counterOf(author) + 1}`;
      const waiting = this.parked.get(key);
      if (!waiting) return;
      this.parked.delete(key);
      if (!this.follows(waiting.entry)) {
        this.ids.delete(key);
        return;
      }
      this.apply(waiting.entry, waiting.epoch);
    }
  }

  apply(entry, epoch, itemsOf) {
    const { author, counter, id } = entry;
    const writes = entry.operations.flatMap((operation) => plainOperations(operation, entry, itemsOf));
    const context = { author, counter, epoch, seen: this.seen(entry) };
    const touched = new Set(writes.map(([, contact]) => toHex(contact)));
    for (const contact of touched) {
      const own = writes.filter(([, other]) => toHex(other) === contact);
      this.put(contact, foldContact(this.contacts.get(contact) ?? [], own, context));
    }
    for (const operation of entry.operations) {
      if (operation[0] > BATCH) this.unknown.push([author, counter, encode(operation)]);
    }
    this.vector.set(author, { counter, id });
    this.ids.set(`${author}/${counter}`, id);
  }

  /** Step 3: what an entry claims to have seen counts as far as the log before it shows. */
  seen(entry) {
    const seen = new Map(entry.vector.map(([member, counter]) => [member, Math.min(counter, this.counterOf(member))]));
    return seen.set(entry.author, entry.counter - 1);
  }

  put(contact, lives) {
    if (lives.length > 0) this.contacts.set(contact, lives);
    else this.contacts.delete(contact);
  }

  /** SPEC 8.5. */
  boundary(horizon) {
    for (const [id, lives] of this.contacts) this.put(id, states.boundary(lives, horizon));
    for (const key of this.parked.keys()) this.ids.delete(key);
    this.parked.clear(); // step 4
  }
}

/** An operation as sets and deletes: those of a batch's items, itself, or nothing for one of a later version. */
function plainOperations(operation, entry, itemsOf) {
  if (operation[0] === SET || operation[0] === DELETE) return [operation];
  return operation[0] === BATCH ? batchSets(operation, entry, itemsOf(operation)) : [];
}

/** SPEC 11.4: the sets that a batch's items are. */
export function batchSets([, , , count], { author, counter }, items) {
  must(items.length === count, 'EntryInvalid', 'a batch with another count of contacts');
  return items.flatMap(([contact, packed]) => {
    must(bytes(16)(contact), 'EntryInvalid', 'a contact id that has not 16 bytes in a batch');
    return recoded('EntryInvalid', () => states.parseState(packed)).map((life) => {
      const [group, ...others] = life.groups;
      const own = group.member === author && group.counter === counter && others.length === 0;
      must(own && group.epoch === undefined && life.covered.length === 0, 'EntryInvalid', "a batch's item that is no set of its entry");
      return [SET, contact, life.number, group.time, group.values];
    });
  });
}

/** Step 4 for one contact: its lives after an entry's sets and deletes. */
function foldContact(lives, writes, context) {
  const folded = foldWrites(lives, writes, context);
  // SPEC 8.3: the sets of an entry that would make a state too large to be deleted have no effect.
  return states.fits(folded) ? folded : foldWrites(lives, writes.filter(([kind]) => kind === DELETE), context);
}

function foldWrites(before, writes, context) {
  const lives = states.copyLives(before);
  for (const [kind, , number, time, values] of writes) {
    let life = lives.find((other) => other.number === number);
    if (kind === DELETE) {
      if (life) foldDelete(life, context);
      continue;
    }
    if (!life) {
      life = { number, groups: [], died: undefined, covered: [] };
      lives.push(life);
    }
    foldSet(life, time, values, context);
  }
  return lives.filter((life) => life.groups.length > 0).sort((a, b) => a.number - b.number);
}

function foldSet(life, time, values, { author, counter, epoch, seen }) {
  for (const group of life.groups) {
    const replaced = group.counter <= (seen.get(group.member) ?? 0);
    if (replaced) for (const path of values.keys()) group.values.delete(path);
  }
  let own = life.groups.find((group) => group.member === author && group.counter === counter);
  if (!own) {
    own = { member: author, counter, time, values: new Map(), epoch };
    life.groups.push(own);
    life.groups.sort((a, b) => compareDots(states.dotOf(a), states.dotOf(b)));
  }
  for (const [path, value] of values) own.values.set(path, value);
  own.time = time;
  states.tidy(life);
}

function foldDelete(life, { author, counter, epoch, seen }) {
  const covers = (group) =>
    group.counter <= (seen.get(group.member) ?? 0) || (group.member === author && group.counter === counter);
  const dots = life.groups.filter(covers).map(states.dotOf);
  if (dots.length === 0) return;
  const others = life.covered.filter((dot) => !dots.some((other) => compareDots(dot, other) === 0));
  life.covered = [...others, ...dots].sort(compareDots);
  life.died = Math.max(life.died ?? 0, epoch);
}

// ------------------------------------------------------------------------------------------- what a writer does, 8.6

/** The operations that set registers (path → value, null removes) of a contact whose lives are given. */
export function setOperations(contact, lives, values, time) {
  const target = states.writeLife(lives);
  const operations = [[SET, contact, target, time, values]];
  for (const life of lives.filter(states.isAlive)) {
    const held = [...values].filter(([path]) => life.groups.some((group) => group.values.has(path)));
    if (life.number !== target && held.length > 0) operations.push([SET, contact, life.number, time, new Map(held)]);
  }
  return operations;
}

/** The operations that delete a contact: every living life. */
export function deleteOperations(contact, lives, time) {
  return lives.filter(states.isAlive).map((life) => [DELETE, contact, life.number, time]);
}
