import { type Mutant, mutantsOf } from '../mutant.ts';

/** IDs, markers, and hashes: what makes two messages the same job, and an operation a record's own. */
export const identity: readonly Mutant[] = [
  ...mutantsOf(
    'shared/model/ids.ts',
    ['test/message/identity.test.ts'],
    [
      {
        name: 'id-without-project',
        removes: 'the same job key in two projects is two jobs',
        find: ': { jobKey, project }',
        replace: ': { jobKey }',
      },
      {
        name: 'content-id-without-project',
        removes: 'the same content in two projects is two jobs',
        find: '{ contentHash: job.contentHash, project }',
        replace: '{ contentHash: job.contentHash }',
      },
      {
        name: 'id-without-attempt',
        removes: 'a later attempt is another record',
        find: "${attempt > 1 ? `-${attempt}` : ''}",
        replace: '',
      },
      {
        name: 'marker-anywhere',
        removes: 'a marker counts only at the end of a description',
        rule: 5,
        find: '(?:^|_)(${requestIdSource})$',
        replace: '(?:^|_)(${requestIdSource})',
      },
      {
        name: 'marker-inside-a-word',
        removes: 'a marker is a whole word of a description',
        rule: 5,
        find: '(?:^|_)(${requestIdSource})$',
        replace: '(${requestIdSource})$',
      },
      {
        name: 'marker-beyond-the-limit',
        removes: 'the description with its marker fits into 100 characters',
        find: 'DESCRIPTION_CHARACTERS - requestId.length - 1',
        replace: 'DESCRIPTION_CHARACTERS - requestId.length',
      },
      {
        name: 'attempt-1000',
        removes: 'no attempt after 999 is created',
        find: 'attempt >= MAX_ATTEMPT || ',
        replace: '',
        tests: ['test/message/identity.test.ts', 'test/retry/retry.test.ts'],
      },
      {
        name: 'generation-not-in-request-id',
        removes: 'the request ID of a later generation is new to Earth Engine',
        rule: 2,
        find: 'generation > 1 ? `${recordId}-g${generation}` : recordId',
        replace: 'recordId',
        tests: ['test/message/identity.test.ts', 'test/submission/rules-sending.test.ts'],
      },
    ],
  ),
  ...mutantsOf(
    'shared/message/identity.ts',
    ['test/message/identity.test.ts'],
    [
      {
        name: 'hash-without-graph',
        removes: 'a job with another graph is another job',
        find: '{ ...request, expression: graphHash }',
        replace: "{ ...request, expression: '' }",
      },
      {
        name: 'marker-of-two-generations',
        removes: 'the next generation replaces the marker of the previous one',
        rule: 2,
        find: 'const description = unmarkedDescription(marked);',
        replace: 'const description = marked;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/graph-hash.ts',
    ['test/expression/graph-hash.test.ts'],
    [
      {
        name: 'unused-argument',
        removes: 'an unused argument differs from one that is the whole body',
        find: 'writer.tag(place === undefined ? tags.null : tags.position);',
        replace: 'writer.tag(tags.position);',
      },
      {
        name: 'names-never-matter',
        removes: 'argument names count if a call could be of any function',
        find: 'namesMatter: hasUnknownCallee(graph, reachable, functions)',
        replace: 'namesMatter: false',
      },
      {
        name: 'names-always-matter',
        removes: 'argument names do not count otherwise',
        find: 'namesMatter: hasUnknownCallee(graph, reachable, functions)',
        replace: 'namesMatter: true',
      },
      {
        name: 'argument-order',
        removes: "a call's arguments are hashed in the order of the function",
        find: 'positions ? orderByPosition(node, positions) : node',
        replace: 'node',
      },
      {
        name: 'hash-in-bounded-time',
        removes: 'nested functions with too many names are rejected',
        find: 'if (context.places > FREE_PLACES + PLACES_PER_NODE * context.nodes) {',
        replace: 'if (context.places < 0) {',
      },
      {
        name: 'bound-names-stay-free',
        removes: "a function's arguments are bound in its body",
        find: 'free.delete(name);',
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/read-containers.ts',
    ['test/expression/graph-hash.test.ts'],
    [
      {
        name: 'order-of-few-names',
        removes: 'the order of names in a dictionary or a call does not count',
        find: 'place > 0 && (',
        replace: 'place > 1 && (',
      },
      {
        name: 'order-of-many-names',
        removes: 'the order of names in a large dictionary does not count',
        find: 'return names.sort();',
        replace: 'return names;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/read-constants.ts',
    ['test/expression/graph-hash.test.ts'],
    [
      {
        name: 'constant-key-order',
        removes: "the order of a constant's keys does not count",
        find: 'Object.keys(map).sort()',
        replace: 'Object.keys(map)',
      },
      {
        name: 'list-length',
        removes: 'the end of a list is part of the hash',
        find: 'writer.count(items.length);',
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/canonical-bytes.ts',
    ['test/expression/graph-hash.test.ts'],
    [
      {
        name: 'two-zeros',
        removes: '-0 is sent as 0, and hashed as 0',
        find: 'value === 0 ? 0 : value',
        replace: 'value',
      },
      {
        name: 'literal-as-long-as-a-hash',
        removes: 'literal bytes cannot look like a SHA-256',
        find: 'length <= LITERAL_BYTES && length !== SHA256_BYTES',
        replace: 'length <= LITERAL_BYTES',
      },
    ],
  ),
];
