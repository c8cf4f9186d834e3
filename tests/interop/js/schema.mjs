// SPEC 6.4: arrays with a schema. A schema is an array of predicates, one for each element.

import { Refusal, must } from './errors.mjs';

export const INT_MAX = Number.MAX_SAFE_INTEGER;
export const MEMBER_MAX = 0xffffffff;

export const int = (least = 0, most = INT_MAX) => (value) => Number.isSafeInteger(value) && value >= least && value <= most;
export const bytes = (length) => (value) => value instanceof Uint8Array && (length === undefined || value.length === length);
export const text = (value) => typeof value === 'string';
export const array = (value) => Array.isArray(value);
export const map = (value) => value instanceof Map;
export const either = (...tests) => (value) => tests.some((test) => test(value));

export const member = int(0, MEMBER_MAX);
export const counter = int(1);
export const time = int(0);
export const epoch = int(0);

/** The value, if it is an array whose elements are what the schema says; else a Refusal. */
export function shaped(value, schema, what, code = 'NonCanonical') {
  must(Array.isArray(value) && value.length === schema.length, code, `${what} is no array of ${schema.length}`);
  const wrong = schema.findIndex((test, i) => !test(value[i]));
  must(wrong < 0, code, `${what}: element ${wrong + 1} is of another type or out of range`);
  return value;
}

/** The value, if it is an array of at most so many such arrays. */
export function listed(value, schema, what, { most = Infinity, code = 'NonCanonical' } = {}) {
  must(Array.isArray(value), code, `${what} is no array`);
  must(value.length <= most, 'LimitExceeded', `${what}: ${value.length} elements where ${most} are allowed`);
  for (const item of value) shaped(item, schema, what, code);
  return value;
}

/** Refuses elements that are not strictly ascending by `compare`. */
export function ascending(items, compare, what, code = 'NonCanonical') {
  const sorted = items.every((item, i) => i === 0 || compare(items[i - 1], item) < 0);
  must(sorted, code, `${what}: not ascending, or one that stands twice`);
}

/** The order of dots (member, counter). */
export const compareDots = ([m1, c1], [m2, c2]) => m1 - m2 || c1 - c2;

/** What `work` gives; a Refusal from it is thrown on under another code. */
export function recoded(code, work) {
  try {
    return work();
  } catch (error) {
    throw error instanceof Refusal ? new Refusal(code, error.message) : error;
  }
}
