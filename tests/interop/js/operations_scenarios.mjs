// The operation `scenarios::follow` of vectors/README.md, for the conformance testee: a device through all stages.

import { fromHex, toHex } from './bytes.mjs';
import { SealingKey } from './crypto.mjs';
import { Device } from './device.mjs';
import { viewOut } from './operations_contactset.mjs';
import { arrive } from './reading.mjs';
import { Replica } from './replica.mjs';
import { Serving } from './serving.mjs';
import { fromJson } from './values.mjs';

const NOW = 1_800_000_000_000;
const now = () => NOW;

function follower({ set_id, member, signing_seed, sealing_secret }, surroundings) {
  const replica = new Replica({ setId: fromHex(set_id), member, signingSeed: fromHex(signing_seed) });
  replica.sealing.set(1, new SealingKey(fromHex(sealing_secret)));
  return new Device(replica, 'follower', surroundings);
}

function edit(device, [uid, time, registers]) {
  if (registers === undefined) return device.delete(uid.text, time);
  const values = Object.entries(registers).map(([path, value]) => [path, fromJson(value)]);
  return device.write(uid.text, new Map(values), time);
}

/** `FORK_DETECTED`, as vectors write names. */
const shouted = (code) => code.replace(/(?<!^)[A-Z]/g, '_$&').toUpperCase();

function stands({ epoch, position, set }, notices) {
  return {
    epoch, position,
    digest: toHex(set.digest()),
    vector: set.vectorList().map(([member, counter, id]) => [member, counter, toHex(id)]),
    views: [...set.views()].map(([id, view]) => [id, viewOut(view)]),
    notices: notices.map(shouted),
  };
}

async function join(device, serving) {
  const { notices } = await arrive(device.replica, serving);
  await device.announce(serving);
  return notices;
}

async function follow({ device: keys, relay_seed, stages }, entropy) {
  const device = follower(keys, { entropy, now });
  const relay = { setId: device.replica.setId, seed: fromHex(relay_seed) };
  const outcomes = [];
  for (const [at, stage] of stages.entries()) {
    const serving = new Serving(stage, relay, now);
    for (const each of stage.edits) edit(device, each);
    const notices = at === 0 ? await join(device, serving) : await device.follow(serving);
    outcomes.push(stands(device.replica, notices));
  }
  return { stages: outcomes };
}

export const operations = new Map([['scenarios::follow', follow]]);
