import type { Cli } from '../cli.ts';
import { wrap } from '../screen.ts';
import { printable } from '../text.ts';

/** A name and its text, as `show` writes them. No field without a text is written. */
export type Field = readonly [name: string, text: string | undefined];

const NAME_WIDTH = 12;
const NARROWEST = 40;

export const widthOf = ({ terminal }: Pick<Cli, 'terminal'>): number => Math.max(NARROWEST, terminal.columns);

export function writeFields(cli: Cli, fields: readonly Field[]): void {
  for (const [name, text] of fields) {
    if (text !== undefined && text !== '') {
      writeField(cli, name, text);
    }
  }
}

function writeField(cli: Cli, name: string, text: string): void {
  const lines = wrap(printable(text), '', widthOf(cli) - NAME_WIDTH - 2);
  for (const [index, part] of lines.entries()) {
    cli.terminal.out(`  ${(index === 0 ? name : '').padEnd(NAME_WIDTH)}${part}`.trimEnd());
  }
}
