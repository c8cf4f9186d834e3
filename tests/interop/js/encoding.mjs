// SPEC 6: msgpack in a strict profile, where each value has one spelling.
//
// bytes = Uint8Array, text = string, integer = Number within ±(2^53−1), array = Array, map = Map with string keys,
// null, true, false; a float is a Float, so that 1.0 is not 1.

import { Refusal, must } from './errors.mjs';
import { compareText, concat, utf8 } from './bytes.mjs';

export const FRAME_MAX = 1_048_576;
export const DEPTH_MAX = 6;
export const VALUE_DEPTH_MAX = 32;

/** A float of 64 bits (SPEC 6.3). JavaScript's 1.0 is its 1, but their spellings differ. */
export class Float {
  constructor(value) {
    this.value = value;
  }
}

// ---------------------------------------------------------------------------------------------- encoding, SPEC 6.1

/** The one spelling of a value, as a Uint8Array; NonCanonical for what has none. */
export function encode(value) {
  const parts = [];
  write(value, parts);
  return concat(...parts);
}

function write(value, parts) {
  if (value === null) parts.push(Uint8Array.of(0xc0));
  else if (typeof value === 'boolean') parts.push(Uint8Array.of(value ? 0xc3 : 0xc2));
  else if (typeof value === 'number') parts.push(integer(value));
  else if (typeof value === 'string') writeText(value, parts);
  else if (value instanceof Float) parts.push(float(value.value));
  else if (value instanceof Uint8Array) parts.push(head(value.length, { 1: 0xc4, 2: 0xc5, 4: 0xc6 }), value);
  else if (Array.isArray(value)) {
    parts.push(head(value.length, { fix: 0x90, fixMax: 15, 2: 0xdc, 4: 0xdd }));
    for (const item of value) write(item, parts);
  } else if (value instanceof Map) writeMap(value, parts);
  else throw new Refusal('NonCanonical', 'a value that the encoding does not have');
}

function writeText(text, parts) {
  must(text.isWellFormed(), 'NonCanonical', 'a text with half of a surrogate pair');
  const bytes = utf8(text);
  parts.push(head(bytes.length, { fix: 0xa0, fixMax: 31, 1: 0xd9, 2: 0xda, 4: 0xdb }), bytes);
}

function writeMap(map, parts) {
  parts.push(head(map.size, { fix: 0x80, fixMax: 15, 2: 0xde, 4: 0xdf }));
  const keys = [...map.keys()];
  must(keys.every((key) => typeof key === 'string'), 'NonCanonical', 'a map key that is not a text');
  for (const key of keys.sort(compareText)) {
    writeText(key, parts);
    write(map.get(key), parts);
  }
}

/** The shortest head for a length; `forms` are the first bytes by the width of the length that follows. */
function head(length, forms) {
  if ('fix' in forms && length <= forms.fixMax) return Uint8Array.of(forms.fix | length);
  if (forms[1] && length < 0x100) return sized(forms[1], 1, (view) => view.setUint8(1, length));
  if (length < 0x10000) return sized(forms[2], 2, (view) => view.setUint16(1, length));
  return sized(forms[4], 4, (view) => view.setUint32(1, length));
}

function integer(n) {
  must(Number.isSafeInteger(n), 'NonCanonical', 'a number that is no integer within ±(2^53−1)');
  if (n >= 0) {
    if (n < 0x80) return Uint8Array.of(n);
    if (n < 0x100) return Uint8Array.of(0xcc, n);
    if (n < 0x10000) return sized(0xcd, 2, (view) => view.setUint16(1, n));
    if (n < 0x100000000) return sized(0xce, 4, (view) => view.setUint32(1, n));
    return sized(0xcf, 8, (view) => view.setBigUint64(1, BigInt(n)));
  }
  if (n >= -0x20) return Uint8Array.of(0x100 + n);
  if (n >= -0x80) return sized(0xd0, 1, (view) => view.setInt8(1, n));
  if (n >= -0x8000) return sized(0xd1, 2, (view) => view.setInt16(1, n));
  if (n >= -0x80000000) return sized(0xd2, 4, (view) => view.setInt32(1, n));
  return sized(0xd3, 8, (view) => view.setBigInt64(1, BigInt(n)));
}

function float(number) {
  must(Number.isFinite(number), 'NonCanonical', 'a number that is not finite');
  return sized(0xcb, 8, (view) => view.setFloat64(1, number));
}

function sized(first, width, put) {
  const bytes = new Uint8Array(1 + width);
  bytes[0] = first;
  put(new DataView(bytes.buffer));
  return bytes;
}

// ------------------------------------------------------------------------------------------ decoding, SPEC 6.2, 6.3

/**
 * The value that the bytes spell. `limit` is the object's limit in bytes; with `values` true, card values may stand in
 * it (null and floats, SPEC 6.3); `depth` is how many arrays and maps may lie in one another.
 */
