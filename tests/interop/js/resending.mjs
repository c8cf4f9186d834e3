// SPEC 14.2 step 6: what waits to be sent goes out again in a new epoch, *so that no half contact comes back*.

import { fromHex, toHex } from './bytes.mjs';
import { SET } from './operations.mjs';

/**
 * For each life that an own unsent entry sets, of which the snapshot holds no dot that this device knew: what the life
 * last showed at the other paths, as one more set. `shown` is the set as this device showed it before it entered.
 */
export function repeatWhole(replica, shown) {
  const operations = [];
  const sent = setsOf(replica.outbox);
  for (const { contact, life, paths } of sent.values()) {
    const known = livesOf(shown, contact).find(({ number }) => number === life);
    const now = livesOf(replica.set, contact).find(({ number }) => number === life);
    if (!known || (now && now.groups.some((group) => holdsDot(known, group)))) continue;
    const rest = [...lastShown(known)].filter(([path]) => !paths.has(path) && !(now && holdsPath(now, path)));
    if (rest.length === 0) continue;
    const time = Math.max(...rest.map(([, { time: when }]) => when));
    operations.push([SET, fromHex(contact), life, time, new Map(rest.map(([path, { value }]) => [path, value]))]);
  }
  if (operations.length > 0) replica.edit(operations);
}

const livesOf = (set, contact) => set.contacts.get(contact) ?? [];
const sameDot = (a, b) => a.member === b.member && a.counter === b.counter;
const holdsDot = (life, dot) => life.groups.some((group) => sameDot(group, dot));
const holdsPath = (life, path) => life.groups.some((group) => group.values.has(path));

/** "contact/life" → what the entries set there. */
function setsOf(outbox) {
  const sets = new Map();
  for (const [kind, contact, life, , values] of outbox.flatMap((own) => own.fields.operations)) {
    if (kind !== SET) continue;
    const key = `${toHex(contact)}/${life}`;
    if (!sets.has(key)) sets.set(key, { contact: toHex(contact), life, paths: new Set() });
    for (const path of values.keys()) sets.get(key).paths.add(path);
  }
  return sets;
}

/** Path → the value that a life showed, and its time: the latest that is no removal. */
function lastShown(life) {
  const latest = new Map();
  for (const { time, member, counter, values } of life.groups) {
    for (const [path, value] of values) {
      const held = latest.get(path);
      const order = held ? time - held.time || member - held.member || counter - held.counter : 1;
      if (value !== null && order > 0) latest.set(path, { value, time, member, counter });
    }
  }
  return latest;
}
