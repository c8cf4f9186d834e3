// SPEC 12.6, 14: one device of one set, in memory. Each procedure opens a session, works, and closes it.

import { OWN_OBJECT, KIT_OBJECT, contactId, deleteOperations, setOperations } from './contactset.mjs';
import { fromHex, sameBytes, toHex } from './bytes.mjs';
import { kitKeys, kitProof } from './access.mjs';
import { SealingKey } from './crypto.mjs';
import { Chain, checkAnnouncement, requestedChanges } from './epochs.mjs';
import { Refusal, must } from './errors.mjs';
import { heal } from './healing.mjs';
import { openHeartbeat, parseHead } from './log.mjs';
import { firstEpoch, openEpoch } from './opening.mjs';
import { enter, fetchChain, readLog } from './reading.mjs';
import { READER, setIdOf } from './records.mjs';
import { Replica, emptySet } from './replica.mjs';
import { system } from './surroundings.mjs';
import { writeBackOperations } from './writeback.mjs';

const ASK_SEAL = 3;
const KIT_HALVES = 16;
const TRIES = 5;
const HEARTBEAT_INTERVAL = 900_000;
const COMPACT_ENTRIES = 512;
const COMPACT_BYTES = 1_048_576;
const COMPACT_INTERVAL = 3_600_000;
const NO_INVITATION = new Uint8Array(0);

export class Device {
  constructor(replica, name, surroundings = system) {
    Object.assign(this, { replica, name, surroundings, ...surroundings });
    this.compacted = -Infinity; // when this device last opened an epoch for a long log
    this.heard = new Map(); // member → { bytes, until }: by when a device has promised to be heard again
  }

  /** A new set with this device in it; the root is the kit's key number 0. */
  static async create(relayUrl, seed, name, surroundings = system) {
    const { entropy, visit } = surroundings;
    const kit = kitKeys(seed, 0);
    const setId = setIdOf(kit.verifyKey);
    const [signingSeed, person] = [entropy.draw('signing key', 32), entropy.draw('person', 16)];
    const replica = new Replica({ setId, member: 1, signingSeed, relayUrl });
    const sealingKey = SealingKey.generate(entropy);
    replica.sealing.set(1, sealingKey);
    const visitor = await visit(relayUrl);
    try {
      const { relayKey } = visitor;
      const first = firstEpoch({ kit, setId, person, signingSeed, sealingKey, relayKey }, surroundings);
      const chain = Chain.verify(setId, [first.record]);
      replica.begin({ chain, key: first.key, set: emptySet(), horizon: 0 });
      const announcement = replica.announcementOf(1, sealingKey, signingSeed);
      await visitor.ask('CREATE', first.record, first.list, first.boxes, [announcement], NO_INVITATION);
    } finally {
      visitor.close();
    }
    const device = new Device(replica, name, surroundings);
    device.writeName();
    device.writeKit(seed);
    await device.sync();
    return device;
  }

  // ----------------------------------------------------------------------------------------------------- sync, SPEC 14

  /** A session as this member; `work` gets it. */
  async withRelay(work) {
    const { setId, member, signingSeed, relayUrl, chain } = this.replica;
    const identity = { setId, member, signingSeed };
    const connection = await this.connecting(this.connect(relayUrl, identity, chain.relayKey));
    try {
      if (connection.welcome.kind === 'REMOVED') await this.readRemoval(connection);
      return await work(connection);
    } finally {
      connection.close();
    }
  }

  async connecting(attempt) {
    try {
      return await attempt;
    } catch (error) {
      if (error.reason !== 'NotMember') throw error;
      throw new Refusal('DeviceRemoved', 'the relay does not know this device as a member');
    }
  }

  /** SPEC 13.2 step 4: nothing but the record is believed. */
  async readRemoval(connection) {
    const records = await fetchChain(connection, this.replica.epoch + 1, connection.welcome.epoch);
    const chain = records.reduce((before, record) => before.next(record), this.replica.chain);
    must(!chain.members.has(this.replica.member), 'RemoteProtocolError', 'a removal that no record says');
    throw new Refusal('DeviceRemoved', 'this device is not in the set any more');
  }

