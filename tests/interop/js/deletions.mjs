// SPEC 10.9, 14.15: the signed word that a relay is to delete a set, or to keep it, and when to believe one.

import { sameBytes } from './bytes.mjs';
import { sign, verify } from './crypto.mjs';
import { decode, encode } from './encoding.mjs';
import { Chain } from './chain.mjs';
import { must } from './errors.mjs';
import { OWNER, ROOT } from './records.mjs';
import { bytes, epoch, int, member, shaped, time } from './schema.mjs';

const DELETION_MAX = 256;
const DELETION_DELAY = 2_592_000_000;
const DELETION_CLOCK = 86_400_000;
const DELETE = 1;
const KEEP = 2;

const valid = (condition, message) => must(condition, 'DeletionInvalid', message);
const governs = (chain, index) => [OWNER, ROOT].includes(chain.members.get(index)?.role);

export function signDeletion(seed, setId, { act, revision, member: index, epoch: said, recordHash, relayKey, time: at }) {
  const body = encode([act, revision, index, said, recordHash, relayKey, at]);
  return encode([body, sign(seed, 'SIGN_DELETION', setId, body)]);
}

/** A deletion's fields; its form is checked and nothing else. */
export function parseDeletion(deletion) {
  const [body, signature] = shaped(decode(deletion, { limit: DELETION_MAX }), [bytes(), bytes(64)], 'a deletion');
  const schema = [int(DELETE, KEEP), int(1), member, epoch, bytes(32), bytes(32), time];
  const [act, revision, index, said, recordHash, relayKey, at] = shaped(decode(body), schema, 'a deletion');
  return { act, revision, member: index, epoch: said, recordHash, relayKey, time: at, body, signature };
}

/** 10.9 steps 1 to 3, of a word that a relay shows over a chain from record 0. */
function checkWord(setId, records, relayKey, word) {
  valid(word.epoch < records.length, 'a word from an epoch that there is not');
  const then = Chain.verify(setId, records.slice(0, word.epoch + 1));
  valid(sameBytes(word.recordHash, then.recordHash), 'a word about another record'); // 1
  valid(sameBytes(word.relayKey, relayKey), 'a word for another relay');
  valid(governs(then, word.member), 'a word of who is neither root nor owner'); // 2
  const speaker = then.members.get(word.member);
  verify(speaker.verifyKey, 'SIGN_DELETION', setId, word.body, word.signature); // 3
  return speaker.role === ROOT;
}

/** The fields of a word, where `held` (bytes, may be empty) was checked before. */
export function checkDeletion(setId, records, relayKey, deletion, held) {
  Chain.verify(setId, records);
  const word = parseDeletion(deletion);
  checkWord(setId, records, relayKey, word);
  if (held.length && !sameBytes(held, deletion)) {
    must(word.revision > parseDeletion(held).revision, 'RollbackDetected', 'an earlier word'); // 4
  }
  return word;
}

/** SPEC 14.15 step 2: whether the set may have been deleted by this word. */
export function checkDeleted(setId, records, relayKey, deletion, now) {
  const chain = Chain.verify(setId, records);
  const word = parseDeletion(deletion);
  const byRoot = checkWord(setId, records, relayKey, word);
  valid(word.act === DELETE, 'a word to keep the set');
  valid(governs(chain, word.member), 'a void word');
  if (byRoot) valid(word.epoch === chain.epoch, 'the set went on');
  else valid(now >= word.time + DELETION_DELAY - DELETION_CLOCK, 'before its day');
  return word;
}
