// SPEC 14.3: to open an epoch. A record that the relay refuses because others wrote first is made anew.

import { ZERO32, fromHex } from './bytes.mjs';
import { SealingKey, verifyKeyOf } from './crypto.mjs';
import { sealBoxes } from './epochs.mjs';
import { Refusal } from './errors.mjs';
import { closing, differences, fetchRun } from './reading.mjs';
import { ADD, REKEY, epochKeys, isDevice, possession, signRecord } from './records.mjs';
import { buildRun, sealManifest } from './snapshots.mjs';

const RUNS_MAX = 8;
const RUN_RATIO = 2;
const TRIES = 8;
const NO_RELAY = new Uint8Array(0);

/**
 * Opens an epoch with `changes(replica)`, which gives undefined where nothing is wanted any more. `catchUp` reads on
 * after a refusal. With `rekey` the opener replaces its verify key too; `surroundings` are the device's. Gives the new
 * chain, or undefined.
 */
export async function openEpoch(replica, connection, { changes, catchUp, surroundings, rekey = false }) {
  for (let attempt = 1; ; attempt++) {
    const wanted = changes(replica);
    if (wanted === undefined) return undefined;
    const opening = await prepare(replica, connection, wanted, rekey, surroundings);
    try {
      await connection.ask('OPEN', ...opening.message);
      adopt(replica, opening);
      return replica.chain;
    } catch (error) {
      const again = ['HeadMoved', 'EpochClosed'].includes(error.reason) && attempt < TRIES;
      if (!(error instanceof Refusal) || !again) throw error;
      await catchUp();
    }
  }
}

/** Everything of an opening, with its blobs at the relay. */
async function prepare(replica, connection, wanted, rekey, { entropy, now }) {
  const epoch = replica.epoch + 1;
  const seed = rekey ? entropy.draw('signing key', 32) : replica.signingSeed;
  const changes = rekey ? [...wanted, rekeyOf(replica, seed)] : wanted;
  const after = replica.chain.copy();
  for (const change of changes) after.judge(replica.member, change);
  const own = isDevice(replica.self) ? ownKey(replica, entropy) : undefined;
  const recipients = recipientsOf(replica, after, own);
  const secret = entropy.draw('epoch secret', 32);
  const { commit, key } = epochKeys(replica.setId, epoch, secret);
  const { list, boxes, hash } = sealBoxes(replica.setId, epoch, secret, recipients, entropy);
  const place = await putSnapshot(replica, connection, key, epoch, entropy);
  const record = signRecord(replica.signingSeed, replica.setId, {
    epoch, prev: replica.chain.recordHash, relay: NO_RELAY, closesSeq: replica.position, closesHash: replica.logHash,
    time: now(), opener: replica.member, changes, flags: 0, commit, boxes: hash, manifest: place.manifest,
    numbers: recipients.filter(([, number]) => number > 0).map(([index, number]) => [index, number]),
  });
  const announcement = own ? replica.announcementOf(own.number, own.sealingKey, seed) : new Uint8Array(0);
  const message = [record, list, boxes, announcement, place.live, place.dead];
  return { message, record, seed, key, own, place };
}

function rekeyOf(replica, seed) {
  const { person, role } = replica.self;
  return [REKEY, replica.member, verifyKeyOf(seed), possession(seed, replica.setId, person, role, NO_RELAY)];
}

/** The opener's own: its last announced number + 1, under a fresh key, stored before anything is sent (step 4). */
function ownKey(replica, entropy) {
  const number = Math.max(replica.announced.number, replica.chain.numbers.get(replica.member)) + 1;
  const within = Math.min(number, replica.chain.numbers.get(replica.member) + 2);
  const sealingKey = SealingKey.generate(entropy);
  replica.sealing.set(within, sealingKey);
  return { number: within, sealingKey };
}

/** Step 4: [[member, number, sealing key], …] ascending. */
function recipientsOf(replica, after, own) {
  return [...after.members.values()].sort((a, b) => a.index - b.index).map((member) => {
    if (!isDevice(member)) return [member.index, 0, member.sealingKey];
    if (member.index === replica.member) return [member.index, own.number, own.sealingKey.public];
    const announced = replica.announcements.get(member.index);
    if (announced) return [member.index, announced.number, announced.sealingKey];
    return [member.index, 1, member.sealingKey]; // The key of the add is that of number 1.
  });
}

