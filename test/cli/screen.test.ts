import { describe, expect, it } from 'vitest';

import { createLiveView } from '../../infra/local/demo-view.ts';
import { bar, fit, table, wrap } from '../../cli/screen.ts';
import { sample } from '../record/samples.ts';

const at = (second: number) => new Date(Date.UTC(2026, 10, 23, 12, 0, second));

function output(isTTY: boolean) {
  let text = '';
  return { isTTY, write: (more: string | Uint8Array) => ((text += String(more)), true), text: () => text };
}

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
  const submitting = { state: 'SUBMITTING', at: at(0) };
  const pending = { state: 'PENDING', at: at(1), note: 'accepted' };

  it('writes each change once if standard output is not a terminal', () => {
    const out = output(false);
    const view = createLiveView(out);
    view.show([{ id: 'r', record: sample('SUBMITTING', { history: [submitting] }) }]);
    view.show([{ id: 'r', record: sample('PENDING', { history: [submitting, pending] }) }]);
    view.show([{ id: 'r', record: sample('PENDING', { history: [submitting, pending] }) }]);
    expect(out.text().split('\n')).toEqual([
      '  12:00:00.000  las-vegas/2020                  SUBMITTING',
      '  12:00:01.000  las-vegas/2020                  PENDING     accepted',
      '',
    ]);
  });

  it('draws over the previous frame on a terminal', () => {
    const out = output(true);
    const view = createLiveView(out);
    const record = sample('RUNNING', { progress: 0.5 });
    view.show([{ id: 'r', record }]);
    expect(out.text()).not.toContain('\u001B[1A');
    view.show([{ id: 'r', record }]);
    expect(out.text()).toContain('\u001B[1A\u001B[2K');
    expect(out.text()).toContain(`${'█'.repeat(10)}${'░'.repeat(10)}  50 %`);
  });
});
