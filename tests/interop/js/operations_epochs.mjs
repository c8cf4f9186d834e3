// The operations `epochs::` of vectors/README.md, for the conformance testee: JSON in, JSON out.

import { fromHex, toHex } from './bytes.mjs';
import { SealingKey } from './crypto.mjs';
import * as deletions from './deletions.mjs';
import * as epochs from './epochs.mjs';

/** Hex for every byte string in a value, and back where a string stands for one. */
export const hexed = (value) =>
  value instanceof Uint8Array ? toHex(value) : Array.isArray(value) ? value.map(hexed) : value;
export const unhexed = (value) =>
  typeof value === 'string' ? fromHex(value) : Array.isArray(value) ? value.map(unhexed) : value;

const recordOut = (record) => ({
  epoch: record.epoch, prev: toHex(record.prev), relay: toHex(record.relay), closes_seq: record.closesSeq,
  closes_hash: toHex(record.closesHash), time: record.time, opener: record.opener, changes: hexed(record.changes),
  numbers: record.numbers, flags: record.flags, commit: toHex(record.commit), boxes: toHex(record.boxes),
  manifest: toHex(record.manifest), hash: toHex(record.hash),
});

function signRecord(inputs) {
  const { closes_seq: closesSeq, closes_hash, signing_seed, set_id, ...fields } = inputs;
  const values = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, unhexed(value)]));
  const record = epochs.signRecord(fromHex(signing_seed), fromHex(set_id), { ...values, closesSeq, closesHash: fromHex(closes_hash) });
  return { record: toHex(record), hash: toHex(epochs.recordHash(record)) };
}

function verify({ set_id, records }) {
  const chain = epochs.Chain.verify(fromHex(set_id), unhexed(records));
  const members = [...chain.members.values()].sort((a, b) => a.index - b.index);
  return {
    epoch: chain.epoch,
    record_hash: toHex(chain.recordHash),
    relay_key: toHex(chain.relayKey),
    members: members.map(({ index, person, role, verifyKey }) => [index, toHex(person), role, toHex(verifyKey)]),
    numbers: [...chain.numbers],
    next_index: chain.nextIndex,
  };
}

function checkAnnouncement({ set_id, records, announcement, held }) {
  const chain = epochs.Chain.verify(fromHex(set_id), unhexed(records));
  const fields = epochs.checkAnnouncement(chain, fromHex(announcement), fromHex(held));
  const { member, number, revision, sealingKey, version, requests } = fields;
  const changes = hexed(epochs.requestedChanges(chain, fields));
  return { member, number, revision, sealing_key: toHex(sealingKey), version, requests: hexed(requests), changes };
}

export const operations = new Map(Object.entries({
  'epochs::set_id': ({ root_verify_key }) => ({ set_id: toHex(epochs.setIdOf(fromHex(root_verify_key))) }),
  'epochs::possession': ({ signing_seed, set_id, person, role, sealing_key }) => {
    const [seed, setId] = [fromHex(signing_seed), fromHex(set_id)];
    return { possession: toHex(epochs.possession(seed, setId, fromHex(person), role, fromHex(sealing_key))) };
  },
  'epochs::sign_record': signRecord,
  'epochs::parse_record': ({ record }) => recordOut(epochs.parseRecord(fromHex(record))),
  'epochs::verify': verify,
  'epochs::preferred': ({ set_id, records, left, right }) => {
    const winner = epochs.preferred(fromHex(set_id), unhexed(records), unhexed(left), unhexed(right));
    return { record_hash: toHex(winner) };
  },
  'epochs::epoch_secret': ({ set_id, epoch, secret }) => {
    const { commit, key } = epochs.epochKeys(fromHex(set_id), epoch, fromHex(secret));
    return { commit: toHex(commit), key: toHex(key) };
  },
  'epochs::seal_boxes': ({ set_id, epoch, secret, recipients }, entropy) => {
    const sealed = epochs.sealBoxes(fromHex(set_id), epoch, fromHex(secret), unhexed(recipients), entropy);
    return { list: toHex(sealed.list), boxes: hexed(sealed.boxes), hash: toHex(sealed.hash) };
  },
  'epochs::open_own_box': ({ set_id, record, member, list, box, sealing_secret, last_number }) => {
    const parsed = epochs.parseRecord(fromHex(record));
    const key = new SealingKey(fromHex(sealing_secret));
    const opened = epochs.openOwnBox(fromHex(set_id), parsed, member, fromHex(list), fromHex(box), key, last_number);
    return { secret: toHex(opened.secret), key: toHex(opened.key) };
  },
  'epochs::check_boxes': ({ set_id, records, list, boxes }) => {
    epochs.checkBoxes(epochs.Chain.verify(fromHex(set_id), unhexed(records)), fromHex(list), unhexed(boxes));
    return {};
  },
  'epochs::sign_announcement': ({ signing_seed, set_id, sealing_key, requests, ...fields }) => {
    const values = { ...fields, sealingKey: fromHex(sealing_key), requests: unhexed(requests) };
    return { announcement: toHex(epochs.signAnnouncement(fromHex(signing_seed), fromHex(set_id), values)) };
  },
  'epochs::check_announcement': checkAnnouncement,
  'epochs::sign_deletion': ({ signing_seed, set_id, record_hash, relay_key, ...fields }) => {
    const values = { ...fields, recordHash: fromHex(record_hash), relayKey: fromHex(relay_key) };
    return { deletion: toHex(deletions.signDeletion(fromHex(signing_seed), fromHex(set_id), values)) };
  },
  'epochs::check_deletion': ({ set_id, records, relay_key, deletion, held }) => {
    const word = deletions.checkDeletion(fromHex(set_id), unhexed(records), fromHex(relay_key), fromHex(deletion), fromHex(held));
    const { act, revision, member, epoch, recordHash, relayKey, time } = word;
    return { act, revision, member, epoch, record_hash: toHex(recordHash), relay_key: toHex(relayKey), time };
  },
  'epochs::check_deleted': ({ set_id, records, relay_key, deletion, now }) => {
    const word = deletions.checkDeleted(fromHex(set_id), unhexed(records), fromHex(relay_key), fromHex(deletion), now);
    return { member: word.member, time: word.time };
  },
}));
