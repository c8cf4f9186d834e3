// Reads cards with ical.js and vcard4-ts: a JSON array of texts on stdin, for each {oracle: {property: [values]}} on
// stdout.
import { readFileSync } from 'node:fs';
import ical from 'ical.js';
import * as vcard4 from 'vcard4-ts';

const flat = (value) => Array.isArray(value) ? value.map(flat).join('|') : String(value);

const byIcal = (text) => {
  const found = {};
  const parsed = ical.parse(text);
  for (const [name, , , ...values] of (parsed[0] === 'vcard' ? parsed : parsed[0])[1]) {
    const structured = ['n', 'adr', 'org'].includes(name);
    (found[name.toUpperCase()] ??= []).push(...values.map((value) =>
      structured && Array.isArray(value) ? value.map(flat).join(';') : flat(value)));
  }
  return found;
};
const N = ['familyNames', 'givenNames', 'additionalNames', 'honorificPrefixes', 'honorificSuffixes'];
const byVcard4 = (text) => {
  const found = {};
  const { vCards } = vcard4.parseVCards(text, false);
  if (!vCards || vCards.length !== 1) throw new Error('no card');
  for (const [name, properties] of Object.entries(vCards[0])) {
    if (!/^[A-Z]+$/.test(name)) continue;
    for (const { value } of Array.isArray(properties) ? properties : [properties]) {
      let values = Array.isArray(value) ? value.map(flat) : [value];
      if (name === 'N') values = [N.map((part) => flat(value[part] ?? '')).join(';')];
      else if (name === 'ORG') values = [value.map(flat).join(';')];
      else if (typeof value === 'object' && !Array.isArray(value)) continue;
      (found[name] ??= []).push(...values);
    }
  }
  return found;
};
const answers = JSON.parse(readFileSync(0, 'utf-8')).map((text) => {
  const answer = {};
  for (const [name, read] of [['ical.js', byIcal], ['vcard4-ts', byVcard4]]) {
    if (name === 'vcard4-ts' && !text.includes('VERSION:4.0')) continue;
    try { answer[name] = read(text); } catch { /* An oracle that cannot read a card has no vote on it. */ }
  }
  return answer;
});
process.stdout.write(JSON.stringify(answers));