export function decode(bytes, { limit = FRAME_MAX, values = false, depth } = {}) {
  must(bytes.length <= limit, 'LimitExceeded', `${bytes.length} bytes where ${limit} are allowed`);
  const reader = new Reader(bytes, values);
  const value = reader.read(depth ?? (values ? DEPTH_MAX + VALUE_DEPTH_MAX : DEPTH_MAX));
  must(reader.at === bytes.length, 'NonCanonical', 'bytes after the value');
  return value;
}

class Reader {
  constructor(bytes, values) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = 0;
    this.values = values;
  }

  /** One value, in which at most `depth` arrays and maps lie in one another. */
  read(depth) {
    const first = this.take(1)[0];
    if (first < 0x80) return first;
    if (first < 0x90) return this.map(first & 0x0f, depth);
    if (first < 0xa0) return this.array(first & 0x0f, depth);
    if (first < 0xc0) return this.text(first & 0x1f);
    if (first >= 0xe0) return first - 0x100;
    switch (first) {
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return this.take(this.number(1, 0));
      case 0xc5: return this.take(this.number(2, 0x100));
      case 0xc6: return this.take(this.number(4, 0x10000));
      case 0xcc: return this.number(1, 0x80);
      case 0xcd: return this.number(2, 0x100);
      case 0xce: return this.number(4, 0x10000);
      case 0xcf: return this.number(8, 0x100000000);
      case 0xd0: return this.negative(1, -0x20);
      case 0xd1: return this.negative(2, -0x80);
      case 0xd2: return this.negative(4, -0x8000);
      case 0xd3: return this.negative(8, -0x80000000);
      case 0xd9: return this.text(this.number(1, 32));
      case 0xda: return this.text(this.number(2, 0x100));
      case 0xdb: return this.text(this.number(4, 0x10000));
      case 0xdc: return this.array(this.number(2, 16), depth);
      case 0xdd: return this.array(this.number(4, 0x10000), depth);
      case 0xde: return this.map(this.number(2, 16), depth);
      case 0xdf: return this.map(this.number(4, 0x10000), depth);
    }
    must(this.values && (first === 0xc0 || first === 0xcb), 'NonCanonical', `a byte 0x${first.toString(16)} in front`);
    return first === 0xc0 ? null : this.float();
  }

  take(length) {
    must(length <= this.bytes.length - this.at, 'NonCanonical', 'a value cut short');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** An unsigned integer or a length of so many bytes, which no shorter form has room for. */
  number(width, least) {
    const at = this.at;
    this.take(width);
    if (width === 8) return this.exact(this.view.getBigUint64(at), (n) => n >= least);
    const n = width === 1 ? this.view.getUint8(at) : width === 2 ? this.view.getUint16(at) : this.view.getUint32(at);
    must(n >= least, 'NonCanonical', 'a number in a longer form');
    return n;
  }

  /** A signed integer, which is below what a shorter form has room for. */
  negative(width, above) {
    const at = this.at;
    this.take(width);
    if (width === 8) return this.exact(this.view.getBigInt64(at), (n) => n < above);
    const n = width === 1 ? this.view.getInt8(at) : width === 2 ? this.view.getInt16(at) : this.view.getInt32(at);
    must(n < above, 'NonCanonical', 'a number in a longer form');
    return n;
  }

  /** A BigInt as a Number. Compared before it is converted: 2^53 + 1 would become 2^53. */
  exact(big, shortest) {
    const largest = BigInt(Number.MAX_SAFE_INTEGER);
    must(big <= largest && big >= -largest, 'NonCanonical', 'an integer beyond ±(2^53−1)');
    must(shortest(Number(big)), 'NonCanonical', 'a number in a longer form');
    return Number(big);
  }

  float() {
    const at = this.at;
    this.take(8);
    const number = this.view.getFloat64(at);
    must(Number.isFinite(number), 'NonCanonical', 'a number that is not finite');
    return new Float(number);
  }

  text(length) {
    const bytes = this.take(length);
    try {
      // Without ignoreBOM a text that begins with U+FEFF would lose it: two spellings of one text.
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new Refusal('NonCanonical', 'a text that is not UTF-8');
    }
  }

  array(count, depth) {
    must(depth > 0, 'LimitExceeded', 'arrays and maps too deep in one another');
    must(count <= this.bytes.length - this.at, 'NonCanonical', 'an array with elements missing');
    const items = [];
    for (let i = 0; i < count; i++) items.push(this.read(depth - 1));
    return items;
  }

  key() {
    const first = this.bytes[this.at];
    const isText = (first >= 0xa0 && first < 0xc0) || (first >= 0xd9 && first <= 0xdb);
    must(isText, 'NonCanonical', 'a map key that is not a text');
    return this.read(0);
  }

  map(count, depth) {
    must(depth > 0, 'LimitExceeded', 'arrays and maps too deep in one another');
    must(2 * count <= this.bytes.length - this.at, 'NonCanonical', 'a map with elements missing');
    const map = new Map();
    let last = null;
    for (let i = 0; i < count; i++) {
      const key = this.key();
      must(last === null || compareText(last, key) < 0, 'NonCanonical', 'map keys out of order, or one that stands twice');
      map.set(key, this.read(depth - 1));
      last = key;
    }
    return map;
  }
}
