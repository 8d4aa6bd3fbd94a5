import { setImmediate as settled } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import { createTurns, NoTurnError } from '../../functions/turns.ts';

/** Work that the test starts with `take` and ends with `end`. */
function createWork() {
  const started: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<string>>();
  return {
    started,
    work: (name: string) => () => {
      started.push(name);
      const ending = Promise.withResolvers<string>();
      ends.set(name, ending);
      return ending.promise;
    },
    end: (name: string) => ends.get(name)?.resolve(name),
    fail: (name: string) => ends.get(name)?.reject(new Error(name)),
  };
}

describe('turns', () => {
  it('start work while its bytes fit, in the order of the calls', async () => {
    const turns = createTurns(10, 60_000);
    const { started, work, end } = createWork();
    const taken = [
      turns.take(6, work('a')),
      turns.take(4, work('b')),
      turns.take(5, work('c')),
      turns.take(1, work('d')),
    ];
    await settled();
    expect(started).toEqual(['a', 'b']);
    end('b');
    await taken[1];
    await settled();
    // d would fit, but does not overtake c.
    expect(started).toEqual(['a', 'b']);
    end('a');
    await taken[0];
    await settled();
    expect(started).toEqual(['a', 'b', 'c', 'd']);
    end('c');
    end('d');
    expect(await Promise.all(taken)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('let work that is larger than the budget run alone', async () => {
    const turns = createTurns(10, 60_000);
    const { started, work, end } = createWork();
    const first = turns.take(1, work('small'));
    const large = turns.take(11, work('large'));
    const last = turns.take(1, work('last'));
    await settled();
    end('small');
    await first;
    await settled();
    expect(started).toEqual(['small', 'large']);
    end('large');
    await large;
    await settled();
    end('last');
    expect(await last).toBe('last');
  });

  it('continue after work that failed', async () => {
    const turns = createTurns(1, 60_000);
    const { work, end, fail } = createWork();
    const failing = turns.take(1, work('failing'));
    const next = turns.take(1, work('next'));
    await settled();
    fail('failing');
    await expect(failing).rejects.toThrow('failing');
    await settled();
    end('next');
    expect(await next).toBe('next');
  });

  it('do not come if the work before takes too long', async () => {
    const turns = createTurns(1, 5);
    const { started, work, end } = createWork();
    const slow = turns.take(1, work('slow'));
    await expect(turns.take(1, work('late'))).rejects.toThrow(NoTurnError);
    end('slow');
    await slow;
    const next = turns.take(1, work('next'));
    await settled();
    expect(started).toEqual(['slow', 'next']);
    end('next');
    expect(await next).toBe('next');
  });
});
