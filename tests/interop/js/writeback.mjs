// SPEC 14.8: what this device's own fold had, and the snapshot that it entered by has not, comes back once, as new
// operations: a false snapshot cannot take away what an honest device has seen.

import { fromHex, sameBytes } from './bytes.mjs';
import { OWN_OBJECT, KIT_OBJECT, deleteOperations, setOperations } from './contactset.mjs';
import { encode } from './encoding.mjs';

const WRITE_BACK_DELAY = 600_000;

/** What waits: contact id in hex → { showed, gave }, registers or undefined, and from when on (step 1). */
export function toWriteBack(showed, gave, now, entropy) {
  const kept = new Map();
  const [ours, theirs] = [showed.views(), gave.views()];
  for (const id of new Set([...ours.keys(), ...theirs.keys()])) {
    const [mine, given] = [ours.get(id)?.registers, theirs.get(id)?.registers];
    if (!sameRegisters(mine, given)) kept.set(id, { showed: mine, gave: given });
  }
  const draw = entropy.draw('write-back delay', 4);
  return { kept, due: now + (new DataView(draw.buffer, draw.byteOffset).getUint32(0) % WRITE_BACK_DELAY) };
}

/** The operations that write it back into the set as it is now (step 2): an edit made meanwhile is newer than both. */
export function writeBackOperations(kept, set, time) {
  const operations = [];
  const views = set.views();
  for (const [id, { showed, gave }] of kept) {
    const lives = set.contacts.get(id) ?? [];
    const now = views.get(id)?.registers;
    if (!showed) {
      const untouched = sameRegisters(now, gave) && id !== OWN_OBJECT && id !== KIT_OBJECT;
      if (untouched) operations.push(...deleteOperations(fromHex(id), lives, time));
      continue;
    }
    const values = stillAsGiven(showed, gave, now);
    if (values.size > 0) operations.push(...setOperations(fromHex(id), lives, values, time));
  }
  return operations;
}

/** Path → the value that was showed, or null, where the register still shows what the snapshot gave. */
function stillAsGiven(showed, gave = new Map(), now = new Map()) {
  const values = new Map();
  for (const path of new Set([...showed.keys(), ...gave.keys()])) {
    const differs = !sameValue(showed.get(path), gave.get(path));
    if (differs && sameValue(now.get(path), gave.get(path))) values.set(path, showed.get(path) ?? null);
  }
  return values;
}

const spelled = (value) => (value === undefined ? new Uint8Array(0) : encode(value));
const sameValue = (a, b) => sameBytes(spelled(a), spelled(b));
const sameRegisters = sameValue; // A map of registers is a value of the encoding, too.