  /** A complete sync. Gives the codes of what was detected and did not stop it. */
  async sync() {
    return this.withRelay(async (connection) => {
      const notices = await this.catchUp(connection);
      this.writeBack(this.now());
      notices.push(...(await this.send(connection)));
      notices.push(...(await this.fulfil(connection)));
      notices.push(...(await this.compact(connection)));
      await this.putSlot(connection);
      return [...new Set([...notices, ...this.standing()])].sort();
    });
  }

  /** The newest epoch, its log, and what lies in the slots. */
  async catchUp(connection) {
    const notices = await this.readOn(connection);
    notices.push(...(await this.readSlots(connection)));
    return notices;
  }

  async readOn(connection) {
    const notices = await this.checkWelcome(connection);
    notices.push(...(await this.enterNewest(connection, connection.welcome.head.epoch)));
    notices.push(...(await this.read(connection)));
    return notices;
  }

  /** Of a sync only what is about chain and log, and this device's key: what is served here decides all of it. */
  async follow(connection) {
    const notices = await this.readOn(connection);
    await this.announce(connection);
    notices.push(...(await this.send(connection)));
    return notices;
  }

  /** SPEC 14.1, last paragraph; once another history was met, SPEC 14.7. */
  async checkWelcome(connection) {
    const { replica } = this;
    const { head } = connection.welcome;
    if (head.epoch > replica.epoch && replica.unsure === undefined) return [];
    const code = this.judgeWelcome(head);
    const restored = code && replica.incarnation !== undefined && head.incarnation !== replica.incarnation;
    const older = head.epoch < replica.epoch;
    if (older) throw new Refusal(restored ? 'RelayRestored' : code, 'the relay shows an older epoch');
    if (restored || replica.unsure !== undefined) {
      const notices = await heal(replica, connection, restored);
      return restored ? ['RelayRestored', ...notices] : notices;
    }
    if (code) this.refuseHistory(new Refusal(code, 'the relay shows another state than this device has seen'));
    return [];
  }

  judgeWelcome({ epoch, seq, logHash }) {
    const { replica } = this;
    if (epoch !== replica.epoch) return epoch < replica.epoch ? 'RollbackDetected' : undefined;
    if (seq < replica.position) return 'RollbackDetected';
    return seq === replica.position && !sameBytes(logHash, replica.logHash) ? 'ForkDetected' : undefined;
  }

  /** SPEC 14.7 step 1: the first time it ends the sync, and nothing changes but that it is remembered. */
  refuseHistory(error) {
    if (error.code === 'ForkDetected' || error.code === 'RollbackDetected') this.replica.unsure = this.replica.epoch;
    throw error;
  }

  async enterNewest(connection, newest) {
    if (newest <= this.replica.epoch) return [];
    try {
      return await enter(this.replica, connection, newest, this.surroundings);
    } catch (error) {
      if (error.unsealed) await this.askToBeSealed(connection, error.unsealed);
      return this.refuseHistory(error);
    }
  }

  /** SPEC 14.2 step 3, with the key after the one that the newest record names: nobody can seal to an older one. */
  async askToBeSealed(connection, chain) {
    const announcement = this.replica.announce([[ASK_SEAL, chain.epoch]], this.entropy, chain);
    await connection.ask('PUT_SLOT', announcement, new Uint8Array(0));
  }

  async read(connection) {
    try {
      const { notices, folded } = await readLog(this.replica, connection);
      const found = folded.map((entry) => this.replica.judgeHead(entry.seenHead, entry.position));
      const restored = this.replica.restoredIn === this.replica.epoch; // SPEC 14.6 step 4.
      return restored ? notices : [...notices, ...found.filter(Boolean)];
    } catch (error) {
      return this.refuseHistory(error);
    }
  }

  // ------------------------------------------------------------------------------------------- slots, SPEC 10.6, 14.6

