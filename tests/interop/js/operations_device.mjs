// The requests of SPEC appendix B that are about devices. A device has the name that the runner gives it.

import { compareText, fromHex, toHex } from './bytes.mjs';
import { Device } from './device.mjs';
import { Joining, Sponsoring, recover } from './meeting.mjs';
import { fromJson, toJson } from './values.mjs';

const devices = new Map();
const sponsorings = new Map();
const joinings = new Map();

async function create({ device, relay, seed, name }) {
  const made = await Device.create(relay, fromHex(seed), name);
  devices.set(device, made);
  return { set_id: toHex(made.replica.setId), member: made.replica.member };
}

async function pair({ device }) {
  const sponsoring = await Sponsoring.begin(devices.get(device));
  sponsorings.set(device, sponsoring);
  return { code: sponsoring.code };
}

async function confirm({ device, words }) {
  return { member: await sponsorings.get(device).confirm(words.join(' ')) };
}

async function join({ device, code, name }) {
  const joining = await Joining.begin(code, name);
  joinings.set(device, joining);
  return { words: joining.words };
}

async function finish({ device }) {
  const made = await joinings.get(device).finish();
  devices.set(device, made);
  return { member: made.replica.member };
}

async function recoverDevice({ device, relay, seed, name, remove }) {
  const made = await recover(relay, fromHex(seed), name, remove);
  devices.set(device, made);
  return { member: made.replica.member };
}

function write({ device, uid, registers }) {
  devices.get(device).write(uid, new Map(Object.entries(registers).map(([path, value]) => [path, fromJson(value)])));
}

const isShown = ([path]) => path !== 'origin' && !path.startsWith('blobs/');

function contacts({ device }) {
  const output = { contacts: {}, conflicts: {} };
  for (const [id, view] of devices.get(device).replica.local().shown()) {
    const uid = view.registers.get('uid') ?? id;
    const shown = [...view.registers].filter(isShown).map(([path, value]) => [path, toJson(value)]);
    output.contacts[uid] = Object.fromEntries(shown);
    if (view.conflicts.size > 0) output.conflicts[uid] = [...view.conflicts.keys()].sort(compareText);
  }
  return output;
}

function state({ device }) {
  const { setId, member, epoch, position, chain, set } = devices.get(device).replica;
  return {
    set_id: toHex(setId), member, epoch, position,
    record_hash: toHex(chain.recordHash),
    digest: toHex(set.digest()),
    members: [...chain.members.keys()].sort((a, b) => a - b),
  };
}

/** Request → function that gives the members of its answer's output. */
export const commands = new Map(Object.entries({
  create, pair, confirm, join, finish, write, contacts, state,
  recover: recoverDevice,
  delete: ({ device, uid }) => devices.get(device).delete(uid),
  sync: async ({ device }) => ({ notices: await devices.get(device).sync() }),
  revoke: ({ device, member }) => devices.get(device).revoke(member),
  rotate: ({ device }) => devices.get(device).rotate(),
}));
