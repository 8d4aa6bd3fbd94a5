import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { byHand } from '../../../infra/local/by-hand.ts';
import { readConfig } from '../../../shared/config.ts';
import { parseJobMessage } from '../../../shared/message/job-message.ts';
import { recordStates } from '../../../shared/model/record.ts';
import { root } from './processes.ts';
import { tableRows } from '../../docs/pages.ts';
import { block, blocks, readme } from './readme.ts';

const config = readConfig({ GOOGLE_CLOUD_PROJECT: 'my-project' });

describe('README', () => {
  it('explains every state of a record, the final ones last', () => {
    expect(tableRows('README.md', '| state | meaning |').map(([state]) => state)).toEqual(
      recordStates.map((state) => `\`${state}\``),
    );
  });

  it('shows a message that is one, with every field that there is', () => {
    const text = block('jsonc', 'jobKey').replace(/ *\/\/ .*$/gm, '');
    const message = JSON.parse(text.replace('{ "…": "…" }', '{ "constantValue": 1 }')) as object;
    const reading = parseJobMessage(message, { ...config, defaultProject: '', allowedProjects: ['*'] });
    expect(reading).not.toHaveProperty('issues');
    const schema = JSON.parse(readFileSync(join(root, 'docs/schemas/job-message.schema.json'), 'utf8')) as {
      properties: object;
    };
    expect(Object.keys(message)).toEqual(Object.keys(schema.properties));
  });

  it('publishes by hand as npm start says', () => {
    const { publish } = byHand({}, config.topics);
    expect(block('sh', '$(cat infra/local/examples')).toContain(publish.map((line) => line).join('\n'));
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
    expect(blocks('sh')[0]).toBe('npm ci\nnpm run demo\n');
  });
});
