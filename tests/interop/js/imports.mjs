// SPEC 7.2, 7.3: ids and digests of imported cards, and what a re-import edits.

import { Float, encode } from './encoding.mjs';
import { compareText, concat, sameBytes, toHex, utf8 } from './bytes.mjs';
import { hashAs } from './crypto.mjs';

const NUL = Uint8Array.of(0);
const base64url = (bytes) => Buffer.from(bytes).toString('base64url');

/** The ids of a card's entries [[property, normalized value], …], in their order. */
export function entryIds(setId, uid, entries) {
  const counts = new Map();
  return entries.map(([property, value]) => {
    const said = `${uid}\0${property}\0${value}`;
    const ordinal = counts.get(said) ?? 0;
    counts.set(said, ordinal + 1);
    const text = ordinal === 0 ? said : `${said}\0${ordinal}`;
    return base64url(hashAs('e2esync-entry-id', utf8(text), { key: setId, size: 6 }));
  });
}

/** The uid of a card without one: a UUID of version 8 from its normalized lines. */
export function deriveUid(setId, lines) {
  const text = [...lines].sort(compareText).map((line) => `${line}\n`).join('');
  const bytes = hashAs('e2esync-card-uid', utf8(text), { key: setId, size: 16 });
  bytes[6] = (bytes[6] & 0x0f) | 0x80;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return toHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export function baseDigest(path, value) {
  return hashAs('e2esync-cardbase', concat(utf8(path), NUL, utf8(json(value))), { size: 4 });
}

export function contentId(value) {
  return base64url(hashAs('e2esync-entry-id', utf8(json(value)), { size: 6 }));
}

export function mediaDigest(setId, content) {
  return hashAs('e2esync-media-dg', content, { key: setId, size: 16 });
}

// --------------------------------------------------------------------------------------------------- JSON, SPEC 7.2

/** JSON with keys sorted by UTF-8 bytes and without white space. JSON.stringify would sort nothing and write 1.0 as 1. */
export function json(value) {
  if (value instanceof Float) return floatText(value.value);
  if (Array.isArray(value)) return `[${value.map(json).join()}]`;
  if (value instanceof Map) {
    const keys = [...value.keys()].sort(compareText);
    return `{${keys.map((key) => `${JSON.stringify(key)}:${json(value.get(key))}`).join()}}`;
  }
  return JSON.stringify(value);
}

/** The fewest digits that read back as the number: JavaScript's, laid out as SPEC 7.2 says. */
function floatText(number) {
  const [mantissa, exponentText] = Math.abs(number).toExponential().split('e');
  const sign = Object.is(number, -0) || number < 0 ? '-' : '';
  const exponent = Number(exponentText);
  const digits = mantissa.replace('.', '');
  if (exponent < -4 || exponent >= 16) {
    const width = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${width}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

// ------------------------------------------------------------------------------------------ normalized values, 7.2

/** Without white space around it: Unicode's, and U+001C to U+001F. String.trim would take U+FEFF and leave U+0085. */
export function trimmed(text) {
  return text.replace(/^[\p{White_Space}\x1c-\x1f]+|[\p{White_Space}\x1c-\x1f]+$/gu, '');
}

/** Full case folding, which JavaScript lacks: toLowerCase leaves ß and knows a last sigma. */
export function caseFolded(text) {
  return [...text].map(foldCharacter).join('');
}

function foldCharacter(character) {
  if (character === 'ı') return character; // Its capital is I, and it does not fold to i.
  if (/\p{Script=Cherokee}/u.test(character)) return character.toUpperCase(); // Cherokee folds to capitals.
  const capitals = character.toLowerCase().toUpperCase();
  return [...capitals].map((capital) => capital.toLowerCase()).join('');
}

export function normalizePhone(number) {
  let text = number;
  if (/^tel:/i.test(text)) text = text.slice(4).split(';')[0];
  if (text.includes('+')) text = text.replace('(0)', '');
  const kept = text.replaceAll('＋', '+').replace(/[^\p{Nd}+*#]/gu, '');
  const digits = kept.replace(/\p{Nd}/gu, (digit) => String(digitValue(digit))).replace(/^00/, '+');
  return digits || caseFolded(trimmed(number));
}

/** Unicode's decimal digits stand in runs of ten, from zero. */
function digitValue(digit) {
  let first = digit.codePointAt(0);
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first--;
  return (digit.codePointAt(0) - first) % 10;
}

export function normalizeEmail(address) {
  return caseFolded(trimmed(address).replace(/^mailto:/i, ''));
}

// ------------------------------------------------------------------------------------------------- re-import, 7.3

/** What a re-import edits: path → value, null for what goes. Both are registers, with their `origin`. */
export function changes(current, incoming) {
  const known = lastImport(current.get('origin'));
  const inLast = (path, value) => known.has(toHex(baseDigest(path, value)));
  const edits = new Map();
  for (const [path, value] of incoming) {
    const same = current.has(path) && sameBytes(encode(current.get(path)), encode(value));
    if (path === 'uid' || same) continue;
    if (path === 'origin' || !inLast(path, value)) edits.set(path, value);
  }
  for (const [path, value] of current) {
    const gone = !incoming.has(path) && path !== 'uid' && path !== 'origin';
    if (gone && inLast(path, value)) edits.set(path, null);
  }
  return new Map([...edits].sort(([a], [b]) => compareText(a, b)));
}

/** The base digests of the last import, in hex. */
function lastImport(origin) {
  const base = origin ? toHex(origin[1]) : '';
  return new Set(base.match(/.{8}/g) ?? []);
}
