// The operations `contactset::` of vectors/README.md, for the conformance testee: JSON in, JSON out.

import { fromHex, toHex } from './bytes.mjs';
import { ContactSet, contactId, decodeOps, encodeOps, stateDigest } from './contactset.mjs';
import * as states from './state.mjs';
import { fromJson, toJson } from './values.mjs';

const pairsIn = (pairs) => pairs.map(([id, packed]) => [fromHex(id), fromHex(packed)]);

export function viewOut(view) {
  if (!view) return [];
  const lost = (other) => [toJson(other.value), other.time, other.member, other.counter];
  const conflicts = [...view.conflicts].map(([path, others]) => [{ text: path }, others.map(lost)]);
  return { registers: toJson(view.registers), updated: view.updated, lives: view.lives, conflicts };
}

function setOut(set) {
  return {
    contacts: set.packed().map(([id, packed]) => [toHex(id), toHex(packed)]),
    vector: set.vectorList().map(([member, counter, id]) => [member, counter, toHex(id)]),
    digest: toHex(set.digest()),
    views: [...set.views()].map(([id, view]) => [id, viewOut(view)]),
  };
}

const entryIn = (entry) => ({
  ...entry,
  id: fromHex(entry.id),
  prev: fromHex(entry.prev),
  operations: decodeOps(fromHex(entry.ops)),
});

function fold({ start, entries, batches }) {
  const vector = start.vector.map(([member, counter, id]) => [member, counter, fromHex(id)]);
  const set = ContactSet.adopt(vector, pairsIn(start.contacts));
  const items = new Map(batches.map(([id, pairs]) => [id, pairsIn(pairs)]));
  const statuses = entries.map((entry) => set.fold(entryIn(entry), entry.epoch, ([, id]) => items.get(toHex(id))));
  return { statuses, ...setOut(set) };
}

function converge({ entries, orders }) {
  const outcomes = orders.map((order) => {
    const set = new ContactSet();
    for (const place of order) set.fold(entryIn(entries[place]), entries[place].epoch);
    return setOut(set);
  });
  const spelled = new Set(outcomes.map((outcome) => JSON.stringify(outcome)));
  if (spelled.size !== 1) throw new Error('two orders of the same entries gave two states');
  return outcomes[0];
}

export const operations = new Map(Object.entries({
  'contactset::contact_id': ({ set_id, uid, ordinal }) => {
    return { contact_id: toHex(contactId(fromHex(set_id), uid.text, ordinal)) };
  },
  'contactset::encode_ops': (inputs) => ({ ops: toHex(encodeOps(fromJson(inputs.operations))) }),
  'contactset::decode_ops': ({ ops }) => ({ operations: toJson(decodeOps(fromHex(ops))) }),
  'contactset::check_state': ({ state }) => {
    const lives = states.parseState(fromHex(state));
    const alive = lives.filter(states.isAlive).map((life) => life.number);
    return { settled: states.isSettled(lives), alive_lives: alive, write_life: states.writeLife(lives) };
  },
  'contactset::boundary': ({ state, horizon }) => {
    const left = states.boundary(states.parseState(fromHex(state)), horizon);
    return { state: left.length > 0 ? toHex(states.packState(left)) : '' };
  },
  'contactset::view': ({ state }) => ({ view: viewOut(states.view(states.parseState(fromHex(state)))) }),
  'contactset::harms': ({ changes }) => {
    const lives = (state) => (state ? states.parseState(fromHex(state)) : []);
    return { harms: changes.map((pair) => states.harms(...pair.map(lives))) };
  },
  'contactset::digest': ({ contacts }) => ({ digest: toHex(stateDigest(pairsIn(contacts))) }),
  'contactset::fold': fold,
  'contactset::converge': converge,
}));
