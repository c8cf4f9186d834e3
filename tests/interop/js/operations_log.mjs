// The operations `envelopes::` of vectors/README.md, for the conformance testee: JSON in, JSON out.

import { decode } from './encoding.mjs';
import { fromHex, toHex } from './bytes.mjs';
import { Chain } from './chain.mjs';
import { verifyEvidence } from './evidence.mjs';
import * as log from './log.mjs';
import { hexed, unhexed } from './operations_epochs.mjs';

const chainOf = ({ set_id, records }) => Chain.verify(fromHex(set_id), unhexed(records));

const entryOut = (entry) => ({
  author: entry.author, counter: entry.counter, prev: toHex(entry.prev), vector: entry.vector,
  seen_head: hexed(entry.seenHead), ops: toHex(entry.ops), id: toHex(entry.id),
});

const headOut = (head) => ({
  epoch: head.epoch, seq: head.seq, log_hash: toHex(head.logHash), record_hash: toHex(head.recordHash),
  time: head.time, incarnation: head.incarnation, binding: toHex(head.binding),
});

function signEntry({ signing_seed, set_id, author, counter, prev, vector, seen_head, ops }, entropy) {
  const fields = { author, counter, prev: fromHex(prev), vector, seenHead: unhexed(seen_head), ops: fromHex(ops) };
  return hexedValues(log.signEntry(fromHex(signing_seed), fromHex(set_id), fields, entropy));
}

const hexedValues = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, hexed(value)]));

function signHead({ relay_seed, set_id, epoch, seq, log_hash, record_hash, time, incarnation, binding }) {
  const fields = { epoch, seq, time, incarnation, logHash: fromHex(log_hash), recordHash: fromHex(record_hash), binding: fromHex(binding) };
  const [body, signature] = log.signHead(fromHex(relay_seed), fromHex(set_id), fields);
  const output = { body: toHex(body), signature: toHex(signature) };
  return binding === '' ? { ...output, short: [seq, time, toHex(signature)] } : output;
}

function shortHead({ short, set_id, relay_key, epoch, log_hash, record_hash, incarnation }) {
  const known = { epoch, logHash: fromHex(log_hash), recordHash: fromHex(record_hash), incarnation };
  const [body] = log.expandHead(fromHex(set_id), fromHex(relay_key), decode(fromHex(short)), known);
  return { body: toHex(body) };
}

function evidence(inputs) {
  const found = verifyEvidence(fromHex(inputs.evidence), unhexed(inputs.records));
  const { kind, setId, epoch, position, member, key } = found;
  return { kind, set_id: toHex(setId), epoch, position, member: member === undefined ? [] : [member], key: toHex(key) };
}

export const operations = new Map(Object.entries({
  'envelopes::sign_entry': signEntry,
  'envelopes::parse_entry': ({ entry }) => entryOut(log.parseEntry(fromHex(entry))),
  'envelopes::seal_envelope': ({ key, set_id, epoch, entry, blobs }, entropy) => {
    const envelope = log.sealEnvelope(fromHex(key), fromHex(set_id), epoch, fromHex(entry), unhexed(blobs), entropy);
    return { envelope: toHex(envelope), hash: toHex(log.envelopeHash(envelope)) };
  },
  'envelopes::read_envelope': (inputs) => {
    const read = log.readEnvelope(chainOf(inputs), fromHex(inputs.key), fromHex(inputs.envelope));
    return { ...entryOut(read), blobs: hexed(read.blobs), operations: read.operations.length };
  },
  'envelopes::log_hash': ({ record_hash, envelopes }) => {
    return { log_hash: toHex(unhexed(envelopes).reduce(log.nextLogHash, fromHex(record_hash))) };
  },
  'envelopes::sign_head': signHead,
  'envelopes::verify_head': ({ set_id, relay_key, body, signature }) => {
    return headOut(log.verifyHead(fromHex(set_id), fromHex(relay_key), [fromHex(body), fromHex(signature)]));
  },
  'envelopes::short_head': shortHead,
  'envelopes::verify_evidence': evidence,
  'envelopes::seal_heartbeat': ({ key, signing_seed, set_id, member, epoch, time, until, vector, head }, entropy) => {
    const fields = { member, epoch, time, until, vector, head: unhexed(head) };
    const heartbeat = log.sealHeartbeat(fromHex(key), fromHex(signing_seed), fromHex(set_id), fields, entropy);
    return { heartbeat: toHex(heartbeat) };
  },
  'envelopes::open_heartbeat': (inputs) => {
    const { key, heartbeat, member } = inputs;
    return hexedValues(log.openHeartbeat(chainOf(inputs), fromHex(key), fromHex(heartbeat), member));
  },
}));
