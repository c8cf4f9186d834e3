// SPEC 8.3, 8.5, 8.6: one contact's state, as an array of lives in ascending order:
//   life  = { number, groups, died, covered }       died is undefined and covered empty unless something is covered
//   group = { member, counter, time, values, epoch } the epoch counts only while a value is null
// Functions here never change a state that they are given: copyLives comes first.

import { must } from './errors.mjs';
import { decode, encode } from './encoding.mjs';
import { compareText, sameBytes } from './bytes.mjs';
import { LIFE_MAX, checkValues } from './operations.mjs';
import { INT_MAX, array, ascending, compareDots, counter, epoch, int, map, member, recoded, shaped, time } from './schema.mjs';

export const STATE_MAX = 524_288;
const BAD = 'BadState';

export const dotOf = (group) => [group.member, group.counter];
const sameDot = ([m1, c1], [m2, c2]) => m1 === m2 && c1 === c2;
const holdsNull = (group) => [...group.values.values()].includes(null);
export const isCovered = (life, group) => life.covered.some((dot) => sameDot(dot, dotOf(group)));
export const isAlive = (life) => life.groups.some((group) => !isCovered(life, group));

export function copyLives(lives) {
  return lives.map((life) => ({
    ...life,
    groups: life.groups.map((group) => ({ ...group, values: new Map(group.values) })),
    covered: [...life.covered],
  }));
}

// -------------------------------------------------------------------------------------------------- packed, SPEC 8.3

export function packState(lives) {
  return encode(lives.map((life) => {
    const groups = life.groups.map(packGroup);
    return life.covered.length ? [life.number, groups, life.died, life.covered] : [life.number, groups];
  }));
}

function packGroup(group) {
  const fields = [group.member, group.counter, group.time, group.values];
  return holdsNull(group) ? [...fields, group.epoch] : fields;
}

/** Whether the packed state fits 512 KiB even if every dot in it were covered, and as late as can be. */
export function fits(lives) {
  const dead = lives.map((life) => ({ ...life, died: INT_MAX, covered: life.groups.map(dotOf) }));
  return packState(dead).length <= STATE_MAX;
}

/** The lives of a packed state, or BadState. */
export function parseState(packed) {
  const decoded = recoded(BAD, () => decode(packed, { limit: STATE_MAX, values: true }));
  must(Array.isArray(decoded) && decoded.length > 0, BAD, 'a state without lives');
  const lives = decoded.map(parseLife);
  ascending(lives, (a, b) => a.number - b.number, 'lives', BAD);
  must(fits(lives), BAD, 'a state that could not be deleted within 512 KiB');
  return lives;
}

function parseLife(value) {
  const schema = [int(1, LIFE_MAX), array];
  if (value?.length === 4) schema.push(epoch, array);
  const [number, packedGroups, died, covered = []] = shaped(value, schema, 'a life', BAD);
  const groups = packedGroups.map(parseGroup);
  must(groups.length > 0, BAD, 'a life without groups');
  ascending(groups.map(dotOf), compareDots, 'groups', BAD);
  for (const dot of covered) shaped(dot, [member, counter], 'a covered dot', BAD);
  ascending(covered, compareDots, 'covered dots', BAD);
  must(value.length === 2 || covered.length > 0, BAD, 'a deleted life that covers nothing');
  const known = covered.every((dot) => groups.some((group) => sameDot(dot, dotOf(group))));
  must(known, BAD, 'a covered dot whose group is gone');
  return { number, groups, died, covered };
}

function parseGroup(value) {
  const schema = [member, counter, time, map];
  if (value?.length === 5) schema.push(epoch);
  const [author, count, when, values, folded] = shaped(value, schema, 'a group', BAD);
  checkValues(values, BAD);
  const group = { member: author, counter: count, time: when, values, epoch: folded };
  must(holdsNull(group) === (value.length === 5), BAD, 'an epoch without a null, or a null without an epoch');
  return group;
}

// ------------------------------------------------------------------------------------------------ boundary, SPEC 8.5

