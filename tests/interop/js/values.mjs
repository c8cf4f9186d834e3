// How vectors/README.md writes a value of the encoding in JSON: with its type, since JSON's own are fewer.

import { Refusal } from './errors.mjs';
import { Float } from './encoding.mjs';
import { fromHex, toHex } from './bytes.mjs';

/** A value of the vectors as a value of encoding.mjs. */
export function fromJson(value) {
  const [[type, content]] = Object.entries(value);
  switch (type) {
    case 'int': return content;
    case 'text': return content;
    case 'utf16': return String.fromCharCode(...content.match(/.{4}/g).map((unit) => parseInt(unit, 16)));
    case 'bytes': return fromHex(content);
    case 'bool': return content;
    case 'null': return null;
    case 'float': return new Float(new DataView(fromHex(content).buffer).getFloat64(0));
    case 'array': return content.map(fromJson);
    case 'map': return new Map(content.map(([key, item]) => [key, fromJson(item)]));
  }
  throw new Refusal('NonCanonical', `a value of the unknown type ${type}`);
}

export function toJson(value) {
  if (value === null) return { null: true };
  if (typeof value === 'boolean') return { bool: value };
  if (typeof value === 'number') return { int: value };
  if (typeof value === 'string') return { text: value };
  if (value instanceof Uint8Array) return { bytes: toHex(value) };
  if (value instanceof Float) return { float: floatBits(value.value) };
  if (Array.isArray(value)) return { array: value.map(toJson) };
  return { map: [...value].map(([key, item]) => [key, toJson(item)]) };
}

function floatBits(number) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, number);
  return toHex(bytes);
}
