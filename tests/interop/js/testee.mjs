// SPEC appendix B: the testee of a conformance run. One request a line on standard input, one answer a line on
// standard output; standard error is for people.
//
//     e2esync conformance run -- node tests/interop/js/testee.mjs

import { fromHex } from './bytes.mjs';
import { Refusal } from './errors.mjs';
import { operations as accessOperations } from './operations_access.mjs';
import { operations as coreOperations } from './operations_core.mjs';
import { commands } from './operations_device.mjs';
import { operations as scenarioOperations } from './operations_scenarios.mjs';

const operations = new Map([...coreOperations, ...accessOperations, ...scenarioOperations]);

/** The draws of a case, those of one name in their order (SPEC 5.8). */
class GivenEntropy {
  constructor(draws) {
    this.draws = [...draws];
  }

  draw(name, length) {
    const at = this.draws.findIndex((each) => each.name === name);
    if (at < 0) throw new Error(`drew "${name}", which the case does not give any more`);
    const [given] = this.draws.splice(at, 1);
    const value = fromHex(given.value);
    if (value.length !== length) throw new Error(`drew ${length} bytes of "${name}" instead of ${value.length}`);
    return value;
  }
}

const hello = () => ({ name: 'e2esync-interop', version: '1.0.0', language: 'JavaScript' });

async function answer(request) {
  if (request.command === 'hello') return { result: 'valid', output: hello() };
  if (request.command === 'perform') {
    const perform = operations.get(request.operation);
    if (!perform) return { result: 'skip', reason: `${request.operation} is not done here` };
    return { result: 'valid', output: await perform(request.input, new GivenEntropy(request.entropy)) };
  }
  const command = commands.get(request.command);
  if (!command) return { result: 'skip', reason: `${request.command} is not done here` };
  return { result: 'valid', output: (await command(request)) ?? {} };
}

/** Of a device's request its relay's own code is told, where that refused. */
const codeOf = (request, error) => (request.command === 'perform' ? error.code : (error.reason ?? error.code));

async function answerSafely(request) {
  try {
    return await answer(request);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { result: 'invalid', error: codeOf(request, error), message: error.message };
  }
}

/** Lines end with LF and nothing else: U+2028 is a character of a JSON text, and node:readline ends a line there. */
async function* linesOf(stream) {
  let begun = [];
  for await (const text of stream.setEncoding('utf8')) {
    const [first, ...others] = text.split('\n');
    begun.push(first);
    for (const next of others) {
      yield begun.join('');
      begun = [next];
    }
  }
}

for await (const line of linesOf(process.stdin)) {
  const request = JSON.parse(line);
  const said = await answerSafely(request);
  process.stdout.write(`${JSON.stringify({ id: request.id, ...said })}\n`);
}
process.exit(0);
