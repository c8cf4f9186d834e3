// The operations of vectors/README.md from encoding to snapshots, for the conformance testee (SPEC appendix B): JSON
// in, JSON out. Nothing of the protocol is here, only the names and forms of the vectors.

import { operations as cards } from './operations_cards.mjs';
import { operations as contactset } from './operations_contactset.mjs';
import { operations as encodingAndCrypto } from './operations_crypto.mjs';
import { operations as epochs } from './operations_epochs.mjs';
import { operations as log } from './operations_log.mjs';
import { operations as snapshots } from './operations_snapshots.mjs';

/** `layer::operation` → function(inputs, entropy) → outputs. */
export const operations = new Map([...encodingAndCrypto, ...cards, ...contactset, ...epochs, ...log, ...snapshots]);
