import { describe, expect, it } from 'vitest';

import { usedMessages } from '../../infra/used-messages.ts';

const message = (types: readonly string[], nested = {}) => ({
  fields: Object.fromEntries(types.map((type, id) => [`field${id}`, { type, id }])),
  nested,
});
const api = {
  nested: {
    a: {
      nested: {
        v1: {
          options: { java_package: 'a' },
          nested: {
            Reader: { methods: { Read: { requestType: 'Request', responseType: 'b.Response' } } },
            Writer: { methods: { Write: { requestType: 'Write', responseType: '.a.v1.Request' } } },
            Request: message(['string', 'Order', 'Tree'], {
              Order: { values: { UP: 0 } },
              Unused: message(['Write']),
            }),
            Tree: message(['Tree', 'Leaf']),
            Leaf: { ...message([]), options: { deprecated: true } },
            Write: message(['Leaf']),
          },
        },
      },
    },
    b: { nested: { Response: message(['Leaf']), Leaf: message([]) } },
  },
};

describe('the messages that services use', () => {
  it('are those of their methods, and what these have in their fields', () => {
    const { a, b } = (JSON.parse(usedMessages(JSON.stringify(api), ['a.v1.Reader'])) as typeof api).nested;
    const { Reader, Request, Tree, Leaf } = api.nested.a.nested.v1.nested;
    expect(a.nested.v1).toEqual({
      options: { java_package: 'a' },
      nested: {
        Reader,
        Request: { ...Request, nested: { Order: { values: { UP: 0 } } } },
        Tree: { fields: Tree.fields },
        Leaf: { fields: {}, options: { deprecated: true } },
      },
    });
    expect(Leaf.options).toEqual({ deprecated: true });
    // A name is looked up in its own scope first.
    expect(Object.keys(b.nested)).toEqual(['Response', 'Leaf']);
  });

  it('are an error if there is no such service', () => {
    expect(() => usedMessages(JSON.stringify(api), ['a.v2.Reader'])).toThrow('No description of a.v2.Reader');
  });
});