  async readSlots(connection) {
    const notices = [];
    const [, slots] = await connection.ask('SLOTS', 0);
    for (const [member, announcement, heartbeat] of slots) {
      if (announcement.length > 0) notices.push(...this.hearAnnouncement(member, announcement));
      if (heartbeat.length > 0) notices.push(...(await this.hearHeartbeat(connection, member, heartbeat)));
    }
    return notices;
  }

  hearAnnouncement(member, bytes) {
    const { chain, announcements } = this.replica;
    const held = announcements.get(member)?.bytes ?? new Uint8Array(0);
    if (sameBytes(held, bytes)) return [];
    try {
      const fields = checkAnnouncement(chain, bytes, held);
      if (fields.member !== member) return [];
      if (member === this.replica.member) return ['CloneDetected'];
      announcements.set(member, { bytes, ...fields });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error; // What is wrong in a slot is no announcement.
    }
    return [];
  }

  async hearHeartbeat(connection, member, bytes) {
    const { replica } = this;
    const held = this.heard.get(member);
    if (member === replica.member || (held && sameBytes(held.bytes, bytes))) return [];
    let fields;
    try {
      fields = openHeartbeat(replica.chain, replica.key, bytes, member);
    } catch (error) {
      if (error instanceof Refusal) return [];
      throw error;
    }
    const stays = fields.until > fields.time; // One that only passes by has promised nothing.
    this.heard.set(member, { bytes, until: stays ? this.now() + fields.until - fields.time : Infinity });
    replica.claims.push({ author: member, vector: fields.vector });
    const head = parseHead(fields.head[0]);
    if (head.incarnation !== replica.incarnation) return []; // SPEC 14.6 step 4.
    const notices = head.epoch === replica.epoch && head.seq > replica.position ? await this.read(connection) : [];
    const found = replica.judgeHead([head.epoch, head.seq, head.logHash]);
    return found ? [...notices, found] : notices;
  }

  /** What stays true until it is over: withholding and silence (SPEC 14.6 steps 1 and 5). */
  standing() {
    const silent = [...this.heard].some(([member, { until }]) =>
      this.replica.chain.members.has(member) && this.now() > until + HEARTBEAT_INTERVAL);
    return [...(this.replica.isWithheld() ? ['WithheldDetected'] : []), ...(silent ? ['StaleView'] : [])];
  }

  /** The next sealing key, and what this device has seen. */
  async putSlot(connection) {
    await connection.ask('PUT_SLOT', this.announcement(), this.replica.heartbeat(this.now(), this.entropy));
  }

  async announce(connection) {
    await connection.ask('PUT_SLOT', this.announcement(), new Uint8Array(0));
  }

  announcement() {
    const { replica } = this;
    const due = replica.announced.number <= replica.chain.numbers.get(replica.member);
    return due ? replica.announce([], this.entropy) : replica.announcements.get(replica.member).bytes;
  }

  // ------------------------------------------------------------------------------------------------ sending, SPEC 10.5

  async send(connection) {
    const notices = [];
    for (let attempt = 1; this.replica.outbox.length > 0; attempt++) {
      try {
        for (const envelope of this.replica.unsent(this.entropy)) {
          await connection.ask('APPEND', this.replica.epoch, envelope);
        }
      } catch (error) {
        if (error.reason !== 'EpochClosed' || attempt === TRIES) throw error;
        notices.push(...(await this.enterNewest(connection, error.data)));
      }
      notices.push(...(await this.read(connection)));
      if (attempt === TRIES) break;
    }
    return notices;
  }

  /** SPEC 14.3: a member that may opens an epoch as soon as there is a request to fulfil, or nobody can write. */
  async fulfil(connection) {
    const wanted = ({ chain, announcements, self }) => {
      if (self.role === READER) return undefined;
      const changes = [];
      let due = !chain.openerIsMember;
      for (const each of announcements.values()) {
        if (each.member === this.replica.member || !chain.members.has(each.member)) continue;
        changes.push(...this.possible([...changes], requestedChanges(chain, each)));
        due ||= each.requests.some(([kind]) => kind === ASK_SEAL) && each.number > chain.numbers.get(each.member);
      }
      return due || changes.length > 0 ? changes : undefined;
    };
    if (wanted(this.replica) === undefined) return [];
    await this.open(connection, wanted);
    return this.read(connection);
  }

