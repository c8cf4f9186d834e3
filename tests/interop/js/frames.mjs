// SPEC 13.1 to 13.3, 13.8: every message as a frame, by one table.
//
// A message is the array that lies in the frame, its type first. `side` is who sends it, `answer` the type of the
// answer that a request gets, `visitor` whether visitors or members may ask.

import { decode, encode } from './encoding.mjs';
import { Refusal } from './errors.mjs';
import { bytesOrNone, bytesWithin, counts, list, noneOr, oneOf, textWithin, tuple } from './fields.mjs';
import { bytes, int, member, shaped } from './schema.mjs';

const FRAME_MAX = 1_048_576;
const BLOB_MAX = 1_048_576;
const ENVELOPE_MAX = 262_144;
const MEMBERS_MAX = 64;

const hash = bytes(32);
const signature = bytes(64);
const epoch = int();
const position = int(1);
const record = bytesWithin(1, 65_536);
const boxList = bytesWithin(0, 4_096);
const box = bytesWithin(0, 1_216);
const slot = bytesWithin(0, 16_384);
const envelope = bytesWithin(0, ENVELOPE_MAX);
const mail = bytesWithin(0, 8_192);
const mailNumber = int(0, 8);
const deletion = bytesWithin(1, 256);
const shortHead = tuple(int(), int(), signature);

/** What a relay may refuse with (SPEC 13.8). */
const REFUSALS = [
  'BadFrame', 'BadVersion', 'NotMember', 'NotAllowed', 'EpochClosed', 'HeadMoved', 'BadEnvelope', 'BadRecord',
  'BadSlot', 'BadBlob', 'BadDeletion', 'BlobMissing', 'NotFound', 'QuotaExceeded', 'TooOften', 'MailboxTaken',
  'MailboxFull', 'Busy',
];

export const TYPE = {
  HELLO: 1, CHALLENGE: 2, PROOF: 3, WELCOME: 4, APPEND: 10, READ: 11, CHAIN: 12, BOX: 13, OPEN: 14, PUT_BLOB: 15,
  GET_BLOB: 16, PUT_SLOT: 17, SLOTS: 18, INSPECT: 19, CREATE: 20, MAILBOX: 21, MAIL: 22, HAVE: 23, PING: 24, FIND: 25,
  SHOW: 26, SEED: 27, DELETE: 28, REFUSED: 40, LOG: 50, RECORD: 51, SLOT: 52, MAILED: 53, CLOSING: 54, DELETION: 55,
};

const hello = (fields) => ({ side: 'CLIENT', fields });
const request = (answer, ...fields) => ({ side: 'CLIENT', answer, visitor: false, fields });
const visit = (answer, ...fields) => ({ side: 'CLIENT', answer, visitor: true, fields });
const relay = (...fields) => ({ side: 'RELAY', fields });
const push = (...fields) => ({ side: 'RELAY', push: true, fields });

/** Message type → what stands in it. */
export const MESSAGES = new Map([
  [1, hello([int(), bytesOrNone(32), member, bytes(32)])],
  [2, relay(bytes(32), bytes(32))],
  [3, hello([bytesOrNone(64)])],
  [4, relay(bytesWithin(0, 256), signature)],
  [10, request(30, epoch, envelope)],
  [11, request(31, epoch, position)],
  [12, request(32, epoch)],
  [13, request(33, epoch)],
  [14, request(34, record, boxList, list(box, MEMBERS_MAX), slot, list(hash), list(hash))],
  [15, request(35, hash, int(1, BLOB_MAX), int(0, BLOB_MAX), bytesWithin(0, BLOB_MAX))],
  [16, request(36, hash, int(0, BLOB_MAX))],
  [17, request(37, slot, slot)],
  [18, request(38, int())],
  [19, request(39)],
  [20, visit(41, record, boxList, list(box, MEMBERS_MAX), list(slot, 16), bytesOrNone(16))],
  [21, visit(42, bytes(8), int(0, 1), bytes(16))],
  [22, visit(43, mailNumber, mail)],
  [23, request(44, list(hash))],
  [24, { ...request(45), visitor: undefined }],
  [25, visit(46, bytes(32), signature)],
  [26, visit(47, hash, bytesWithin(1, 256), signature)],
  [27, visit(48, hash, epoch, list(record), bytesOrNone(16))],
  [28, request(49, deletion)],
  [30, relay(int(), shortHead)],
  [31, relay(epoch, position, list(envelope), noneOr(shortHead))],
  [32, relay(list(record))],
  [33, relay(boxList, box)],
  [34, relay(epoch, shortHead)],
  [35, relay(int(0, BLOB_MAX))],
  [36, relay(int(1, BLOB_MAX), bytesWithin(0, 524_288))],
  [37, relay()],
  [38, relay(int(), list(tuple(member, slot, slot, int()), MEMBERS_MAX))],
  [39, relay(counts(64))],
  [40, relay(oneOf(...REFUSALS), textWithin(1_000), int())],
  [41, relay(hash)],
  [42, relay()],
  [43, relay()],
  [44, relay(list(int(0, BLOB_MAX)))],
  [45, relay()],
  [46, relay(list(tuple(hash, member), 64))],
  [47, relay(epoch, int(0, 1))],
  [48, relay(epoch)],
  [49, relay(int())],
  [50, push(epoch, position, list(envelope), shortHead)],
  [51, push(record, shortHead)],
  [52, push(member, slot, slot, int())],
  [53, push(mailNumber, mail)],
  [54, push(int())],
  [55, push(deletion)],
]);

/** The message in a frame that `side` ('CLIENT' or 'RELAY') has sent, or NonCanonical, or LimitExceeded. */
export function decodeFrame(side, frame) {
  const message = decode(frame, { limit: FRAME_MAX });
  const type = Array.isArray(message) ? message[0] : undefined;
  const form = typeof type === 'number' ? MESSAGES.get(type) : undefined;
  if (!form || form.side !== side) throw new Refusal('NonCanonical', 'no message that this side sends');
  shaped(message.slice(1), form.fields, 'a message');
  return message;
}

export function encodeFrame(...message) {
  return encode(message);
}
