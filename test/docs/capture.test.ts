import { statSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { captureDemo } from '../../docs/generate/capture.ts';
import { renderTerminal } from '../../docs/generate/terminal-svg.ts';
import { root } from '../processes.ts';
import { readPage } from './pages.ts';

describe("README's image of the demo", () => {
  it('is current (npm run capture writes it), and small', async () => {
    expect(readPage('docs/images/demo.svg')).toBe(await captureDemo());
    expect(statSync(join(root, 'docs/images/demo.svg')).size).toBeLessThan(40_000);
  });
});

describe('a terminal as an image', () => {
  const image = renderTerminal(
    [
      { atMs: 0, text: 'same\n\u001B[33mWAITING\u001B[39m  <a>\n' },
      { atMs: 500, text: '\u001B[1A\u001B[2K\u001B[32mSUCCEEDED\u001B[39m\n' },
      { atMs: 500, text: 'done\n' },
    ],
    80,
  );

  it('shows each screen in turn, and then keeps the last one', () => {
    const [fixed = '', first = '', last = ''] = image.split(/^<g.*>$/m);
    expect(fixed).toContain('>same</text>');
    expect(first).toContain('<set attributeName="visibility" to="visible" begin="0s" dur="0.5s"/>');
    expect(first).toMatch(/<text x="14.0".* class="s33">WAITING<\/text>\n<text x="84.2".*>&lt;a&gt;<\/text>/);
    expect(last).toMatch(/class="s32">SUCCEEDED<\/text>\n.*>done<\/text>/);
    expect(last).not.toContain('WAITING');
    expect(image.match(/visibility="hidden"/g)).toHaveLength(1);
  });
});
