// SPEC 14.1, 14.2, 14.7: what a device does with what a relay serves, over a Connection. Everything is fetched and
// verified before the replica moves.

import { sameBytes, toHex } from './bytes.mjs';
import { equal } from './crypto.mjs';
import { ContactSet } from './contactset.mjs';
import { Chain, openOwnBox, parseBoxList } from './epochs.mjs';
import { Refusal, must } from './errors.mjs';
import { expandHead } from './log.mjs';
import { BATCH } from './operations.mjs';
import { repeatWhole } from './resending.mjs';
import { openManifest, overlay, readIndex, readRun } from './snapshots.mjs';
import { toWriteBack } from './writeback.mjs';

const protocol = (condition, message) => must(condition, 'RemoteProtocolError', message);

// ---------------------------------------------------------------------------------------------------------- the log

/** Envelopes of an epoch from a position on, up to the head, or up to `end` of an epoch that was closed there. */
export async function fetchLog(connection, epoch, from, end) {
  const envelopes = [];
  for (;;) {
    if (end !== undefined && from + envelopes.length > end) return { envelopes: envelopes.slice(0, end - from + 1) };
    const at = from + envelopes.length;
    const [answered, first, more, short] = await connection.ask('READ', epoch, at);
    protocol(answered === epoch && first === at, 'an answer about another place in the log');
    envelopes.push(...more);
    if (end === undefined && short.length > 0) return { envelopes, short };
    protocol(more.length > 0, 'a log that ends before its head');
  }
}

/** The signed head at the end of these hashes; ForkDetected unless it is one of this very log. */
function headAtEnd(replica, connection, short, hashes) {
  const seq = hashes.length - 1;
  protocol(short[0] === seq, `the relay's head is at ${short[0]}, and its log ends at ${seq}`);
  const { incarnation } = connection.welcome.head;
  const known = { epoch: replica.epoch, logHash: hashes[seq], recordHash: replica.chain.recordHash, incarnation };
  try {
    return expandHead(replica.setId, replica.chain.relayKey, short, known);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal('ForkDetected', "the relay's head is not of the log that it sent");
  }
}

/** Reads the open epoch's log up to the head and folds it. */
export async function readLog(replica, connection) {
  const { envelopes, short } = await fetchLog(connection, replica.epoch, replica.position + 1);
  const hashes = [...replica.hashes, ...replica.hashesBehind(envelopes)];
  const signed = headAtEnd(replica, connection, short, hashes);
  checkWelcome(replica, connection.welcome.head, hashes);
  const items = await fetchBatches(replica, connection, envelopes);
  const outcome = replica.fold(envelopes, items);
  replica.signedHead = signed;
  replica.incarnation = connection.welcome.head.incarnation;
  return outcome;
}

/** The head of WELCOME lies on the log that was read behind it. */
function checkWelcome(replica, head, hashes) {
  if (head.epoch !== replica.epoch) return;
  const fits = head.seq < hashes.length && equal(hashes[head.seq], head.logHash);
  must(fits, 'ForkDetected', 'the head of the handshake is not of the log that was served');
}

/** The contents of the batches in these envelopes: index id in hex → { list, chunks }. */
export async function fetchBatches(replica, connection, envelopes) {
  const items = new Map();
  for (const envelope of envelopes) {
    const entry = replica.peek(envelope);
    for (const [kind, id, key, count] of entry?.operations ?? []) {
      if (kind !== BATCH) continue;
      items.set(toHex(id), await fetchBatch(replica.setId, connection, [id, key, count], entry.blobs));
    }
  }
  return items;
}

const MALFORMED = ['NonCanonical', 'BadState', 'LimitExceeded'];

/** A malformed batch has no items, so its entry has no effect, for everybody alike. */
async function fetchBatch(setId, connection, run, named) {
  try {
    const fetched = await fetchRun(setId, connection, run);
    const inHeader = new Set(named.map(toHex));
    const whole = fetched.chunks.every((id) => inHeader.has(toHex(id)));
    return whole ? fetched : { list: [], chunks: [] };
  } catch (error) {
    if (error instanceof Refusal && MALFORMED.includes(error.code)) return { list: [], chunks: [] };
    throw error;
  }
}

// ------------------------------------------------------------------------------------------------------ the snapshot