  /** SPEC 14.3, last paragraph: by the author of the envelope that makes the log too long, at most once an hour. */
  async compact(connection) {
    const { replica } = this;
    const bytes = replica.envelopes.reduce((sum, envelope) => sum + envelope.length, 0);
    const long = replica.position > COMPACT_ENTRIES || bytes > COMPACT_BYTES;
    const newest = long ? replica.peek(replica.envelopes.at(-1)) : undefined;
    if (newest?.author !== replica.member || this.now() < this.compacted + COMPACT_INTERVAL) return [];
    this.compacted = this.now();
    await this.open(connection, () => []);
    return this.read(connection);
  }

  /** SPEC 14.8. A reader keeps aside what it may not write. */
  writeBack(now) {
    const { replica } = this;
    if (!replica.writeBack || now < replica.writeBack.due || replica.self.role === READER) return;
    const operations = writeBackOperations(replica.writeBack.kept, replica.local(), now);
    replica.writeBack = undefined;
    // One by one: together they might not fit one entry.
    for (const operation of operations) replica.edit([operation]);
  }

  /** Of what is asked for, what this device may do, behind the changes that come before. */
  possible(before, asked) {
    const after = this.replica.chain.copy();
    for (const change of before) after.judge(this.replica.member, change);
    return asked.filter((change) => {
      try {
        after.judge(this.replica.member, change);
        return true;
      } catch (error) {
        if (error instanceof Refusal) return false;
        throw error;
      }
    });
  }

  async open(connection, changes, options = {}) {
    const catchUp = async () => {
      const [more] = await connection.ask('CHAIN', this.replica.epoch);
      await this.enterNewest(connection, this.replica.epoch + more.length - 1);
      await this.read(connection);
      await this.readSlots(connection);
    };
    return openEpoch(this.replica, connection, { changes, catchUp, surroundings: this.surroundings, ...options });
  }

  // ---------------------------------------------------------------------------------------------------- what people do

  lives(contact) {
    return this.replica.local().contacts.get(toHex(contact)) ?? [];
  }

  /** Registers (path → value, null removes) of the contact with this uid. */
  write(uid, registers, time = this.now()) {
    const contact = contactId(this.replica.setId, uid);
    this.set(contact, registers, time);
  }

  set(contact, registers, time = this.now()) {
    this.replica.edit(setOperations(contact, this.lives(contact), registers, time));
  }

  delete(uid, time = this.now()) {
    const contact = contactId(this.replica.setId, uid);
    const operations = deleteOperations(contact, this.lives(contact), time);
    must(operations.length > 0, 'NotFound', 'no contact has this uid');
    this.replica.edit(operations);
  }

  /** SPEC 8.8. */
  writeName() {
    const path = `devices/${this.replica.member}`;
    this.set(fromHex(OWN_OBJECT), new Map([[path, new Map([['name', this.name]])]]));
  }

  /** SPEC 8.8: the public halves of the kit's keys, for further sets. */
  writeKit(seed) {
    const halves = Array.from({ length: KIT_HALVES }, (_, number) => {
      const keys = kitKeys(seed, number);
      const half = new Map([['verify', keys.verifyKey], ['seal', keys.sealingKey.public], ['proof', kitProof(keys)]]);
      return [`kit/${number}`, half];
    });
    this.set(fromHex(KIT_OBJECT), new Map(halves));
  }

  /** An epoch that removes a member. */
  async revoke(member) {
    await this.withRelay(async (connection) => {
      await this.catchUp(connection);
      must(this.replica.chain.members.has(member), 'NotFound', `there is no member ${member}`);
      await this.open(connection, ({ chain }) => (chain.members.has(member) ? [[2, member]] : undefined));
    });
    await this.sync();
  }

  /** An epoch, and keys of its own that nobody has seen. */
  async rotate() {
    await this.withRelay(async (connection) => {
      await this.catchUp(connection);
      await this.open(connection, () => [], { rekey: true });
    });
    await this.sync(); // The relay has ended the session of the old key.
  }
}

