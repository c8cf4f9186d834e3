// SPEC 7.1: what is a card, and the registers that it is cut into. A card is a Map, as encoding.mjs decodes it.

import { must } from './errors.mjs';
import { Float, encode } from './encoding.mjs';
import { compareText } from './bytes.mjs';
import { contentId } from './imports.mjs';

const MAPS = new Set([
  'addresses', 'anniversaries', 'calendars', 'cryptoKeys', 'directories', 'emails', 'links', 'localizations', 'media',
  'nicknames', 'notes', 'onlineServices', 'organizations', 'personalInfo', 'phones', 'preferredLanguages',
  'schedulingAddresses', 'titles',
]);
const SETS = new Set(['keywords', 'members', 'relatedTo']);
const TEXTS = ['uid', 'kind', 'language', 'prodId', 'created', 'updated'];
const IMPLIED = new Set(['@type', 'version', 'updated', 'origin']);
/** The text that makes an entry one (step 7). */
const REQUIRED = {
  emails: 'address', phones: 'number', notes: 'note', nicknames: 'name', titles: 'name', preferredLanguages: 'language',
  personalInfo: 'value', anniversaries: 'kind', links: 'uri', calendars: 'uri', directories: 'uri',
  schedulingAddresses: 'uri', cryptoKeys: 'uri', media: 'uri',
};
const CONTACT_MAX = 262_144;
const DEPTH_MAX = 32;
// \w would do, and [A-Za-z0-9_-] says that it is ASCII alone.
const ID = /^[A-Za-z0-9_-]{1,255}$/;
const card = (condition, message) => must(condition, 'BadCard', message);
const isText = (value) => typeof value === 'string';

/** Refuses, with BadCard, what is no card within the limits. */
export function checkCard(value) {
  card(value instanceof Map, 'a card is an object'); // step 1
  card(!value.has('@type') || value.get('@type') === 'Card', 'a card of another type');
  card(!value.has('version') || ['1.0', '2.0'].includes(value.get('version')), 'a card of another version');
  checkValue(value, 0); // step 2
  card(encode(value).length <= CONTACT_MAX, 'a card of more than 256 KiB'); // step 3
  for (const name of TEXTS) card(!value.has(name) || isText(value.get(name)), `${name} is no text`); // step 4
  card(value.get('uid') !== '', 'an empty uid');
  if (value.has('name')) checkName(value.get('name')); // step 5
  for (const [name, entries] of value) {
    if (MAPS.has(name)) checkMap(name, entries);
    if (SETS.has(name)) card(entries instanceof Map && !entries.has(''), `${name} is no set of texts`); // step 8
  }
  card(!value.has('vCardProps') || Array.isArray(value.get('vCardProps')), 'vCardProps is no array'); // step 9
}

/** Step 2: what JSON can write, not too deep. */
function checkValue(value, depth) {
  card(depth <= DEPTH_MAX, 'values that nest deeper than 32');
  if (isText(value)) card(value.isWellFormed(), 'a text that is not Unicode');
  else if (typeof value === 'number') card(Number.isSafeInteger(value), 'an integer beyond ±(2^53−1)');
  else if (value instanceof Float) card(Number.isFinite(value.value), 'a number that is not finite');
  else if (Array.isArray(value)) for (const item of value) checkValue(item, depth + 1);
  else if (value instanceof Map) {
    for (const [name, item] of value) {
      card(isText(name) && name.isWellFormed(), 'a name that is no text');
      checkValue(item, depth + 1);
    }
  } else card(value === null || typeof value === 'boolean', 'a value that JSON does not have');
}

/** Step 5. */
function checkName(name) {
  card(name instanceof Map, 'a name is an object');
  card(!name.has('full') || isText(name.get('full')), 'a full name is a text');
  checkComponents(name);
}

function checkComponents(holder) {
  if (!holder.has('components')) return;
  const components = holder.get('components');
  card(Array.isArray(components), 'components are an array');
  const whole = (part) => part instanceof Map && isText(part.get('kind')) && isText(part.get('value'));
  card(components.every(whole), 'a component without a kind or value');
}

/** Steps 6 and 7. */
function checkMap(name, entries) {
  card(entries instanceof Map, `${name} is no object`);
  for (const [id, entry] of entries) {
    card(entry instanceof Map, `an entry of ${name} is no object`);
    if (name === 'localizations') continue;
    card(ID.test(id), `an id in ${name}`);
    const wanted = REQUIRED[name];
    const inline = wanted === 'uri' && entry.has('digest');
    card(wanted === undefined || isText(entry.get(wanted)) || inline, `an entry of ${name} without ${wanted}`);
    if (name === 'addresses') checkComponents(entry);
    const pref = entry.has('pref') ? entry.get('pref') : 1;
    card(Number.isInteger(pref) && pref >= 1 && pref <= 100, `a pref in ${name}`);
  }
}

// ------------------------------------------------------------------------------------------------ registers and paths

export function joinPath(property, key) {
  const escaped = property.replaceAll('~', '~0').replaceAll('/', '~1');
  return key === undefined ? escaped : `${escaped}/${key}`;
}

/** [property, key], or [property] where the path has no key. */
export function splitPath(path) {
  const slash = path.indexOf('/');
  const escaped = slash < 0 ? path : path.slice(0, slash);
  const property = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
  return slash < 0 ? [property] : [property, path.slice(slash + 1)];
}

/** A card's registers: path → value, ascending. */
export function flatten(value) {
  const registers = new Map();
  for (const [property, content] of value) {
    if (IMPLIED.has(property)) continue;
    if (property === 'vCardProps') flattenProps(content, registers);
    else if ((MAPS.has(property) || SETS.has(property)) && content.size > 0) {
      for (const [key, entry] of content) registers.set(joinPath(property, key), entry);
    } else registers.set(joinPath(property), content);
  }
  return new Map([...registers].sort(([a], [b]) => compareText(a, b)));
}

/** An array has no ids to merge by: each element is named by its content, equal ones by ordinal. */
function flattenProps(props, registers) {
  for (const prop of props) {
    const base = joinPath('vCardProps', contentId(prop));
    let path = base;
    for (let ordinal = 1; registers.has(path); ordinal++) path = `${base}-${ordinal}`;
    registers.set(path, prop);
  }
}

/** The card of these registers, version 1.0; `origin` and `blobs/…` are never part of one. */
export function assemble(registers) {
  const value = new Map([['@type', 'Card'], ['version', '1.0']]);
  for (const [path, content] of registers) {
    const [property, key] = splitPath(path);
    if (property === 'origin' || property === 'blobs') continue;
    if (key === undefined) value.set(property, content);
    else if (property === 'vCardProps') value.set(property, [...(value.get(property) ?? []), content]);
    else value.set(property, new Map([...(value.get(property) ?? []), [key, content]]));
  }
  return new Map([...value].sort(([a], [b]) => compareText(a, b)));
}
