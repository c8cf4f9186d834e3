// SPEC 9.4, 9.6: the chain of records. A Chain is what the records so far come to; `next` gives another Chain and never
// changes this one, so a refused record leaves no trace.

import { Refusal, must } from './errors.mjs';
import { sameBytes, toHex } from './bytes.mjs';
import { checkSealPublic, checkVerifyKey, verify } from './crypto.mjs';
import { recoded } from './schema.mjs';
import * as r from './records.mjs';

const { ADD, REMOVE, REKEY, ROLE, READER, WRITER, OWNER, RECOVERY, ROOT } = r;
const MEMBERS_MAX = 64;
const invalid = (condition, message) => must(condition, 'ChainInvalid', message);
const allowed = (condition, message) => must(condition, 'RightMissing', message);

/** Step 1: what may have to give way changes nothing. */
function checkSeed(record) {
  const alone = record.flags === r.SEED && record.changes.length === 0 && record.relay.length === 0;
  invalid(!r.isSeed(record) || alone, 'a seed that changes something');
}

export class Chain {
  constructor(setId) {
    this.setId = setId;
    this.record = null; // the newest, parsed
    this.relayKeys = []; // by epoch
    this.members = new Map(); // index → { index, person, role, verifyKey, sealingKey }
    this.numbers = new Map(); // device → the number of the sealing key that it is sealed to
    this.nextIndex = 0;
    this.keys = new Set(); // every verify key that ever stood in the chain, in hex
    this.ranks = new Map(); // person in hex → the highest role that an owner or the root ever gave to a device
  }

  get epoch() {
    return this.record.epoch;
  }

  get recordHash() {
    return this.record.hash;
  }

  get relayKey() {
    return this.relayKeys.at(-1);
  }

  get root() {
    return [...this.members.values()].find((member) => member.role === ROOT);
  }

  /** Whether anybody can write in this epoch (SPEC 9.6, last sentence). */
  get openerIsMember() {
    return this.members.has(this.record.opener);
  }

  /** The chain that these records come to; the first is record 0. */
  static verify(setId, records) {
    invalid(records.length > 0, 'a chain without records');
    return records.slice(1).reduce((chain, record) => chain.next(record), Chain.begin(setId, records[0]));
  }

  copy() {
    const other = Object.assign(new Chain(this.setId), this);
    for (const name of ['members', 'numbers', 'ranks']) other[name] = new Map(this[name]);
    other.keys = new Set(this.keys);
    other.relayKeys = [...this.relayKeys];
    return other;
  }

  // ------------------------------------------------------------------------------------------------------- record 0

  static begin(setId, bytes) {
    const record = r.parseRecord(bytes);
    const [first, ...others] = record.changes;
    invalid(record.epoch === 0 && record.opener === 0 && record.relay.length > 0, 'a record that is not record 0');
    invalid(record.closesSeq === 0 && r.isZero(record.prev) && r.isZero(record.closesHash), 'record 0 follows something');
    invalid(r.isZero(record.manifest), 'record 0 with a snapshot');
    checkSeed(record);
    checkVerifyKey(record.relay);
    invalid(first?.[0] === ADD && first[2] === ROOT, 'record 0 does not add the root first');
    invalid(others.every(([kind, , role]) => kind === ADD && role === OWNER), 'record 0 adds others than owners');
    invalid(sameBytes(setId, r.setIdOf(first[3])), 'the set is not that of the root');
    invalidUnlessSigned(first[3], setId, record);
    const chain = new Chain(setId);
    chain.relayKeys = [record.relay];
    for (const change of record.changes) chain.apply(change, ROOT);
    chain.settle(record, new Chain(setId));
    return chain;
  }

  // ------------------------------------------------------------------------------------------------- VERIFY, SPEC 9.4

  /** VERIFY the next record's bytes. */
  next(bytes) {
    const record = r.parseRecord(bytes); // step 7
    this.checkPlace(record);
    const opener = this.members.get(record.opener);
    invalid(opener !== undefined, 'a record by nobody');
    invalidUnlessSigned(opener.verifyKey, this.setId, record); // step 2
    this.checkFlags(record, opener);
    const chain = this.copy();
    const before = record.changes.map((change) => chain.judge(record.opener, change)); // step 3
    record.changes.forEach((change, i) => chain.checkKeys(change, before[i])); // step 4
    chain.relayKeys.push(record.relay.length > 0 ? record.relay : this.relayKey);
    chain.settle(record, this);
    return chain;
  }

  /** Step 1, *Downgrade*; the suite was looked at before the rest. */
  checkPlace(record) {
    checkSeed(record);
    invalid(record.epoch === this.epoch + 1, `record ${record.epoch} after record ${this.epoch}`);
    invalid(sameBytes(record.prev, this.recordHash), 'a record that follows another one');
    if (record.relay.length === 0) return;
    checkVerifyKey(record.relay);
    invalid(!sameBytes(record.relay, this.relayKey), 'a record that names the present relay');
  }

  /** Step 3, what is judged in R: flags and `relay`. */
  checkFlags(record, opener) {
    allowed(opener.role !== READER, 'a reader opens an epoch');
    const leads = opener.role === OWNER || opener.role === ROOT;
    allowed(leads || ((record.flags === 0 || r.isSeed(record)) && record.relay.length === 0), 'flags or a relay by neither owner nor root');
  }

