// SPEC 14.7: what a device does that has met another history: nothing that it holds is lost to the others.

import { sameBytes, toHex } from './bytes.mjs';
import { Refusal, must } from './errors.mjs';
import { envelopeHash, expandHead, nextLogHash } from './log.mjs';
import { fetchBatches, fetchLog } from './reading.mjs';

/** Steps 2 to 5. Gives notices. */
export async function heal(replica, connection, restored) {
  if (connection.welcome.head.epoch > replica.epoch) return []; // Step 4: entering looks at nothing of its own log.
  let log = await wholeLog(replica, connection);
  const same = replica.hashes.every((hash, at) => at < log.hashes.length && sameBytes(hash, log.hashes[at]));
  if (same) {
    replica.unsure = undefined;
    return [];
  }
  // Step 3: every envelope that this device holds and the relay lacks, as it was and in order, whoever wrote it.
  const there = new Set(log.envelopes.map((envelope) => toHex(envelopeHash(envelope))));
  for (const envelope of replica.envelopes) {
    if (!there.has(toHex(envelopeHash(envelope)))) await connection.ask('APPEND', replica.epoch, envelope);
  }
  log = await wholeLog(replica, connection);
  const items = await fetchBatches(replica, connection, log.envelopes);
  replica.rewind();
  replica.fold(log.envelopes, items);
  replica.unsure = undefined;
  replica.signedHead = log.signed;
  replica.incarnation = connection.welcome.head.incarnation;
  if (restored) replica.restoredIn = replica.epoch;
  return restored ? [] : ['ForkDetected'];
}

/** The epoch's log from its beginning, verified up to the relay's head, before anything moves (step 2). */
async function wholeLog(replica, connection) {
  const { envelopes, short } = await fetchLog(connection, replica.epoch, 1);
  const { recordHash } = replica.chain;
  const hashes = [recordHash];
  for (const envelope of envelopes) hashes.push(nextLogHash(hashes.at(-1), envelope));
  must(short[0] === envelopes.length, 'RemoteProtocolError', "the relay's head is not at the end of its log");
  const { incarnation } = connection.welcome.head;
  const known = { epoch: replica.epoch, logHash: hashes.at(-1), recordHash, incarnation };
  try {
    return { envelopes, hashes, signed: expandHead(replica.setId, replica.chain.relayKey, short, known) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal('ForkDetected', "the relay's head is not of the log that it sent");
  }
}
