import { fit } from '../screen.ts';
import type { Terminal } from '../terminal.ts';

export interface Frame {
  /** Draws the lines over the previous ones. No line may be wider than the terminal: a wrapped line would count as one. */
  draw(lines: readonly string[]): void;
  /** Draws a line below the others, or removes it. Anything else on the screen would move the frame. */
  notice(text: string | undefined): void;
}

const up = (lines: number) => (lines > 0 ? `\u001B[${lines}A` : '');
const CLEAR_LINE = '\u001B[2K';

export function createFrame(terminal: Terminal): Frame {
  let height = 0;
  let drawn: readonly string[] = [];
  let below: string | undefined;
  const redraw = () => {
    const lines = below === undefined ? drawn : [...drawn, fit(below, terminal.columns)];
    // A frame never gets shorter: lines below it would stay on the screen.
    const all = Array.from({ length: Math.max(height, lines.length) }, (_, index) => lines[index] ?? '');
    // In one write, or a half-drawn frame would be visible.
    terminal.out(up(height) + all.map((line) => CLEAR_LINE + line).join('\n'));
    height = all.length;
  };
  return {
    draw(lines) {
      drawn = lines;
      redraw();
    },
    notice(text) {
      below = text;
      redraw();
    },
  };
}