  /** Step 3 for one change, in the state that those before it leave; then applies it. Gives the member it is about. */
  judge(openerIndex, change) {
    const [kind] = change;
    const opener = this.members.get(openerIndex);
    allowed(opener !== undefined, 'a change by an opener that has removed itself');
    const target = kind === ADD ? undefined : this.members.get(change[1]);
    if (kind === REKEY) allowed(change[1] === openerIndex, 'a new verify key for another member');
    invalid(kind === ADD || target !== undefined, 'a change of nobody');
    allowed(this.mayChange(opener, change, target), 'a change that the opener has no right to');
    if (kind === ROLE) invalid(r.isDevice(target) && change[2] <= OWNER, 'a role between device and recovery');
    this.apply(change, opener.role);
    return target;
  }

  /** The table of step 3. */
  mayChange(opener, change, target) {
    const [kind, person, role] = change;
    const own = (other) => sameBytes(other, opener.person);
    const leads = opener.role === OWNER || opener.role === ROOT;
    switch (kind) {
      case ADD:
        if (opener.role === ROOT) return true;
        if (opener.role === OWNER) return role <= RECOVERY;
        if (opener.role === WRITER) return own(person) && role <= WRITER;
        return opener.role === RECOVERY && own(person) && (role === RECOVERY || role <= this.rankOf(person));
      case REMOVE:
        if (opener.role === ROOT) return true;
        if (target.role === ROOT) return false;
        if (opener.role === OWNER) return true;
        if (opener.role === WRITER) return own(target.person) && r.isDevice(target);
        return opener.role === RECOVERY && own(target.person);
      case REKEY:
        return opener.role === OWNER || opener.role === WRITER;
      default:
        return leads;
    }
  }

  rankOf(person) {
    return this.ranks.get(toHex(person)) ?? 0;
  }

  /** A change takes effect; `by` is the role of who makes it. */
  apply(change, by) {
    const [kind] = change;
    if (kind === ADD) {
      const [, person, role, verifyKey, sealingKey] = change;
      this.members.set(this.nextIndex, { index: this.nextIndex, person, role, verifyKey, sealingKey });
      this.nextIndex += 1;
      this.raiseRank(person, role, by);
    } else if (kind === REMOVE) this.members.delete(change[1]);
    else {
      const member = { ...this.members.get(change[1]) };
      if (kind === REKEY) member.verifyKey = change[2];
      else member.role = change[2];
      this.members.set(member.index, member);
      if (kind === ROLE) this.raiseRank(member.person, member.role, by);
    }
  }

  raiseRank(person, role, by) {
    if (role > OWNER || (by !== OWNER && by !== ROOT)) return;
    this.ranks.set(toHex(person), Math.max(role, this.rankOf(person)));
  }

  /** Step 4, *Key reuse*: new keys of a change; `target` is the member of a rekey as it was before. */
  checkKeys(change, target) {
    const [kind] = change;
    if (kind !== ADD && kind !== REKEY) return;
    const verifyKey = kind === ADD ? change[3] : change[2];
    invalid(!this.keys.has(toHex(verifyKey)), 'a verify key that stood in the chain before');
    checkVerifyKey(verifyKey);
    if (kind === ADD) checkSealPublic(change[4]);
    recoded('ChainInvalid', () => this.checkPossession(change, target));
    this.keys.add(toHex(verifyKey));
  }

  checkPossession(change, target) {
    if (change[0] === REKEY) {
      const [, , verifyKey, signature] = change;
      r.verifyPossession(this.setId, target.person, target.role, verifyKey, new Uint8Array(0), signature);
      return;
    }
    const [, person, role, verifyKey, sealingKey, signature] = change;
    try {
      r.verifyPossession(this.setId, person, role, verifyKey, sealingKey, signature);
    } catch (error) {
      if (!(error instanceof Refusal) || role < RECOVERY) throw error;
      r.verifyKitProof(verifyKey, sealingKey, signature);
    }
  }

  /** Steps 5 and 6 for the state after a record, and its place at the end of the chain. */
  settle(record, before) {
    if (record.epoch === 0) for (const change of record.changes) this.checkKeys(change);
    const members = [...this.members.values()];
    invalid(members.filter((member) => member.role === ROOT).length === 1, 'not exactly one root'); // step 5
    invalid(members.length <= MEMBERS_MAX, 'more than 64 members');
    const devices = members.filter(r.isDevice).map((member) => member.index).sort((a, b) => a - b);
    const named = record.numbers.map(([index]) => index);
    invalid(devices.join() === named.join(), "numbers that are not exactly the devices'"); // step 6
    for (const [index, number] of record.numbers) {
      const last = before.numbers.get(index);
      const fits = last === undefined ? number === 1 : number >= last && number <= last + 2;
      invalid(fits, `number ${number} for member ${index}`);
    }
    this.numbers = new Map(record.numbers);
    this.record = record;
  }
}

function invalidUnlessSigned(verifyKey, setId, record) {
  recoded('ChainInvalid', () => verify(verifyKey, 'SIGN_RECORD', setId, record.body, record.signature));
}

/**
 * SPEC 9.6: of two branches behind the same records, the hash of the first record of the one that wins, or
 * ForkDetected. All are lists of records' bytes.
 */
export function preferred(setId, common, left, right) {
  const base = Chain.verify(setId, common);
  const ends = [left, right].map((branch) => branch.reduce((chain, record) => chain.next(record), base));
  const firsts = [left, right].map((branch) => r.parseRecord(branch[0]));
  const [root, other] = ends.map((chain) => chain.root.verifyKey);
  const signed = (record) => sameBytes(base.members.get(record.opener).verifyKey, root);
  const winners = sameBytes(root, other) ? firsts.filter(signed) : [];
  must(winners.length === 1, 'ForkDetected', 'two records with one number, and not one of them by the root');
  return winners[0].hash;
}
