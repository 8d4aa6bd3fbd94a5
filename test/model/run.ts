import { readOptions, wholeNumber } from '../../infra/local/options.ts';
import { explore } from './explore.ts';
import { controls, slices } from './slices.ts';

/** The model with any number of worlds: `npm run model -- --states 1000000`. */

const usage = `usage: npm run model [-- --states 200000]

  --states  the number of worlds to explore for each slice of the protocol`;
const { values } = readOptions(usage, { options: { states: { type: 'string', default: '200000' } } });
const maxStates = wholeNumber('states', values.states, usage);

const print = (text: string): void => void process.stdout.write(`${text}\n`);

for (const { name, ...slice } of slices) {
  const { states, complete, violation } = explore({ ...slice, maxStates });
  print(`${String(states).padStart(9)} worlds${complete ? ', which is all' : ''}: ${name}`);
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
    print(`without ${name}: nothing was found, so the model would not detect it`);
    process.exitCode = 1;
  }
}
