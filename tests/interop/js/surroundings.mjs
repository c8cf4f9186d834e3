// What a device takes from outside: randomness, the time in milliseconds, and relays (SPEC 5.8). Whoever replays a device's life
// gives it others (operations_scenarios.mjs).

import { Connection } from './connection.mjs';
import { systemEntropy } from './crypto.mjs';

export const system = {
  entropy: systemEntropy,
  now: () => Date.now(),
  connect: (url, identity, relayKey) => Connection.member(url, identity, relayKey),
  visit: (url, relayKey) => Connection.visit(url, relayKey),
};
