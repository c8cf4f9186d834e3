// SPEC 6.4, for fields that hold fields: predicates like those of schema.mjs, which never ask JavaScript's coercion.

import { INT_MAX, int } from './schema.mjs';

export const bytesWithin = (least, most) => (value) =>
  value instanceof Uint8Array && value.length >= least && value.length <= most;

/** Nothing, or exactly so many bytes. */
export const bytesOrNone = (length) => (value) =>
  value instanceof Uint8Array && (value.length === 0 || value.length === length);

/** Text of at most so many characters: code points, not UTF-16 units. */
export const textWithin = (most) => (value) => typeof value === 'string' && [...value].length <= most;

export const oneOf = (...allowed) => (value) => allowed.includes(value);

export const list = (test, most = INT_MAX) => (value) =>
  Array.isArray(value) && value.length <= most && value.every((item) => test(item));

export const tuple = (...tests) => (value) =>
  Array.isArray(value) && value.length === tests.length && tests.every((test, place) => test(value[place]));

export const noneOr = (test) => (value) => (Array.isArray(value) && value.length === 0) || test(value);

/** A map of at most so many counts. */
export const counts = (most) => (value) =>
  value instanceof Map && value.size <= most && [...value.values()].every((count) => int()(count));
