// SPEC 15: what goes wrong has a code. Every refusal of hostile input is a Refusal with one of these codes; any other
// exception is a bug of this implementation.

export class Refusal extends Error {
  /** `code` is a name of the error registry (SPEC 15), or of a relay's refusals (SPEC 13.8); `message` is for people. */
  constructor(code, message) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/** Throws a Refusal unless the condition holds. */
export function must(condition, code, message) {
  if (!condition) throw new Refusal(code, message);
}
