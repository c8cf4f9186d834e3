// SPEC 10.8: a file that proves a lie to anybody who has the set's public chain.

import { Refusal, must } from './errors.mjs';
import { decode } from './encoding.mjs';
import { concat, fromHex, sameBytes } from './bytes.mjs';
import { hash, verify } from './crypto.mjs';
import { array, bytes, int, listed, shaped } from './schema.mjs';
import { Chain } from './chain.mjs';
import { entryId, parseEntryHeader, parseHead, verifyHead } from './log.mjs';
import { isSeed, parseRecord } from './records.mjs';

const EVIDENCE_MAX = 4_194_304;
const TWO_LOGS = 1;
const ROLLED_BACK = 2;
const TWO_RECORDS = 3;
const TWO_ENTRIES = 4;
const HEAD = [bytes(), bytes(64)];
const proves = (condition, message) => must(condition, 'EvidenceInvalid', message);

/**
 * What evidence proves: { kind, setId, epoch, position, member, key }, where `member` is undefined for the relay.
 * `records` are the verifier's own chain, for evidence that holds none.
 */
export function verifyEvidence(evidence, records) {
  const fields = shaped(decode(evidence, { limit: EVIDENCE_MAX }), [int(), int(), bytes(32), array, array], 'evidence');
  const [version, kind, setId, own, items] = fields;
  proves(version === 1 && kind >= TWO_LOGS && kind <= TWO_ENTRIES, `evidence of version ${version} and kind ${kind}`); // 1
  const chain = own.length > 0 ? own : records;
  proves(chain.length > 0, 'evidence without a chain'); // 2
  proves(chain.every(bytes()), 'evidence with a chain that is not of byte strings');
  const found = [provesLogs, provesRollback, provesRecords, provesEntries][kind - 1](setId, chain, items);
  return { kind, setId, ...found };
}

/** The two heads, which are the relay's that the chain names in their epoch, and of one incarnation. */
function relayHeads(setId, records, heads) {
  const chain = Chain.verify(setId, records);
  const fields = heads.map((head) => {
    const [body] = shaped(head, HEAD, 'a head');
    const { epoch } = parseHead(body);
    proves(epoch <= chain.epoch, 'a head of an epoch that the chain does not reach'); // 2
    return verifyHead(setId, chain.relayKeys[epoch], head);
  });
  proves(fields[0].incarnation === fields[1].incarnation, 'heads of two incarnations'); // 3
  return { heads: fields, key: chain.relayKeys[fields[0].epoch] };
}

function provesLogs(setId, records, items) {
  const [left, right, logHash, hashes] = shaped(items, [array, array, bytes(32), array], 'evidence of two logs');
  for (const item of hashes) must(bytes(32)(item), 'NonCanonical', 'a hash of an envelope of another length');
  const { heads: [first, second], key } = relayHeads(setId, records, [left, right]);
  proves(first.epoch === second.epoch && first.seq <= second.seq, 'heads that are not of one epoch, or not in order'); // 4
  proves(hashes.length === second.seq - first.seq, 'not one hash for each position'); // 5
  const end = hashes.reduce((before, envelope) => hash('LOG', concat(before, envelope)), logHash);
  proves(sameBytes(end, second.logHash), 'hashes that do not lead to the second head');
  const one = sameBytes(logHash, first.logHash) && sameBytes(first.recordHash, second.recordHash);
  proves(!one, 'one log after all');
  return { epoch: first.epoch, position: first.seq, key };
}

function provesRollback(setId, records, items) {
  shaped(items, [array, array], 'evidence of a rollback');
  const { heads: [first, second], key } = relayHeads(setId, records, items);
  proves(second.time > first.time, 'a later head that is not later'); // 4
  const lower = second.epoch < first.epoch || (second.epoch === first.epoch && second.seq < first.seq);
  proves(lower, 'a position that is not lower');
  return { epoch: second.epoch, position: second.seq, key };
}

function provesRecords(setId, records, items) {
  shaped(items, [bytes(), bytes()], 'evidence of two records');
  const [first, second] = items.map(parseRecord);
  proves(first.epoch === second.epoch && !sameBytes(first.hash, second.hash), 'one record, or two numbers'); // 6
  proves(!isSeed(first) && !isSeed(second), 'a record that only brings a relay back'); // 3
  proves(first.epoch >= 1 && first.epoch <= records.length, 'records that the chain does not reach');
  const before = Chain.verify(setId, records.slice(0, first.epoch));
  for (const record of items) before.next(record);
  const { index, verifyKey } = before.members.get(second.opener);
  return { epoch: second.epoch, position: 0, member: index, key: verifyKey };
}

function provesEntries(setId, records, items) {
  listed(items, [bytes(), bytes(32), bytes(64)], 'evidence of two entries');
  must(items.length === 2, 'NonCanonical', 'evidence of two entries with another number of them');
  const chain = Chain.verify(setId, records);
  const [first, second] = items.map(([header]) => parseEntryHeader(header));
  const ids = items.map(([header, opsHash, signature]) => entryId(header, opsHash, signature));
  proves(!sameBytes(ids[0], ids[1]), 'one entry'); // 6
  proves(first.author === second.author && first.counter === second.counter, 'two counters or authors');
  const key = [...chain.keys].map(fromHex).find((verifyKey) => items.every((item) => signedBy(verifyKey, setId, item)));
  proves(key !== undefined, 'entries that not one key of the chain has signed both');
  return { epoch: first.seenHead[0], position: first.counter, member: first.author, key };
}

function signedBy(verifyKey, setId, [header, opsHash, signature]) {
  try {
    verify(verifyKey, 'SIGN_ENTRY', setId, concat(header, opsHash), signature);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}
