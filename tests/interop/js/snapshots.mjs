// SPEC 11: blobs, manifests, runs of chunks, media.

import { must } from './errors.mjs';
import { decode, encode } from './encoding.mjs';
import { compareBytes, concat, sameBytes, toHex, u64 } from './bytes.mjs';
import { AE_OVERHEAD, hash, open, pad, paddedSize, seal, unpad } from './crypto.mjs';
import { SUITE } from './records.mjs';
import { array, ascending, bytes, compareDots, counter, epoch, int, listed, member, shaped } from './schema.mjs';
import { parseState } from './state.mjs';

export const MANIFEST = 2;
export const INDEX = 3;
export const CHUNK = 4;
export const MEDIA = 5;

const BLOB_MAX = 1_048_576;
const BLOB_OVERHEAD = 2 + AE_OVERHEAD;
const CHUNK_TARGET = 131_072;
const RUNS_MAX = 8;
const RUN_CHUNKS_MAX = 8192;
const RUN_RATIO = 2;
const BLOB_PART = 524_288;
const MEDIA_MAX = 16_777_216;
const wrong = (condition, message) => must(condition, 'SnapshotInvalid', message);

// -------------------------------------------------------------------------------------------------------- blobs, 11.1

export const blobId = (blob) => hash('BLOB', blob);

function blobContext(type, setId, epoch) {
  const place = concat(setId, Uint8Array.of(type));
  return type === MANIFEST ? concat(place, u64(epoch)) : place;
}

function wrap(type, key, context, content, entropy, draw) {
  const padded = pad(content, BLOB_OVERHEAD);
  must(BLOB_OVERHEAD + padded.length <= BLOB_MAX, 'LimitExceeded', 'a content that does not fit a blob of 1 MiB');
  const blob = concat(Uint8Array.of(SUITE, type), seal(key, context, padded, entropy, draw));
  return { id: blobId(blob), blob };
}

function unwrap(type, key, context, id, blob) {
  const size = blob.length;
  wrong(size > 0 && size <= BLOB_MAX && paddedSize(size) === size, `a blob of ${size} bytes`);
  wrong(sameBytes(blobId(blob), id), 'a blob that is not the one of this id');
  wrong(blob[0] === SUITE && blob[1] === type, 'a blob of another suite or type');
  return unpad(open(key, context, blob.subarray(2)), BLOB_OVERHEAD);
}

/** A blob of an index, a chunk or a media part under a key of its own: { key, id, blob }. */
export function sealBlob(type, setId, content, entropy) {
  const key = entropy.draw('blob key', 32);
  return { key, ...wrap(type, key, blobContext(type, setId), content, entropy, 'blob nonce') };
}

export function openBlob(type, key, setId, id, blob) {
  return unwrap(type, key, blobContext(type, setId), id, blob);
}

// ----------------------------------------------------------------------------------------------------- manifest, 11.2

/** `manifest` is { vector: [[member, counter, entry id]], digest, horizon, runs: [[id, key, count]], unknown }. */
export function sealManifest(key, setId, epoch, manifest, entropy) {
  const { vector, digest, horizon, runs, unknown } = manifest;
  const content = encode([vector, digest, horizon, runs, unknown]);
  return wrap(MANIFEST, key, blobContext(MANIFEST, setId, epoch), content, entropy, 'manifest nonce');
}

/** The fields of the manifest of this id, which begins an epoch; `previousHorizon` is that of the epoch before. */
export function openManifest(key, setId, epochNumber, previousHorizon, id, blob) {
  const content = unwrap(MANIFEST, key, blobContext(MANIFEST, setId, epochNumber), id, blob);
  const fields = shaped(decode(content), [array, bytes(32), epoch, array, array], 'a manifest');
  const [vector, digest, horizon, runs, unknown] = fields;
  listed(vector, [member, counter, bytes(32)], "a manifest's vector");
  ascending(vector, (a, b) => a[0] - b[0], "a manifest's vector");
  listed(runs, RUN, "a manifest's runs", { most: RUNS_MAX });
  listed(unknown, [member, counter, bytes()], "a manifest's operations");
  const inOrder = unknown.every((line, i) => i === 0 || compareDots(unknown[i - 1], line) <= 0);
  must(inOrder, 'NonCanonical', "a manifest's operations out of order");
  wrong(horizon >= previousHorizon && horizon <= epochNumber, `a horizon of ${horizon}`);
  return { vector, digest, horizon, runs, unknown };
}

