import type { Terminal } from '../terminal.ts';

export interface Frame {
  /** Draws the lines over the previous ones. No line may be wider than the terminal: a wrapped line would count as one. */
  draw(lines: readonly string[]): void;
}

const up = (lines: number) => (lines > 0 ? `\u001B[${lines}A` : '');
const CLEAR_LINE = '\u001B[2K';

export function createFrame(terminal: Terminal): Frame {
  let drawn = 0;
  return {
    draw(lines) {
      // A frame never gets shorter: lines below it would stay on the screen.
      const all = Array.from({ length: Math.max(drawn, lines.length) }, (_, index) => lines[index] ?? '');
      // In one write, or a half-drawn frame would be visible.
      terminal.out(up(drawn) + all.map((line) => CLEAR_LINE + line).join('\n'));
      drawn = all.length;
    },
  };
}
