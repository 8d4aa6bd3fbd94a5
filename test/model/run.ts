import { parseArgs } from 'node:util';

import { explore } from './explore.ts';
import { controls, slices } from './slices.ts';

/** The model with budgets as large as one has time for: `node test/model/run.ts --states 1000000`. */

const { values } = parseArgs({ options: { states: { type: 'string', default: '200000' } } });
const maxStates = Number(values.states);

const print = (text: string): void => void process.stdout.write(`${text}\n`);

for (const { name, ...slice } of slices) {
  const { states, complete, violation } = explore({ ...slice, maxStates });
  print(`${String(states).padStart(9)} worlds${complete ? ', all there are' : ''}: ${name}`);
  if (violation) {
    print(`  ${violation.what}:\n    ${violation.steps.join('\n    ')}`);
    process.exitCode = 1;
  }
}

for (const { name, without, breaks, ...slice } of controls) {
  const { violation } = explore({ ...slice, maxStates, rules: { [without]: false } });
  if (violation && breaks.test(violation.what)) {
    print(`without ${name}: ${violation.what}, after\n    ${violation.steps.join('\n    ')}`);
  } else {
    print(`without ${name}: nothing was found, so the model would not see it`);
    process.exitCode = 1;
  }
}
