// SPEC 14.13: what a device that was shut out still held, sealed for its person's recovery kit.

import { concat, readU32, sameBytes, u32 } from './bytes.mjs';
import { AE_OVERHEAD, SEALED_BOX, open, openBox, seal, sealTo } from './crypto.mjs';
import { FRAME_MAX, decode, encode } from './encoding.mjs';
import { must } from './errors.mjs';
import { kitKeys } from './access.mjs';
import { bytes, epoch, int, member, shaped, time } from './schema.mjs';

const SUITE = 1;
const HEADER_MAX = 1_024;
const KEYS_MAX = 64;
const HEADER = [int(), bytes(32), member, epoch, time, bytes(32)];
const altered = (condition, message) => must(condition, 'AuthFailed', message);
const contextOf = (setId, header) => concat(setId, Uint8Array.of(7), header);

/** The file, of contents in order. */
export function sealRescue({ setId, member: index, epoch: removal, time: when, verifyKey }, sealingKey, contents, entropy) {
  const header = encode([SUITE, setId, index, removal, when, verifyKey]);
  const context = contextOf(setId, header);
  const key = entropy.draw('rescue key', 32);
  const parts = [u32(header.length), header, sealTo(sealingKey, context, key, entropy)];
  contents.forEach((content, n) => {
    const mark = Uint8Array.of(n === contents.length - 1 ? 1 : 0);
    const part = concat(mark, seal(key, concat(context, u32(n), mark), encode(content), entropy, 'rescue nonce'));
    parts.push(u32(part.length), part);
  });
  return concat(...parts);
}

/** What a file says in clear, and its contents, by the kit of this seed. */
export function openRescue(seed, file) {
  const reader = new Reader(file);
  const header = reader.counted(HEADER_MAX);
  const fields = decode(header);
  shaped(fields, HEADER, 'the header of a rescue file');
  const [suite, setId, index, removal, when, verifyKey] = fields;
  altered(suite === SUITE, 'a rescue file of another suite');
  const context = contextOf(setId, header);
  const box = reader.take(SEALED_BOX);
  const key = openBox(keyFor(seed, verifyKey), context, box);
  const contents = [];
  for (let last = false; !last; ) {
    const part = reader.counted(FRAME_MAX + AE_OVERHEAD + 1);
    const mark = part.subarray(0, 1);
    altered(mark.length === 1 && mark[0] <= 1, 'a part that does not say whether it is the last');
    const plain = open(key, concat(context, u32(contents.length), mark), part.subarray(1));
    contents.push(decode(plain, { values: true }));
    last = mark[0] === 1;
  }
  altered(reader.isAtEnd, 'something behind the last part');
  return { setId, member: index, epoch: removal, time: when, verifyKey, contents };
}

function keyFor(seed, verifyKey) {
  for (let number = 0; number < KEYS_MAX; number++) {
    const keys = kitKeys(seed, number);
    if (sameBytes(keys.verifyKey, verifyKey)) return keys.sealingKey;
  }
  return must(false, 'BadCode', 'a rescue file for another kit');
}

class Reader {
  constructor(file) {
    Object.assign(this, { file, at: 0 });
  }

  get isAtEnd() {
    return this.at === this.file.length;
  }

  take(length) {
    altered(this.at + length <= this.file.length, 'a rescue file that is cut short');
    this.at += length;
    return this.file.subarray(this.at - length, this.at);
  }

  /** Bytes that are led by their length. */
  counted(most) {
    const length = readU32(this.take(4), 0);
    altered(length <= most, 'a rescue file that claims too much');
    return this.take(length);
  }
}
