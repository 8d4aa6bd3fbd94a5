import { describe, expect, it } from 'vitest';

import { probedBeliefs, unprobedBeliefs } from '../../cli/probe/beliefs.ts';
import { renderBeliefs } from '../../docs/generate/beliefs.ts';
import { environmentSchema } from '../../shared/config.ts';
import { readPage } from './pages.ts';

const beliefs = Object.values({ ...probedBeliefs, ...unprobedBeliefs });

describe('the page of beliefs', () => {
  it('is current (npm run docs writes it)', () => {
    expect(readPage('docs/earth-engine.md')).toBe(renderBeliefs());
  });

  it('is linked from README, the design, and CONTRIBUTING', () => {
    expect(readPage('README.md')).toContain('](docs/earth-engine.md)');
    expect(readPage('docs/design.md')).toContain('](earth-engine.md)');
    expect(readPage('CONTRIBUTING.md')).toContain('](docs/earth-engine.md)');
  });

  it('says in sentences what each belief is, what breaks, and what adapts', () => {
    for (const { belief, ifWrong, adapts } of beliefs) {
      for (const text of [belief, ifWrong, adapts]) {
        expect(text).toMatch(/^[A-Z`].*\.$/s);
      }
    }
  });

  it('names only settings that exist', () => {
    const named = beliefs.flatMap(({ adapts, belief }) =>
      [...`${adapts} ${belief}`.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, name = '']) => name),
    );
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((name) => !(name in environmentSchema.shape))).toEqual([]);
  });
});
