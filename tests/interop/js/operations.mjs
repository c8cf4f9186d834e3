// SPEC 8.2: operations. An operation is the array that it is encoded as: [kind, …].

import { must } from './errors.mjs';
import { encode, decode, Float } from './encoding.mjs';
import { bytes, int, map, recoded, shaped, time } from './schema.mjs';

export const SET = 1;
export const DELETE = 2;
export const BATCH = 3;
export const LIFE_MAX = 2_147_483_647;
const ENTRY_BODY_MAX = 245_760;
const PATH_MAX = 1024;
const VALUE_NESTING = 33;

const SCHEMAS = {
  [SET]: [int(), bytes(16), int(1, LIFE_MAX), time, map],
  [DELETE]: [int(), bytes(16), int(1, LIFE_MAX), time],
  [BATCH]: [int(), bytes(32), bytes(32), int(1)],
};

/** The bytes of an entry's operations; a writer's own duties are checked too (SPEC 8.4, last paragraph). */
export function encodeOps(operations) {
  const ops = encode(operations);
  must(ops.length <= ENTRY_BODY_MAX, 'LimitExceeded', 'operations of more than 240 KiB: to be split');
  operations.forEach(checkOperation);
  const deleted = new Set();
  for (const [kind, contact, life] of operations) {
    const key = `${contact}/${life}`;
    must(kind !== SET || !deleted.has(key), 'EntryInvalid', 'a set of a life that the same entry deletes before');
    if (kind === DELETE) deleted.add(key);
  }
  return ops;
}

/** An entry's operations; whatever is wrong with them makes the entry EntryInvalid (SPEC 10.4). */
export function decodeOps(ops) {
  const operations = recoded('EntryInvalid', () => decode(ops, { limit: ENTRY_BODY_MAX, values: true }));
  must(Array.isArray(operations), 'EntryInvalid', 'operations are no array');
  operations.forEach(checkOperation);
  return operations;
}

function checkOperation(operation) {
  const kind = Array.isArray(operation) ? operation[0] : undefined;
  must(int(1)(kind), 'EntryInvalid', 'an operation without a kind');
  if (!(kind in SCHEMAS)) return; // A later version's: skipped, and kept verbatim.
  shaped(operation, SCHEMAS[kind], 'an operation', 'EntryInvalid');
  if (kind === SET) checkValues(operation[4], 'EntryInvalid');
}

/** Paths and values of a group or a set: at least one. */
export function checkValues(values, code) {
  must(values.size > 0, code, 'a write without paths');
  for (const [path, value] of values) {
    const characters = [...path].length; // Code points: a path's `length` counts UTF-16 units.
    must(characters >= 1 && characters <= PATH_MAX && path[0] !== '/', code, 'a path of no or too many characters');
    must(nesting(value) <= VALUE_NESTING, code, 'a value that nests too deep');
  }
}

/** How many arrays and maps lie in one another. Recursion is safe: decode() has bounded the depth. */
function nesting(value) {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array || value instanceof Float) return 0;
  const items = value instanceof Map ? value.values() : value;
  let deepest = 0;
  for (const item of items) deepest = Math.max(deepest, nesting(item));
  return 1 + deepest;
}
