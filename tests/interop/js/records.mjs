// SPEC 9.1 to 9.3: the set's id, records and the changes in them, as bytes and as values. What a record may say is chain.mjs.

import { must } from './errors.mjs';
import { decode, encode } from './encoding.mjs';
import { ZERO32, concat, sameBytes, u32, u64 } from './bytes.mjs';
import { hash, sign, verify, verifyKeyOf } from './crypto.mjs';
import { array, ascending, bytes, either, epoch, int, listed, member, shaped, time } from './schema.mjs';

export const SUITE = 1;
export const READER = 1;
export const WRITER = 2;
export const OWNER = 3;
export const RECOVERY = 4;
export const ROOT = 5;
export const ADD = 1;
export const REMOVE = 2;
export const REKEY = 3;
export const ROLE = 4;
export const FORGET = 1;
export const NEWER_VERSION = 2;
export const SEED = 4;

const RECORD_MAX = 65_536;
const CHANGES_MAX = 16;
const MEMBERS_MAX = 64;
export const role = int(READER, ROOT);
export const isDevice = (member) => member.role <= OWNER;

const CHANGES = {
  [ADD]: [int(), bytes(16), role, bytes(32), bytes(1216), bytes(64)],
  [REMOVE]: [int(), member],
  [REKEY]: [int(), member, bytes(32), bytes(64)],
  [ROLE]: [int(), member, role],
};

const BODY = [
  int(), epoch, bytes(32), either(bytes(32), bytes(0)), int(), bytes(32), time, member,
  array, array, int(0, FORGET | NEWER_VERSION | SEED), bytes(32), bytes(32), bytes(32),
];

/** SPEC 9.1. */
export function setIdOf(rootVerifyKey) {
  return hash('SET_ID', concat(Uint8Array.of(SUITE), rootVerifyKey));
}

/** The bytes of a record with these fields, signed by its opener. */
export function signRecord(seed, setId, record) {
  const body = encode([
    SUITE, record.epoch, record.prev, record.relay, record.closesSeq, record.closesHash, record.time, record.opener,
    record.changes, record.numbers, record.flags, record.commit, record.boxes, record.manifest,
  ]);
  return encode([body, sign(seed, 'SIGN_RECORD', setId, body)]);
}

export const recordHash = (record) => hash('RECORD', record);

/**
 * A record's fields, with its `hash`, signed `body` and `signature`. Its form is checked and nothing else: limits first
 * (SPEC 9.4 step 7), then the suite (step 1), since another suite may have another form.
 */
export function parseRecord(record) {
  const [body, signature] = shaped(decode(record, { limit: RECORD_MAX }), [bytes(), bytes(64)], 'a record');
  const fields = decode(body, { limit: RECORD_MAX });
  must(Array.isArray(fields) && int()(fields[0]), 'NonCanonical', 'a record without a suite');
  must(fields[0] === SUITE, 'ChainInvalid', `a record of suite ${fields[0]}`);
  const [, epoch, prev, relay, closesSeq, closesHash, time, opener, changes, numbers, flags, commit, boxes, manifest] =
    shaped(fields, BODY, 'a record');
  must(changes.length <= CHANGES_MAX, 'LimitExceeded', 'a record with more than 16 changes');
  changes.forEach(checkChange);
  listed(numbers, [member, int(1)], "a record's numbers", { most: MEMBERS_MAX });
  ascending(numbers, (a, b) => a[0] - b[0], "a record's numbers");
  return {
    epoch, prev, relay, closesSeq, closesHash, time, opener, changes, numbers, flags, commit, boxes, manifest,
    hash: recordHash(record), body, signature,
  };
}

/** A record that only brings back what a relay has lost, and so may have to give way (9.6). */
export const isSeed = ({ flags }) => (flags & SEED) !== 0;

function checkChange(change) {
  const kind = Array.isArray(change) ? change[0] : undefined;
  must(int(ADD, ROLE)(kind), 'NonCanonical', 'a change of no known kind');
  shaped(change, CHANGES[kind], 'a change');
}

// --------------------------------------------------------------------------------------------- possession, SPEC 9.3

const possessionOf = (person, role, verifyKey, sealingKey) => encode([person, role, verifyKey, sealingKey]);

/** The proof that somebody holds the key that is added; `sealingKey` is empty for a rekey. */
export function possession(seed, setId, person, role, sealingKey) {
  return sign(seed, 'SIGN_POSSESSION', setId, possessionOf(person, role, verifyKeyOf(seed), sealingKey));
}

export function verifyPossession(setId, person, role, verifyKey, sealingKey, signature) {
  verify(verifyKey, 'SIGN_POSSESSION', setId, possessionOf(person, role, verifyKey, sealingKey), signature);
}

/** SPEC 12.4: the proof of a kit's key, which names no set and no person. */
export function kitProof(seed, sealingKey) {
  return possession(seed, ZERO32, new Uint8Array(16), RECOVERY, sealingKey);
}

export function verifyKitProof(verifyKey, sealingKey, proof) {
  verifyPossession(ZERO32, new Uint8Array(16), RECOVERY, verifyKey, sealingKey, proof);
}

// ------------------------------------------------------------------------------------------ secret and boxes, SPEC 9.5

/** What an epoch's secret E gives: its commitment, and K. */
export function epochKeys(setId, epoch, secret) {
  const place = concat(setId, u64(epoch));
  return { commit: hash('EPOCH_COMMIT', place, { key: secret }), key: hash('EPOCH_KEY', place, { key: secret }) };
}

/** Where a box belongs: it opens nowhere else. */
export function boxContext(setId, epoch, member, number) {
  return concat(setId, u64(epoch), u32(member), u64(number));
}

/** The lines [[member, number, hash of the box], …] of a list. */
export function parseBoxList(list) {
  const lines = listed(decode(list), [member, int(), bytes(32)], 'a list of boxes', { most: MEMBERS_MAX });
  ascending(lines, (a, b) => a[0] - b[0], 'a list of boxes');
  return lines;
}

export const boxHash = (box) => hash('BOX', box);
export const boxListHash = (list) => hash('BOX_LIST', list);
export const isZero = (value) => sameBytes(value, ZERO32);