/** The lives that a boundary leaves, in steps 1 to 3; an empty array where the contact goes. */
export function boundary(lives, horizon) {
  const left = copyLives(lives).filter((life) => isAlive(life) || life.died >= horizon); // step 1
  for (const life of left) {
    if (isAlive(life)) Object.assign(life, { died: undefined, covered: [] }); // step 2
    dropRemoved(life, horizon); // step 3
  }
  return left.filter((life) => life.groups.length > 0);
}

function dropRemoved(life, horizon) {
  const paths = new Set(life.groups.flatMap((group) => [...group.values.keys()]));
  for (const path of paths) {
    const holders = life.groups.filter((group) => group.values.has(path));
    const gone = holders.every((group) => group.values.get(path) === null && group.epoch < horizon);
    if (gone) for (const group of holders) group.values.delete(path);
  }
  tidy(life);
}

/** Groups without paths go; a covered dot whose group is gone is forgotten. */
export function tidy(life) {
  life.groups = life.groups.filter((group) => group.values.size > 0);
  life.covered = life.covered.filter((dot) => life.groups.some((group) => sameDot(dot, dotOf(group))));
  if (life.covered.length === 0) life.died = undefined;
}

/** Whether no boundary, at whatever horizon, has anything to do with a state. */
export function isSettled(lives) {
  return lives.every((life) => life.covered.length === 0 && !life.groups.some(holdsNull));
}

// ---------------------------------------------------------------------------------------------------- view, SPEC 8.6

/**
 * What people see of a contact, or null where no life is alive: `registers` path → value; `conflicts` path → what lost,
 * the next best first; `updated`, the time of the last write; `lives`, the numbers of those alive.
 */
export function view(lives) {
  const living = lives.filter(isAlive);
  if (living.length === 0) return null;
  const candidates = new Map();
  for (const life of living) {
    for (const group of life.groups) {
      for (const [path, value] of group.values) {
        if (!candidates.has(path)) candidates.set(path, []);
        candidates.get(path).push({ value, life: life.number, time: group.time, member: group.member, counter: group.counter });
      }
    }
  }
  const registers = new Map();
  const conflicts = new Map();
  for (const path of [...candidates.keys()].sort(compareText)) {
    const [winner, ...others] = distinct(candidates.get(path).sort(better));
    if (winner.value !== null) registers.set(path, winner.value);
    if (others.length > 0 && !path.startsWith('blobs/')) conflicts.set(path, others);
  }
  const updated = Math.max(...living.flatMap((life) => life.groups.map((group) => group.time)));
  return { registers, conflicts, updated, lives: living.map((life) => life.number) };
}

/** Whether a change takes away what a person saw (SPEC 14.9): the contact, or a value that is not an import's own. */
export function harms(before, after) {
  const [old, now] = [before, after].map(view);
  if (!old || !now) return Boolean(old);
  const isSeen = (path) => path !== 'origin' && !path.startsWith('blobs/');
  const isKept = ([path, value]) => now.registers.has(path) && sameBytes(encode(value), encode(now.registers.get(path)));
  return [...old.registers].some((register) => isSeen(register[0]) && !isKept(register));
}

/** The winner first. */
function better(a, b) {
  const rank = (c) => [c.value === null ? 0 : 1, c.life, c.time, c.member, c.counter];
  const [ranksA, ranksB] = [rank(a), rank(b)];
  const at = ranksA.findIndex((n, i) => n !== ranksB[i]);
  return at < 0 ? 0 : ranksB[at] - ranksA[at];
}

/** Each value once, where it stands first. Values are equal when they are equal encoded: 1 is not 1.0. */
function distinct(sorted) {
  const seen = [];
  return sorted.filter(({ value }) => {
    const spelled = encode(value);
    if (seen.some((other) => sameBytes(other, spelled))) return false;
    seen.push(spelled);
    return true;
  });
}

/** The life in which a writer sets (SPEC 8.6): the highest that is alive, else the next one. */
export function writeLife(lives) {
  const living = lives.filter(isAlive);
  if (living.length > 0) return living.at(-1).number;
  return lives.length === 0 ? 1 : Math.min(lives.at(-1).number + 1, LIFE_MAX);
}
