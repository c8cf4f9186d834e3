// SPEC 9.5, 10.6: an epoch's boxes and its members' announcements. Records and chain are re-exported from here.

import { must } from './errors.mjs';
import { decode, encode } from './encoding.mjs';
import { sameBytes } from './bytes.mjs';
import { checkSealPublic, equal, openBox, sealTo, sign, verify } from './crypto.mjs';
import { array, bytes, epoch, int, member, shaped } from './schema.mjs';
import { ADD, OWNER, REMOVE, READER, ROOT, boxContext, boxHash, boxListHash, epochKeys, isDevice, parseBoxList } from './records.mjs';

export * from './records.mjs';
export { Chain, preferred } from './chain.mjs';

const SEALED_BOX = 1216;
const SLOT_MAX = 16_384;
const REQUESTS_MAX = 16;

// ------------------------------------------------------------------------------------------------------ boxes, 9.5

/** Boxes for [[member, number, sealing key], …] ascending: the list, the boxes in its order, and its hash. */
export function sealBoxes(setId, epoch, secret, recipients, entropy) {
  const boxes = recipients.map(([index, number, key]) => sealTo(key, boxContext(setId, epoch, index, number), secret, entropy));
  const list = encode(recipients.map(([index, number], i) => [index, number, boxHash(boxes[i])]));
  return { list, boxes, hash: boxListHash(list) };
}

/**
 * The epoch's secret and K from a member's own box. `record` is parsed, `sealingKey` the SealingKey of the number that
 * the list names, `lastNumber` that which the member was sealed to last.
 */
export function openOwnBox(setId, record, index, list, box, sealingKey, lastNumber) {
  const same = (condition, message) => must(condition, 'CommitMismatch', message);
  same(sameBytes(boxListHash(list), record.boxes), 'a list of boxes that the record does not name');
  const line = parseBoxList(list).find(([other]) => other === index);
  same(line !== undefined, 'a list of boxes without this member');
  const [, number, hash] = line;
  const recorded = record.numbers.find(([other]) => other === index)?.[1] ?? 0; // A recovery member has no number.
  same(number === recorded && number >= lastNumber, `a box under number ${number}`);
  same(sameBytes(boxHash(box), hash), 'a box that the list does not name');
  const secret = openBox(sealingKey, boxContext(setId, record.epoch, index, number), box);
  const { commit, key } = epochKeys(setId, record.epoch, secret);
  same(equal(commit, record.commit), 'a secret that the record does not commit to');
  return { secret, key };
}

/** SPEC 13.5 step 6: a box for each member after the chain's last record, and nothing else. */
export function checkBoxes(chain, list, boxes) {
  const fits = (condition, message) => must(condition, 'ChainInvalid', message);
  fits(sameBytes(boxListHash(list), chain.record.boxes), 'a list of boxes that the record does not name');
  const lines = parseBoxList(list);
  const members = [...chain.members.keys()].sort((a, b) => a - b);
  fits(lines.map(([index]) => index).join() === members.join(), 'boxes that are not exactly the members');
  fits(boxes.length === lines.length, 'not one box for each line');
  lines.forEach(([index, number, hash], i) => {
    fits(number === (chain.numbers.get(index) ?? 0), `a box for member ${index} under another number`);
    fits(boxes[i].length === SEALED_BOX && sameBytes(boxHash(boxes[i]), hash), `another box for member ${index}`);
  });
}

// ---------------------------------------------------------------------------------------------- announcement, 10.6

export const ASK_REMOVE = 1;
export const ASK_ADD = 2;
export const ASK_SEAL = 3;
export const ASK_LEAVE = 4;

const REQUESTS = {
  [ASK_REMOVE]: [int(), epoch, member],
  [ASK_ADD]: [int(), epoch, bytes(16), int(READER, OWNER), bytes(32), bytes(1216), bytes(64)],
  [ASK_SEAL]: [int(), epoch],
  [ASK_LEAVE]: [int(), epoch],
};

export function signAnnouncement(seed, setId, { member: index, number, revision, sealingKey, version, requests }) {
  const body = encode([index, number, revision, sealingKey, version, requests]);
  return encode([body, sign(seed, 'SIGN_ANNOUNCEMENT', setId, body)]);
}

/** An announcement's fields; its form is checked and nothing else. */
export function parseAnnouncement(announcement) {
  const [body, signature] = shaped(decode(announcement, { limit: SLOT_MAX }), [bytes(), bytes(64)], 'an announcement');
  const schema = [member, int(1), int(), bytes(1216), int(1), array];
  const [index, number, revision, sealingKey, version, requests] = shaped(decode(body), schema, 'an announcement');
  must(requests.length <= REQUESTS_MAX, 'LimitExceeded', 'an announcement with more than 16 requests');
  for (const request of requests) {
    const kind = Array.isArray(request) ? request[0] : undefined;
    must(int(ASK_REMOVE, ASK_LEAVE)(kind), 'NonCanonical', 'a request of no known kind');
    shaped(request, REQUESTS[kind], 'a request');
  }
  return { member: index, number, revision, sealingKey, version, requests, body, signature };
}

/** The fields of an announcement that may stand in its member's slot, where `held` (bytes, may be empty) stands now. */
export function checkAnnouncement(chain, announcement, held) {
  const fits = (condition, message) => must(condition, 'SlotInvalid', message);
  const fields = parseAnnouncement(announcement);
  const author = chain.members.get(fields.member);
  fits(author !== undefined && isDevice(author), 'an announcement of who is no device');
  verify(author.verifyKey, 'SIGN_ANNOUNCEMENT', chain.setId, fields.body, fields.signature);
  const number = chain.numbers.get(fields.member);
  fits(fields.number === number || fields.number === number + 1, `number ${fields.number} where the record has ${number}`);
  fits(fields.requests.every(([, made]) => made <= chain.epoch), 'a request of an epoch to come');
  if (held.length > 0 && !sameBytes(held, announcement)) checkSuccession(fields, parseAnnouncement(held), fits);
  checkSealPublic(fields.sealingKey);
  return fields;
}

function checkSuccession(fields, last, fits) {
  fits(fields.member === last.member, 'an announcement in the slot of another member');
  fits(fields.revision > last.revision, 'a revision that is not higher');
  fits(fields.number >= last.number, 'a lower number');
  const sameKey = sameBytes(fields.sealingKey, last.sealingKey);
  fits(fields.number > last.number || sameKey, 'a second key under one number');
}

/** The changes (SPEC 9.3) that an announcement asks for, of those that its member may ask for. */
export function requestedChanges(chain, { member: index, requests }) {
  const author = chain.members.get(index);
  const changes = [];
  for (const [kind, , ...rest] of requests) {
    if (kind === ASK_LEAVE) changes.push([REMOVE, index]);
    if (kind === ASK_REMOVE) {
      const target = chain.members.get(rest[0]);
      const may = target && target.role !== ROOT && sameBytes(target.person, author.person);
      if (may) changes.push([REMOVE, rest[0]]);
    }
    if (kind === ASK_ADD) {
      const [person, role] = rest;
      if (sameBytes(person, author.person) && role <= author.role) changes.push([ADD, ...rest]);
    }
  }
  return changes;
}