/** A run's contacts, every blob compared with its id. */
export async function fetchRun(setId, connection, run) {
  const blobs = new Map([[toHex(run[0]), await connection.getBlob(run[0])]]);
  const blobOf = (id) => blobs.get(toHex(id));
  const chunks = readIndex(setId, run, blobOf).map(([id]) => id);
  for (const id of chunks) blobs.set(toHex(id), await connection.getBlob(id));
  return { list: readRun(setId, run, blobOf), chunks };
}

const asContents = (list) => new Map(list.map(([id, packed]) => [toHex(id), packed]));

/** The state that an epoch begins from by its runs, whose digest is the manifest's (SPEC 14.2 step 5). */
async function adoptRuns(setId, connection, manifest) {
  const snapshot = [];
  const lists = [];
  for (const run of manifest.runs) {
    const { list, chunks } = await fetchRun(setId, connection, run);
    lists.push(list);
    snapshot.push({ run, contents: asContents(list), chunks });
  }
  const set = ContactSet.adopt(manifest.vector, overlay(lists), manifest.unknown);
  must(equal(set.digest(), manifest.digest), 'SnapshotInvalid', 'runs that do not give the digest of the manifest');
  return { set, snapshot };
}

/** Of an own fold that is the snapshot: which contact lies in which run, without a download (SPEC 11.3). */
function snapshotOfFold(replica, set, manifest) {
  const known = new Map([...replica.snapshot, ...replica.batches].map((each) => [toHex(each.run[0]), each]));
  const kept = manifest.runs.map((run) => known.get(toHex(run[0])));
  const base = new Map(kept.filter(Boolean).flatMap(({ contents }) => [...contents]));
  return manifest.runs.map((run, at) => kept[at] ?? { run, contents: differences(base, set) });
}

/** What a new run over `base` holds for a set: every contact whose state differs; an empty state for who is absent. */
export function differences(base, set) {
  const wanted = new Map(set.packed().map(([id, packed]) => [toHex(id), packed]));
  const dirty = new Map();
  for (const [id, packed] of wanted) if (!base.has(id) || !sameBytes(base.get(id), packed)) dirty.set(id, packed);
  for (const [id, packed] of base) if (packed.length > 0 && !wanted.has(id)) dirty.set(id, new Uint8Array(0));
  return dirty;
}

// --------------------------------------------------------------------------------------------------- enter, SPEC 14.2

/** The records after the one that the replica is in (or from record 0 on). */
export async function fetchChain(connection, from, newest) {
  const records = [];
  while (from + records.length <= newest) {
    const [more] = await connection.ask('CHAIN', from + records.length);
    protocol(more.length > 0, 'a chain that ends before the newest epoch');
    records.push(...more);
  }
  return records;
}

/** From the epoch that the replica is in to the newest. Gives notices. */
export async function enter(replica, connection, newest, { entropy, now }) {
  const records = await fetchChain(connection, replica.epoch + 1, newest);
  const chains = [replica.chain];
  for (const record of records) chains.push(following(chains.at(-1), record)); // step 1
  const chain = chains.at(-1);
  must(chain.members.has(replica.member), 'DeviceRemoved', 'this device is not in the set any more');
  const next = chains[1].record;
  const key = await openBox(replica, connection, chain); // step 3
  const blob = await connection.getBlob(chain.record.manifest);
  const before = replica.epoch + 1 === chain.epoch ? replica.horizon : 0;
  const manifest = openManifest(key, replica.setId, chain.epoch, before, chain.record.manifest, blob); // step 4
  if (!replica.unsure) checkOwnView(replica, next, chains[1], manifest); // step 2
  const own = chain === chains[1] && !replica.unsure ? await ownFold(replica, connection, next, manifest) : undefined;
  const notices = own?.notices ?? [];
  const fits = own && equal(own.set.digest(), manifest.digest);
  const place = fits
    ? { set: own.set, snapshot: snapshotOfFold(replica, own.set, manifest) }
    : await adoptRuns(replica.setId, connection, manifest); // step 5
  if (own && !fits) {
    notices.push('SnapshotMismatch');
    replica.writeBack = toWriteBack(own.set, place.set, now(), entropy);
  }
  const shown = replica.local();
  for (const { record } of chains.slice(1)) replica.closed.set(record.epoch - 1, closing(record));
  replica.begin({ chain, key, horizon: manifest.horizon, manifest: chain.record.manifest, ...place });
  replica.outbox = replica.outbox.filter((entry) => entry.counter > replica.set.counterOf(replica.member));
  repeatWhole(replica, shown); // step 6
  return notices;
}

