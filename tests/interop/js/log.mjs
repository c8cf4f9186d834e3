// SPEC 10: log hash, heads, entries, envelopes, heartbeats. `chain` is a Chain (chain.mjs) that ends with the epoch's record.

import { must } from './errors.mjs';
import { decode, encode } from './encoding.mjs';
import { compareBytes, concat, readU16, readU64, toHex, u16, u32, u64 } from './bytes.mjs';
import { AE_OVERHEAD, hash, open, pad, paddedSize, seal, sign, unpad, verify } from './crypto.mjs';
import { BATCH, decodeOps } from './operations.mjs';
import { OWNER, SUITE, WRITER, isDevice, isZero } from './records.mjs';
import { array, ascending, bytes, counter, either, epoch, int, listed, member, shaped, time } from './schema.mjs';

const ENVELOPE_TYPE = 0x01;
const HEARTBEAT_TYPE = 0x06;
const ENVELOPE_MAX = 262_144;
const ENTRY_BODY_MAX = 245_760;
const SLOT_MAX = 16_384;

// ------------------------------------------------------------------------------------------------- log hash, 10.1

export const envelopeHash = (envelope) => hash('ENVELOPE', envelope);

/** The log hash behind one more envelope; `before` is that at the position before, or the record's hash. */
export const nextLogHash = (before, envelope) => hash('LOG', concat(before, envelopeHash(envelope)));

// ---------------------------------------------------------------------------------------------------- heads, 10.2

const HEAD = [epoch, int(), bytes(32), bytes(32), time, int(), either(bytes(32), bytes(0))];
export const SHORT_HEAD = [int(), time, bytes(64)];

/** [body, signature]; `binding` is empty but in a handshake. */
export function signHead(seed, setId, { epoch, seq, logHash, recordHash, time, incarnation, binding }) {
  const body = encode([epoch, seq, logHash, recordHash, time, incarnation, binding]);
  return [body, sign(seed, 'SIGN_HEAD', setId, body)];
}

export function parseHead(body) {
  const [epoch, seq, logHash, recordHash, time, incarnation, binding] = shaped(decode(body), HEAD, 'a head');
  return { epoch, seq, logHash, recordHash, time, incarnation, binding };
}

/** The fields of a head [body, signature] that the relay's key has signed. */
export function verifyHead(setId, relayKey, head) {
  const [body, signature] = shaped(head, [bytes(), bytes(64)], 'a head');
  const fields = parseHead(body);
  verify(relayKey, 'SIGN_HEAD', setId, body, signature);
  return fields;
}

/** A short head as a whole one: what it leaves out is what the receiver knows, so it verifies only if both agree. */
export function expandHead(setId, relayKey, short, { epoch, logHash, recordHash, incarnation }) {
  const [seq, time, signature] = shaped(short, SHORT_HEAD, 'a short head');
  const body = encode([epoch, seq, logHash, recordHash, time, incarnation, new Uint8Array(0)]);
  verify(relayKey, 'SIGN_HEAD', setId, body, signature);
  return [body, signature];
}

// ---------------------------------------------------------------------------------------------------- entry, 10.3

/** Refuses a vector [[member, counter], …] that is not ascending or has a zero. */
export function checkVector(vector) {
  listed(vector, [member, counter], 'a vector');
  ascending(vector, (a, b) => a[0] - b[0], 'a vector');
  return vector;
}

export const operationsHash = (salt, ops) => hash('OPERATIONS', concat(salt, ops));
export const entryId = (header, opsHash, signature) => hash('ENTRY', concat(opsHash, signature, header));

/** An entry's bytes and id. `seenHead` is [epoch, seq, first half of the log hash]; `ops` are bytes (operations.mjs). */
export function signEntry(seed, setId, { author, counter, prev, vector, seenHead, ops }, entropy) {
  const header = encode([author, counter, prev, vector, seenHead]);
  const salt = entropy.draw('entry salt', 16);
  const opsHash = operationsHash(salt, ops);
  const signature = sign(seed, 'SIGN_ENTRY', setId, concat(header, opsHash));
  return { entry: encode([header, salt, ops, signature]), id: entryId(header, opsHash, signature) };
}

/** An entry's header as fields. */
export function parseEntryHeader(header) {
  const fields = shaped(decode(header), [member, counter, bytes(32), array, array], "an entry's header");
  const [author, count, prev, vector, seenHead] = fields;
  checkVector(vector);
  shaped(seenHead, [epoch, int(), bytes(16)], 'a head that was seen');
  must(isZero(prev) === (count === 1), 'EntryInvalid', 'a first entry with one before it, or a later one without');
  return { author, counter: count, prev, vector, seenHead };
}

/** An entry's fields; its form is checked and nothing else. */
export function parseEntry(entry) {
  const parts = [bytes(), bytes(16), bytes(), bytes(64)];
  const [header, salt, ops, signature] = shaped(decode(entry, { limit: ENVELOPE_MAX }), parts, 'an entry');
  must(ops.length <= ENTRY_BODY_MAX, 'LimitExceeded', 'an entry with operations of more than 240 KiB');
  const opsHash = operationsHash(salt, ops);
  return { ...parseEntryHeader(header), header, ops, opsHash, signature, id: entryId(header, opsHash, signature), size: entry.length };
}

// ------------------------------------------------------------------------------------------------- envelope, 10.4

