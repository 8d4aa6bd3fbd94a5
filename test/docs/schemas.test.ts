import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { publishedSchemas, renderSchema } from '../../docs/generate/schemas.ts';

describe('published schemas', () => {
  it.each(publishedSchemas)('$file is current (npm run schemas writes it)', (published) => {
    const file = new URL(`../../docs/schemas/${published.file}`, import.meta.url);
    expect(readFileSync(file, 'utf8')).toBe(renderSchema(published));
  });
});
