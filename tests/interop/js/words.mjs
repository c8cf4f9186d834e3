// SPEC 12.4, 12.5: words of the BIP-39 English list, each standing for eleven bits, from the front.

import { createHash } from 'node:crypto';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { must } from './errors.mjs';

const WORD_BITS = 11;
const KIT_BYTES = 32;
const KIT_WORDS = 24;
const PLACES = new Map(wordlist.map((word, place) => [word, place]));

/** The words of the first `count` times eleven bits. */
export function firstWords(bytes, count) {
  const words = [];
  for (let at = 0; at < count; at++) {
    let place = 0;
    for (let bit = at * WORD_BITS; bit < (at + 1) * WORD_BITS; bit++) {
      place = place * 2 + ((bytes[bit >> 3] >> (7 - (bit & 7))) & 1);
    }
    words.push(wordlist[place]);
  }
  return words;
}

function checksum(seed) {
  return createHash('sha256').update(seed).digest()[0];
}

/** The words of a kit's seed: 256 bits, and eight of SHA-256 of them (BIP-39). */
export function wordsOfSeed(seed) {
  must(seed.length === KIT_BYTES, 'BadCode', 'a recovery kit is made of 32 bytes');
  return firstWords(Uint8Array.of(...seed, checksum(seed)), KIT_WORDS);
}

/** What a person types: in any case and spacing, with or without numbers before the words. */
export function typedWords(text) {
  const parts = text.split(/\s+/).filter((part) => part !== '' && !/^[0-9]+[.:)]?$/.test(part));
  // Lower case by ASCII alone: JavaScript makes a k of the Kelvin sign.
  return parts.map((part) => part.replace(/[A-Z]/g, (letter) => letter.toLowerCase()));
}

export function seedOfWords(text) {
  const words = typedWords(text);
  words.forEach((word, place) => must(PLACES.has(word), 'BadCode', `word ${place + 1} is not of the list`));
  must(words.length === KIT_WORDS, 'BadCode', `${words.length} words where a kit has ${KIT_WORDS}`);
  let number = 0n;
  for (const word of words) number = (number << 11n) | BigInt(PLACES.get(word));
  const bytes = new Uint8Array(Buffer.from(number.toString(16).padStart(66, '0'), 'hex'));
  const seed = bytes.slice(0, KIT_BYTES);
  must(bytes[KIT_BYTES] === checksum(seed), 'BadCode', 'one of the words is another, or they are in another order');
  return seed;
}