function adopt(replica, { record, seed, key, own, place }) {
  const chain = replica.chain.next(record);
  replica.closed.set(replica.epoch, closing(chain.record));
  replica.signingSeed = seed;
  if (own) replica.sealing.set(own.number, own.sealingKey);
  replica.begin({ chain, key, ...place });
}

// ------------------------------------------------------------------------------------------------- snapshot, SPEC 11.3

/** Uploads S' and its manifest. The horizon stays where it is: this implementation never forgets by itself. */
async function putSnapshot(replica, connection, key, epoch, entropy) {
  const set = replica.set.copy();
  set.boundary(replica.horizon);
  const old = [...replica.snapshot, ...replica.batches];
  const { kept, dirty } = mergeRuns(old, set);
  const snapshot = old.slice(0, kept);
  const live = [];
  if (dirty.size > 0) snapshot.push(await putRun(replica, connection, dirty, live, entropy));
  const runs = snapshot.map(({ run }) => run);
  const unknown = sorted(set.unknown);
  const fields = { vector: set.vectorList(), digest: set.digest(), horizon: replica.horizon, runs, unknown };
  const { id, blob } = sealManifest(key, replica.setId, epoch, fields, entropy);
  await connection.putBlob(id, blob);
  live.push(id);
  const dead = await blobsOf(replica, connection, old.slice(kept));
  if (replica.manifest) dead.push(replica.manifest);
  return { set, snapshot, horizon: replica.horizon, manifest: id, live, dead };
}

const sorted = (unknown) => [...unknown].sort((a, b) => a[0] - b[0] || a[1] - b[1]);

/** How many of the old runs stay, and what a new one over them holds: recomputed as each is merged. */
function mergeRuns(old, set) {
  let kept = old.length;
  for (;;) {
    const base = new Map(old.slice(0, kept).flatMap(({ contents }) => [...contents]));
    const dirty = differences(base, set);
    const tooMany = kept + (dirty.size > 0 ? 1 : 0) > RUNS_MAX;
    const small = kept > 0 && dirty.size > 0 && old[kept - 1].contents.size <= RUN_RATIO * dirty.size;
    if (kept === 0 || !(tooMany || small)) return { kept, dirty };
    kept -= 1;
  }
}

async function putRun(replica, connection, dirty, live, entropy) {
  const contacts = [...dirty.keys()].sort().map((id) => [fromHex(id), dirty.get(id)]);
  const { run, blobs } = buildRun(replica.setId, contacts, entropy);
  for (const { id, blob } of blobs) {
    await connection.putBlob(id, blob);
    live.push(id);
  }
  return { run, contents: dirty, chunks: blobs.slice(0, -1).map(({ id }) => id) };
}

/** The blobs of runs that no snapshot names any more: they die (SPEC 11.5). */
async function blobsOf(replica, connection, dropped) {
  const dead = [];
  for (const { run, chunks } of dropped) {
    dead.push(run[0], ...(chunks ?? (await fetchRun(replica.setId, connection, run)).chunks));
  }
  return dead;
}

// ------------------------------------------------------------------------------------------------- record 0, SPEC 9.4

/** The message CREATE of a set whose root is a kit's key, with one device in it as an owner. */
export function firstEpoch({ kit, setId, person, signingSeed, sealingKey, relayKey }, { entropy, now }) {
  const secret = entropy.draw('epoch secret', 32);
  const { commit, key } = epochKeys(setId, 0, secret);
  const recipients = [[0, 0, kit.sealingKey.public], [1, 1, sealingKey.public]];
  const { list, boxes, hash } = sealBoxes(setId, 0, secret, recipients, entropy);
  const add = (role, seed, sealing) => {
    return [ADD, person, role, verifyKeyOf(seed), sealing, possession(seed, setId, person, role, sealing)];
  };
  const record = signRecord(kit.signingSeed, setId, {
    epoch: 0, prev: ZERO32, relay: relayKey, closesSeq: 0, closesHash: ZERO32, time: now(), opener: 0,
    changes: [add(5, kit.signingSeed, kit.sealingKey.public), add(3, signingSeed, sealingKey.public)],
    numbers: [[1, 1]], flags: 0, commit, boxes: hash, manifest: ZERO32,
  });
  return { record, list, boxes, key };
}