function envelopeHeader(epoch, blobs) {
  const sorted = [...blobs].sort(compareBytes);
  return concat(Uint8Array.of(SUITE, ENVELOPE_TYPE), u64(epoch), u16(sorted.length), ...sorted);
}

/** The envelope of an entry's bytes; `blobs` are the ids that its operations need. */
export function sealEnvelope(key, setId, epoch, entry, blobs, entropy) {
  const header = envelopeHeader(epoch, blobs);
  const padded = pad(entry, header.length + AE_OVERHEAD);
  must(header.length + AE_OVERHEAD + padded.length <= ENVELOPE_MAX, 'LimitExceeded', 'an entry that does not fit 256 KiB');
  return concat(header, seal(key, concat(setId, header), padded, entropy, 'envelope nonce'));
}

/** The blobs that an envelope's header names; EntryInvalid unless it is one of this epoch. */
export function parseEnvelopeHeader(envelope, epoch) {
  const fits = (condition, message) => must(condition, 'EntryInvalid', message);
  const size = envelope.length;
  fits(size > 0 && size <= ENVELOPE_MAX && paddedSize(size) === size, `an envelope of ${size} bytes`);
  fits(envelope[0] === SUITE && envelope[1] === ENVELOPE_TYPE, 'an envelope of another suite or type');
  fits(readU64(envelope, 2) === epoch, 'an envelope of another epoch');
  const count = readU16(envelope, 10);
  const end = 12 + 32 * count;
  fits(end <= size, 'an envelope with blobs missing from its header');
  const blobs = Array.from({ length: count }, (_, i) => envelope.subarray(12 + 32 * i, 44 + 32 * i));
  ascending(blobs, compareBytes, "the blobs of an envelope's header", 'EntryInvalid');
  return { header: envelope.subarray(0, end), blobs };
}

/**
 * What an envelope says in the epoch that `chain` ends with: the entry's fields, its `operations` and the `blobs` of its
 * header. Thrown for what has no effect. `prev` and a batch's chunks are looked at in the fold (contactset.mjs).
 */
export function readEnvelope(chain, key, envelope) {
  const fits = (condition, message) => must(condition, 'EntryInvalid', message);
  const { header, blobs } = parseEnvelopeHeader(envelope, chain.epoch);
  const padded = open(key, concat(chain.setId, header), envelope.subarray(header.length));
  const entry = parseEntry(unpad(padded, header.length + AE_OVERHEAD));
  const author = chain.members.get(entry.author);
  fits(author && (author.role === WRITER || author.role === OWNER), 'an entry of who may not write');
  fits(chain.openerIsMember, 'an entry in an epoch whose opener is not one of its members');
  verify(author.verifyKey, 'SIGN_ENTRY', chain.setId, concat(entry.header, entry.opsHash), entry.signature);
  const operations = decodeOps(entry.ops);
  const named = new Set(blobs.map(toHex));
  fits(operations.every(([kind, index]) => kind !== BATCH || named.has(toHex(index))), 'a batch that the header does not name');
  return { ...entry, operations, blobs };
}

// ------------------------------------------------------------------------------------------------ heartbeat, 10.7

const heartbeatContext = (setId, epoch, index) => concat(setId, Uint8Array.of(HEARTBEAT_TYPE), u64(epoch), u32(index));
const HEARTBEAT_OVERHEAD = 8 + AE_OVERHEAD;

/** `head` is [body, signature], the newest seen. */
export function sealHeartbeat(key, seed, setId, { member: index, epoch, time, until, vector, head }, entropy) {
  const body = encode([index, epoch, time, until, vector, head]);
  const padded = pad(encode([body, sign(seed, 'SIGN_HEARTBEAT', setId, body)]), HEARTBEAT_OVERHEAD);
  return concat(u64(epoch), seal(key, heartbeatContext(setId, epoch, index), padded, entropy, 'heartbeat nonce'));
}

/** A heartbeat's fields, from the slot of this member. */
export function openHeartbeat(chain, key, heartbeat, index) {
  const fits = (condition, message) => must(condition, 'SlotInvalid', message);
  const size = heartbeat.length;
  const author = chain.members.get(index);
  fits(size > 0 && size <= SLOT_MAX && paddedSize(size) === size, `a heartbeat of ${size} bytes`);
  fits(readU64(heartbeat, 0) === chain.epoch, 'a heartbeat of another epoch');
  fits(author && isDevice(author), 'a heartbeat of who is no device');
  const padded = open(key, heartbeatContext(chain.setId, chain.epoch, index), heartbeat.subarray(8));
  const plain = decode(unpad(padded, HEARTBEAT_OVERHEAD));
  const [body, signature] = shaped(plain, [bytes(), bytes(64)], 'a heartbeat');
  const fields = parseHeartbeat(body);
  fits(fields.member === index && fields.epoch === chain.epoch, "a heartbeat of another member's or epoch's");
  verify(author.verifyKey, 'SIGN_HEARTBEAT', chain.setId, body, signature);
  verifyHead(chain.setId, chain.relayKey, fields.head);
  return fields;
}

function parseHeartbeat(body) {
  const schema = [member, epoch, time, time, array, array];
  const [index, when, at, until, vector, head] = shaped(decode(body), schema, 'a heartbeat');
  shaped(head, [bytes(), bytes(64)], "a heartbeat's head");
  return { member: index, epoch: when, time: at, until, vector: checkVector(vector), head };
}
