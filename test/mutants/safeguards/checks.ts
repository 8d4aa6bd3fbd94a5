import { type Mutant, mutantsOf } from '../mutant.ts';

const broken = 'test/expression/check/broken-requests.test.ts';
const good = 'test/expression/check/good-requests.test.ts';
const property = 'test/expression/check/property.test.ts';
const joined = 'test/expression/check/joined.test.ts';
const steps = 'test/expression/check/steps.test.ts';
const service = 'test/submission/video-check.test.ts';

/** The checker of graphs: it finds what is certain, nothing that is not, and in bounded time. */
export const checks: readonly Mutant[] = [
  ...mutantsOf(
    'shared/expression/check/frames.ts',
    [broken, property],
    [
      {
        name: 'any-result-is-a-video',
        removes: 'a result that is no image collection is an error',
        find: 'if (!isMaybeCollection(result)) {',
        replace: 'if (false) {',
      },
      {
        name: 'unknown-result-refused',
        removes: 'nothing unknown is an error',
        find: "    case 'Unknown':\n      return true;",
        replace: "    case 'Unknown':\n      return false;",
        tests: [joined],
      },
      {
        name: 'unlimited-frames',
        removes: 'more frames than maxFrames are an error',
        find: 'if (result.min > maxFrames) {',
        replace: 'if (false) {',
      },
      {
        name: 'one-frame-too-few',
        removes: 'as many frames as maxFrames are no error',
        find: 'if (result.min > maxFrames) {',
        replace: 'if (result.min >= maxFrames) {',
        tests: [property],
      },
      {
        name: 'gray-frames',
        removes: 'frames without three bands are an error',
        find: 'if (bands !== undefined && bands !== 3) {',
        replace: 'if (false) {',
      },
      {
        name: 'frames-of-any-type',
        removes: 'frames that are not 8-bit are an error',
        find: "} else if (pixels !== undefined && pixels !== 'byte') {",
        replace: '} else if (false) {',
      },
      {
        name: 'unlimited-pixels',
        removes: 'more pixels than maxPixelsPerFrame are an error',
        find: 'if (atLeast > maxPixelsPerFrame) {',
        replace: 'if (false) {',
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/check/arguments.ts',
    [broken, property],
    [
      {
        name: 'missing-argument-accepted',
        removes: 'a required argument that is missing is an error',
        find: 'if (present < required.length) {',
        replace: 'if (false) {',
      },
      {
        name: 'unknown-argument-accepted',
        removes: 'an argument that the algorithm does not have is an error',
        find: '      reportUnknownArgument(call, signature, given);\n',
        replace: '',
      },
      {
        name: 'impossible-type-accepted',
        removes: 'an argument of an impossible type is an error',
        find: 'if (isAmong(declared.impossible, value)) {',
        replace: 'if (false) {',
      },
      {
        name: 'impossible-items-accepted',
        removes: 'a list whose items have an impossible type is an error',
        find: "} else if (value.kind === 'List' && isAmong(declared.impossibleItems, value.item)) {",
        replace: '} else if (false) {',
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/check/codes.ts',
    [broken],
    [
      {
        name: 'unknown-algorithm-refused',
        removes: 'an algorithm that the table does not have is a warning',
        find: "UNKNOWN_ALGORITHM: 'WARNING',",
        replace: "UNKNOWN_ALGORITHM: 'ERROR',",
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/check/images.ts',
    [good, property, broken],
    [
      {
        name: 'patterns-as-names',
        removes: 'a selector with pattern characters selects any number of bands',
        find: "typeof selector === 'number' || (typeof selector === 'string' && !pattern.test(selector)),",
        replace: "typeof selector === 'number' || typeof selector === 'string',",
      },
      {
        name: 'unknown-palette-is-none',
        removes: 'visualize of one band with a palette that is not known may make three bands',
        find: "palette !== undefined || (force !== undefined && !(force.kind === 'Boolean' && force.value === false));",
        replace: "force !== undefined && !(force.kind === 'Boolean' && force.value === false);",
        tests: [joined],
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/check/value.ts',
    [good, property, steps, joined],
    [
      {
        name: 'join-keeps-the-first',
        removes: 'only what is certain of both cases of a condition is certain',
        find: 'if (a.kind !== b.kind || depth > MAX_JOINED) {\n    return UNKNOWN;\n  }',
        replace: 'if (a.kind !== b.kind || depth > MAX_JOINED) {\n    return a;\n  }',
      },
      {
        name: 'infinitely-many-frames',
        removes: 'a count of frames in a finding is finite',
        find: 'Math.min(count, Number.MAX_SAFE_INTEGER)',
        replace: 'count',
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/check/higher-order.ts',
    [good, property, joined],
    [
      {
        name: 'loop-keeps-its-first-state',
        removes: 'after any number of rounds, only the type of a state is known',
        find: "join(widen(argument(call, 'first') ?? UNKNOWN), widen(returned)),",
        replace: "argument(call, 'first') ?? returned,",
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/check/interpret.ts',
    [steps],
    [
      {
        name: 'entries-repeated-without-end',
        removes: 'a check takes time in proportion to the size of its graph',
        find: 'if (machine.work > REPETITIONS * machine.firstWork + FREE_REPETITIONS) {',
        replace: 'if (machine.work > 100 * machine.firstWork + FREE_REPETITIONS) {',
      },
      {
        name: 'arguments-confused',
        removes: 'an entry is looked at again where its arguments mean something else',
        find: '  if (level === 0 || where === here) {\n    return true;\n  }',
        replace: '  if (level >= 0) {\n    return true;\n  }',
        tests: [joined],
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/check/report.ts',
    ['test/expression/check/hostile.test.ts'],
    [
      {
        name: 'a-finding-for-each-node',
        removes: 'a graph with a million mistakes has few findings',
        find: 'if (counts[severity] >= MAX_OF_EACH_SEVERITY) {',
        replace: 'if (counts[severity] >= 10 * MAX_OF_EACH_SEVERITY) {',
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/code/expression-code.ts',
    ['test/expression/code/hostile.test.ts'],
    [
      {
        name: 'code-without-end',
        removes: 'the code of a graph is bounded',
        find: 'const MAX_NODES = 50_000;',
        replace: 'const MAX_NODES = 1_000_000;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/message/job-message.ts',
    [service],
    [
      {
        name: 'errors-of-graphs-ignored',
        removes: 'a message whose graph has an error is rejected',
        find: 'const errors = rejectedBy(findings, rules);',
        replace: 'const errors: ReturnType<typeof rejectedBy> = [];',
      },
    ],
  ),
];
