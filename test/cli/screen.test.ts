import { describe, expect, it } from 'vitest';

import { bar, fit, table, wrap } from '../../cli/screen.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { sample } from '../record/samples.ts';
import { createRig, idOf, put, type Rig } from './rig.ts';

const at = (second: number) => new Date(Date.UTC(2026, 10, 23, 12, 0, second));

describe('text for 80 columns', () => {
  it('cuts a line that is longer, and marks the cut', () => {
    expect(fit('x'.repeat(80))).toHaveLength(80);
    expect(fit('x'.repeat(81))).toBe(`${'x'.repeat(79)}…`);
  });

  it('makes columns as wide as their widest cell', () => {
    expect(
      table([
        ['A', 'B'],
        ['long', 'x'],
      ]),
    ).toEqual(['  A     B', '  long  x']);
  });

  it('breaks lines at spaces, within the width, and keeps every word', () => {
    const text = 'the quick brown fox jumps over the lazy dog '.repeat(5).trim();
    const lines = wrap(text, '    ');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
    expect(lines.map((line) => line.slice(4)).join(' ')).toBe(text);
  });

  it('draws a bar of the same width for any fraction', () => {
    expect([0, 0.5, 1, 7, -1].map((fraction) => bar(fraction, 4))).toEqual([
      '░░░░',
      '██░░',
      '████',
      '████',
      '░░░░',
    ]);
  });
});

describe('the live view', () => {
  const id = idOf('a');
  const submitting = { state: 'SUBMITTING', at: at(0) };
  const pending = { state: 'PENDING', at: at(1), note: 'accepted' };

  /** Watches one record, which has the next of these states at each look. */
  async function watch(rig: Rig, looks: readonly ExportRecord[]): Promise<string> {
    const left = [...looks];
    const show = () => put(rig, id, left.shift() ?? sample('SUCCEEDED', { history: [pending] }));
    show();
    rig.whileAsleep = show;
    return (await rig.run('watch', id)).out;
  }

  it('prints each change once if standard output is not a terminal', async () => {
    const later = sample('PENDING', { history: [submitting, pending] });
    const out = await watch(createRig(), [sample('SUBMITTING', { history: [submitting] }), later, later]);
    expect(out.split('\n').slice(0, 3)).toEqual([
      '12:00:00  SUBMITTING  las-vegas/2020',
      '12:00:01  PENDING     las-vegas/2020',
      expect.stringMatching(/^12:00:\d\d {2}SUCCEEDED /),
    ]);
  });

  it('overwrites what it drew on a terminal', async () => {
    const record = sample('RUNNING', { progress: 0.5 });
    const out = await watch(createRig({ isInteractive: true }), [record, record]);
    expect(out.split('\n')[0]).not.toContain('\u001B[1A');
    expect(out).toContain('\u001B[1A\u001B[2K');
    expect(out).toContain(`${'█'.repeat(8)}${'░'.repeat(8)}  50%`);
  });
});
