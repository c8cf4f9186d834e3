// Byte strings: everything here is a plain Uint8Array (never a Buffer, whose `slice` shares memory where a
// Uint8Array's copies). SPEC 3 gives the notation: u32, u64 and ‖ are big-endian integers and concatenation.

const UTF8 = new TextEncoder();

/** Hex digits as bytes. Buffer.from stops at the first wrong digit without a word, so the length is compared. */
export function fromHex(hex) {
  const bytes = new Uint8Array(Buffer.from(hex, 'hex'));
  if (bytes.length * 2 !== hex.length) throw new TypeError('not hexadecimal');
  return bytes;
}

export function toHex(bytes) {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** UTF-8 of a text. The caller has made sure that it is well-formed: TextEncoder would put U+FFFD for half a pair. */
export function utf8(text) {
  return UTF8.encode(text);
}

export function u16(number) {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, number);
  return bytes;
}

export function u32(number) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

export function u64(number) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}

export function readU16(bytes, at) {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint16(at);
}

export function readU32(bytes, at) {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}

/** A number of eight bytes; beyond 2^53 it is not exact, and greater than every number that may stand there. */
export function readU64(bytes, at) {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at));
}

/** The order of byte strings: byte by byte, and the shorter one first. */
export function compareBytes(a, b) {
  return Buffer.compare(a, b);
}

/** The order of texts in SPEC 6.1: by UTF-8 bytes. JavaScript's own `<` goes by UTF-16 units, which puts U+10000 before U+FFFF. */
export function compareText(a, b) {
  return Buffer.compare(utf8(a), utf8(b));
}

/** Not in constant time: for what is public. Secrets and commitments are compared by crypto.mjs `equal`. */
export function sameBytes(a, b) {
  return Buffer.compare(a, b) === 0;
}

export const ZERO32 = new Uint8Array(32);
