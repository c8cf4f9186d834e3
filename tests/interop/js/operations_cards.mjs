// The operations `cards::` of vectors/README.md, for the conformance testee: JSON in, JSON out.

import { fromHex, toHex } from './bytes.mjs';
import { assemble, checkCard, flatten, joinPath, splitPath } from './cards.mjs';
import { encode } from './encoding.mjs';
import * as imports from './imports.mjs';
import { fromJson, toJson } from './values.mjs';

const text = (value) => ({ text: value });

export const operations = new Map(Object.entries({
  'cards::flatten': (inputs) => {
    const card = fromJson(inputs.card);
    checkCard(card);
    return { registers: toJson(flatten(card)) };
  },
  'cards::size': (inputs) => {
    const card = fromJson(inputs.card);
    checkCard(card);
    return { size: encode(card).length };
  },
  'cards::assemble': ({ registers }) => ({ card: toJson(assemble(fromJson(registers))) }),
  'cards::path': (inputs) => {
    const path = joinPath(inputs.property.text, inputs.key?.text);
    const [property, key] = splitPath(path);
    const output = { path: text(path), property: text(property) };
    return key === undefined ? output : { ...output, key: text(key) };
  },
  'cards::entry_ids': ({ set_id, uid, entries }) => {
    const said = entries.map(([property, value]) => [property.text, value.text]);
    return { ids: imports.entryIds(fromHex(set_id), uid.text, said).map(text) };
  },
  'cards::derive_uid': ({ set_id, lines }) => {
    return { uid: text(imports.deriveUid(fromHex(set_id), lines.map((line) => line.text))) };
  },
  'cards::base_digest': ({ path, value }) => ({ digest: toHex(imports.baseDigest(path.text, fromJson(value))) }),
  'cards::content_id': ({ value }) => ({ id: text(imports.contentId(fromJson(value))) }),
  'cards::media_digest': ({ set_id, content }) => {
    return { digest: toHex(imports.mediaDigest(fromHex(set_id), fromHex(content))) };
  },
  'cards::normalize_phone': ({ number }) => ({ normalized: text(imports.normalizePhone(number.text)) }),
  'cards::normalize_email': ({ address }) => ({ normalized: text(imports.normalizeEmail(address.text)) }),
  'cards::changes': ({ current, incoming }) => {
    return { edits: toJson(imports.changes(fromJson(current), fromJson(incoming))) };
  },
}));