// --------------------------------------------------------------------------------------------------------- runs, 11.3

/** A run: [index blob id, index key, count]; a run of nothing has an index without lines. */
const RUN = [bytes(32), bytes(32), int()];
/** A line of an index: [chunk blob id, chunk key, count]; no chunk is empty. */
const LINE = [bytes(32), bytes(32), int(1)];

/**
 * The run of these contacts [[id, packed state], …], ascending; an empty state says *absent*. Gives `run` and its
 * `blobs`, each { key, id, blob }: the chunks, then the index.
 */
export function buildRun(setId, contacts, entropy) {
  const chunks = fill(contacts).map((items) => ({ count: items.length, ...sealBlob(CHUNK, setId, encode(items), entropy) }));
  const lines = chunks.map(({ id, key, count }) => [id, key, count]);
  const index = sealBlob(INDEX, setId, encode(lines), entropy);
  return { run: [index.id, index.key, contacts.length], blobs: [...chunks, index] };
}

/** Contacts cut into chunks, each filled up to CHUNK_TARGET as long as more than one contact is in it. */
function fill(contacts) {
  const room = CHUNK_TARGET - BLOB_OVERHEAD - 1 - 3; // The padding's mark, and an array's head at its largest here.
  const chunks = [];
  let size = Infinity;
  for (const item of contacts) {
    const more = encode(item).length;
    if (size + more > room) {
      chunks.push([]);
      size = 0;
    }
    chunks.at(-1).push(item);
    size += more;
  }
  return chunks;
}

/** The contacts [[id, packed state], …] of a run; `blobOf(id)` gives what is served under an id, or undefined. */
export function readRun(setId, [indexId, indexKey, count], blobOf) {
  const lines = parseIndex(openServed(INDEX, indexKey, setId, indexId, blobOf));
  const contacts = lines.flatMap(([id, key, size]) => {
    const items = parseChunk(openServed(CHUNK, key, setId, id, blobOf));
    wrong(items.length === size, 'a chunk with another count of contacts than its index says');
    return items;
  });
  ascending(contacts, compareIds, 'the chunks of a run', 'SnapshotInvalid');
  wrong(contacts.length === count, 'a run with another count of contacts');
  return contacts;
}

/** The ids and keys of a run's chunks, for who fetches them: [[chunk id, chunk key, count], …]. */
export function readIndex(setId, [indexId, indexKey], blobOf) {
  return parseIndex(openServed(INDEX, indexKey, setId, indexId, blobOf));
}

function openServed(type, key, setId, id, blobOf) {
  const blob = blobOf(id);
  wrong(blob !== undefined, 'a blob that is not there');
  return openBlob(type, key, setId, id, blob);
}

const parseIndex = (content) => listed(decode(content), LINE, 'an index', { most: RUN_CHUNKS_MAX });
const compareIds = (a, b) => compareBytes(a[0], b[0]);

function parseChunk(content) {
  const items = listed(decode(content), [bytes(16), bytes()], 'a chunk');
  ascending(items, compareIds, 'a chunk');
  for (const [, packed] of items) if (packed.length > 0) parseState(packed);
  return items;
}

/** Runs laid over one another, the oldest first: [[contact id, packed state], …] ascending, without what is absent. */
export function overlay(runs) {
  const newest = new Map();
  for (const contacts of runs) for (const [id, packed] of contacts) newest.set(toHex(id), [id, packed]);
  return [...newest.values()].filter(([, packed]) => packed.length > 0).sort(compareIds);
}

/** SPEC 14.3: how many of the old runs stay, by their counts, when `dirty` contacts have to be written. */
export function planRuns(counts, dirty) {
  if (dirty === 0) return counts.length;
  let kept = counts.length;
  let merged = dirty;
  while (kept > 0 && (kept >= RUNS_MAX || counts[kept - 1] <= RUN_RATIO * merged)) merged += counts[--kept];
  return kept;
}

/** SPEC 11.6: the sizes of the parts that media of this size are cut into. */
export function splitMedia(size) {
  must(size <= MEDIA_MAX, 'LimitExceeded', 'media of more than 16 MiB');
  const parts = Math.max(1, Math.ceil(size / BLOB_PART));
  return Array.from({ length: parts }, (_, i) => Math.min(BLOB_PART, size - i * BLOB_PART));
}
