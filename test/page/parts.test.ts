import { describe, expect, it } from 'vitest';

import { createParts } from '../../page/views/parts.ts';

interface Two {
  readonly quick?: number;
  readonly slow?: number;
}

const PATIENCE_MS = 200;

/** Parts of which one takes longer than the page waits, with a clock that the test moves. */
function rig(steps = { quick: 0, slow: 1 }) {
  let nowMs = 0;
  const deadlines: (() => void)[] = [];
  const started = { quick: 0, slow: 0 };
  const waits: (() => void)[] = [];
  const stopping = new AbortController();
  const parts = createParts<Two>(
    {
      now: () => new Date(nowMs),
      sleep: (ms) => new Promise((end) => (ms === PATIENCE_MS ? setImmediate(end) : deadlines.push(end))),
    },
    steps,
    () => {},
    stopping.signal,
  );
  const read = () =>
    parts.read(
      {
        quick: async () => (started.quick += 1),
        slow: () => {
          const number = (started.slow += 1);
          return new Promise((resolve) => waits.push(() => resolve(number)));
        },
      },
      PATIENCE_MS,
    );
  return {
    read,
    started,
    stop: () => stopping.abort(),
    pass: (ms: number) => (nowMs += ms),
    /** The time of every step that began is over. */
    passDeadlines: async () => {
      deadlines.splice(0).forEach((end) => end());
      await new Promise(setImmediate);
    },
    /** The latest first, so that an earlier one comes too late. */
    finish: async () => {
      waits
        .splice(0)
        .reverse()
        .forEach((end) => end());
      await new Promise(setImmediate);
    },
  };
}

describe('a page with a part that takes long', () => {
  it('is complete when it is read again: nothing that is known is read twice', async () => {
    const { read, started, pass, finish } = rig();
    expect(await read()).toEqual({ parts: { quick: 1 }, isIncomplete: true });
    pass(1500);
    expect(await read()).toEqual({ parts: { quick: 1 }, isIncomplete: true });
    await finish();
    pass(1500);
    expect(await read()).toEqual({ parts: { quick: 1, slow: 1 }, isIncomplete: false });
    expect(started).toEqual({ quick: 1, slow: 1 });
  });

  it('begins with what takes long only when the rest is known', async () => {
    const { read, started } = rig();
    const first = read();
    expect(started).toEqual({ quick: 1, slow: 0 });
    await first;
    expect(started).toEqual({ quick: 1, slow: 1 });
  });

  it('is not read on when the process stops', async () => {
    const { read, started, stop } = rig();
    const first = read();
    stop();
    expect((await first).isIncomplete).toBe(true);
    expect(started).toEqual({ quick: 1, slow: 0 });
  });

  it('is read anew once it was complete', async () => {
    const { read, finish } = rig();
    await read();
    await finish();
    await read();
    expect(await read()).toEqual({ parts: { quick: 2, slow: 1 }, isIncomplete: true });
  });

  it('does not show what was read long ago as if it were new', async () => {
    const { read, started, pass, finish } = rig();
    await read();
    await finish();
    pass(60_000);
    expect((await read()).isIncomplete).toBe(true);
    expect(started).toEqual({ quick: 2, slow: 2 });
  });

  it('that never ends does not hide the parts of later steps, and is read again', async () => {
    const { read, started, passDeadlines, finish } = rig({ slow: 0, quick: 1 });
    expect(await read()).toEqual({ parts: {}, isIncomplete: true });
    await passDeadlines();
    expect(await read()).toEqual({ parts: { quick: 1 }, isIncomplete: true });
    await read();
    expect(started).toEqual({ slow: 2, quick: 1 });
    await finish();
    expect(await read()).toEqual({ parts: { quick: 2, slow: 2 }, isIncomplete: false });
  });

  it('that comes after its time is shown', async () => {
    const { read, passDeadlines, finish } = rig({ slow: 0, quick: 1 });
    await read();
    await passDeadlines();
    await finish();
    expect(await read()).toEqual({ parts: { quick: 1, slow: 1 }, isIncomplete: true });
  });
});
