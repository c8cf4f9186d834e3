// SPEC 12.9: a book that moves to another set: what the old set says of it, and what goes along.

import { compareText, sameBytes, toHex } from './bytes.mjs';
import { contactId } from './contactset.mjs';
import { mediaDigest } from './imports.mjs';
import { view } from './state.mjs';

const ORDINALS = 64;

/** A contact's id and registers in the set `to`; `media(digest)` gives bytes that are at hand. */
export function movedContact(contact, registers, { from, to, media }) {
  const moved = new Map();
  for (const [path, value] of registers) {
    if (path.startsWith('blobs/')) continue;
    const digest = value instanceof Map ? value.get('digest') : undefined;
    const content = typeof digest === 'string' ? media(digest) : undefined;
    moved.set(path, content ? new Map([...value, ['digest', toHex(mediaDigest(to, content))]]) : value);
  }
  return [movedId(contact, registers.get('uid'), from, to), moved];
}

function movedId(contact, uid, from, to) {
  for (let ordinal = 0; typeof uid === 'string' && ordinal < ORDINALS; ordinal++) {
    if (sameBytes(contactId(from, uid, ordinal), contact)) return contactId(to, uid, ordinal);
  }
  return contactId(to, toHex(contact), 0);
}

const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isPair = (value) => Array.isArray(value) && value.length === 2 && value.every(isCount);
const isHash = (value) => value instanceof Uint8Array && value.length === 32;

/** What the own object says of a move (8.8), or undefined where it has not the form. */
export function movedWord(value) {
  if (!(value instanceof Map)) return undefined;
  const word = Object.fromEntries(value);
  const hashes = [word.set, word.key, word.record].every(isHash);
  const numbers = isCount(word.member) && isCount(word.epoch);
  const pairs = Array.isArray(word.vector) && word.vector.every(isPair);
  return hashes && numbers && pairs && typeof word.relay === 'string' ? word : undefined;
}

/** Step 2: the paths of a contact's lives that did not go along, or that it died since. */
export function lateWrites(lives, { vector, epoch }) {
  const counters = new Map(vector);
  const groups = lives.flatMap((life) => life.groups);
  if (view(lives) === null) return { removed: Math.max(...lives.map(({ died }) => died)) >= epoch, paths: [] };
  const late = groups.filter(({ member, counter }) => counter > (counters.get(member) ?? 0));
  const paths = new Set(late.flatMap(({ values }) => [...values.keys()]));
  return { removed: false, paths: [...paths].sort(compareText) };
}
