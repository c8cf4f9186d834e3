// Reads cards with ical.js and vcard4-ts: a JSON array of texts on stdin, for each {oracle: {property: [values]}} on
// stdout. The first argument is the node_modules folder; a library that is not there gives nothing.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const folder = process.argv[2];
const load = async (path) => {
  try { return await import(pathToFileURL(`${folder}/${path}`)); } catch { return null; }
};
const ical = (await load('ical.js/dist/ical.js'))?.default;
const vcard4 = await load('vcard4-ts/dist/index.js');
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
  for (const [name, read] of [['ical.js', ical && byIcal], ['vcard4-ts', vcard4 && byVcard4]]) {
    if (!read || (name === 'vcard4-ts' && !text.includes('VERSION:4.0'))) continue;
    try { answer[name] = read(text); } catch { /* An oracle that cannot read a card has no vote on it. */ }
  }
  return answer;
});
process.stdout.write(JSON.stringify(answers));
