import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { byHand } from '../../infra/local/by-hand.ts';
import { readConfig } from '../../shared/config.ts';
import { parseJobMessage } from '../../shared/message/job-message.ts';
import { recordStates } from '../../shared/model/record.ts';
import { root } from '../processes.ts';
import { codeBlock, codeBlocks, readPage, tableRows } from './pages.ts';

const config = readConfig({ GOOGLE_CLOUD_PROJECT: 'my-project' });
const readme = readPage('README.md');

describe('README', () => {
  it('explains every state of a record, the final ones last', () => {
    expect(tableRows('README.md', '| state | meaning |').map(([state]) => state)).toEqual(
      recordStates.map((state) => `\`${state}\``),
    );
  });

  it('shows a valid message with every field', () => {
    const text = codeBlock('README.md', 'jsonc', 'jobKey').replace(/ *\/\/ .*$/gm, '');
    const message = JSON.parse(text.replace('{ "…": "…" }', '{ "constantValue": 1 }')) as object;
    const reading = parseJobMessage(message, { ...config, defaultProject: '', allowedProjects: ['*'] });
    expect(reading).not.toHaveProperty('issues');
    const schema = JSON.parse(readFileSync(join(root, 'docs/schemas/job-message.schema.json'), 'utf8')) as {
      properties: object;
    };
    expect(Object.keys(message)).toEqual(Object.keys(schema.properties));
  });

  it('publishes with the command that npm start prints', () => {
    const { publish } = byHand(config.topics);
    expect(codeBlock('README.md', 'sh', '$(cat infra/local/examples')).toContain(publish.join('\n'));
  });

  it('names only scripts that package.json has', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...readme.matchAll(/\bnpm (?:run (\S+?)|(test|start))(?=[\s`;,.)])/g)].map(
      ([, script, short]) => script ?? short ?? '',
    );
    expect(named).toContain('demo');
    for (const name of named.filter((each) => each !== '…')) {
      expect(scripts).toHaveProperty([name]);
    }
  });

  it('opens with three sentences and the two commands', () => {
    const [, intro = ''] = readme.split('\n\n');
    expect(intro.replaceAll('\n', ' ').match(/\.(?= |$)/g)).toHaveLength(3);
    expect(codeBlocks('README.md')[0]?.text).toBe('npm ci\nnpm run demo\n');
  });
});
