import { describe, expect, it } from 'vitest';

import { codes } from '../../shared/expression/check/codes.ts';
import { readPage } from './pages.ts';

const page = readPage('docs/checks.md');
const sections = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((text) => [text.slice(0, text.indexOf('\n')), text]),
);

describe('docs/checks.md', () => {
  it('explains every code, errors first, in the order of the code', () => {
    expect([...sections.keys()]).toEqual(Object.keys(codes));
    const warnings = page.indexOf('## Warnings');
    for (const [code, severity] of Object.entries(codes)) {
      expect(page.indexOf(`### ${code}`) < warnings, code).toBe(severity === 'ERROR');
    }
  });

  it.each(Object.entries(codes))(
    'has an example and a fix of %s, and a source if it is an error',
    (code, severity) => {
      const section = sections.get(code) ?? '';
      expect(section).toMatch(/^- Example: /m);
      expect(section).toMatch(/^- Fix: /m);
      expect(/^- Source: [^]*https:\/\//m.test(section)).toBe(severity === 'ERROR');
    },
  );
});