/** Where a record closes the epoch before it. */
export const closing = (record) => ({ seq: record.closesSeq, logHash: record.closesHash });

/** A record that follows another one than this device knows is of another history. */
function following(chain, record) {
  try {
    return chain.next(record);
  } catch (error) {
    if (error instanceof Refusal && /follows another one/.test(error.message)) {
      throw new Refusal('ForkDetected', 'the chain goes on behind a record that this device has never seen');
    }
    throw error;
  }
}

/** K of the epoch that the chain ends with, from this member's own box. */
export async function openBox(replica, connection, chain) {
  const [list, box] = await connection.ask('BOX', chain.epoch);
  const number = chain.numbers.get(replica.member) ?? 0;
  const sealingKey = replica.sealing.get(number);
  if (!sealingKey) {
    throw notSealed(chain, `sealed to key ${number}, which this device lacks`);
  }
  const last = replica.chain?.numbers.get(replica.member) ?? 0;
  try {
    parseBoxList(list);
    return openOwnBox(replica.setId, chain.record, replica.member, list, box, sealingKey, last).key;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw notSealed(chain, error.message);
  }
}

/** Step 3: without the secret of an epoch that others are in a device can only ask to be sealed again. */
const notSealed = (chain, message) => Object.assign(new Refusal('SnapshotInvalid', message), { unsealed: chain });

/** Step 2: what this device has seen is what was closed, but for what the record may leave out. */
function checkOwnView(replica, { closesSeq, closesHash, relay }, after, manifest) {
  const at = Math.min(closesSeq, replica.position);
  const same = closesSeq > replica.position || sameBytes(replica.hashes[at], closesHash);
  const covered = new Map(manifest.vector.map(([member, counter]) => [member, counter]));
  const mayGo = (entry) =>
    !entry || relay.length > 0 || !after.members.has(entry.author) || entry.counter <= (covered.get(entry.author) ?? 0);
  const rest = replica.envelopes.slice(closesSeq).every((envelope) => mayGo(replica.peek(envelope)));
  must(same && rest, 'ForkDetected', 'the epoch was closed at another log than the one that this device has seen');
}

/** Step 5: BOUNDARY of this device's own fold of the closed log, where the rest of it is served. */
async function ownFold(replica, connection, { closesSeq, closesHash }, manifest) {
  const notices = [];
  if (replica.position < closesSeq) {
    let rest;
    let items;
    try {
      rest = (await fetchLog(connection, replica.epoch, replica.position + 1, closesSeq)).envelopes;
      const hash = replica.hashesBehind(rest).at(-1);
      must(sameBytes(hash, closesHash), 'ForkDetected', 'the epoch was closed at another log than is served');
      items = await fetchBatches(replica, connection, rest);
    } catch (error) {
      if (error.code === 'Refused' || error.code === 'WithheldDetected') return undefined; // The snapshot has it all.
      throw error;
    }
    notices.push(...replica.fold(rest, items).notices);
  } else if (replica.position > closesSeq) {
    const seen = replica.envelopes.slice(0, closesSeq);
    const items = await fetchBatches(replica, connection, seen);
    replica.rewind();
    replica.fold(seen, items);
  }
  const set = replica.set.copy();
  set.boundary(manifest.horizon);
  return { set, notices };
}

// ---------------------------------------------------------------------------------------------------------- arriving

/** The first entry into a set: the chain from record 0 on, the newest epoch's secret, its snapshot, its log. */
export async function arrive(replica, connection, check = () => {}) {
  const { head } = connection.welcome;
  const records = await fetchChain(connection, 0, head.epoch);
  const chain = Chain.verify(replica.setId, records);
  const named = sameBytes(chain.relayKey, connection.relayKey);
  must(named, 'HandshakeFailed', 'another relay than the one that the chain names');
  check(chain, records);
  const key = await openBox(replica, connection, chain);
  let place = { set: new ContactSet(), horizon: 0, manifest: null, snapshot: [] };
  if (chain.epoch > 0) {
    const id = chain.record.manifest;
    const manifest = openManifest(key, replica.setId, chain.epoch, 0, id, await connection.getBlob(id));
    place = { ...(await adoptRuns(replica.setId, connection, manifest)), horizon: manifest.horizon, manifest: id };
  }
  replica.begin({ chain, key, ...place });
  return readLog(replica, connection);
}
