import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { byHand } from '../../../infra/local/by-hand.ts';
import { environmentSchema, readConfig } from '../../../shared/config.ts';
import { parseJobMessage } from '../../../shared/message/job-message.ts';
import { recordStates } from '../../../shared/model/record.ts';
import { root } from './processes.ts';
import { block, blocks, readme, table } from './readme.ts';

const config = readConfig({ GOOGLE_CLOUD_PROJECT: 'my-project' });

describe('README', () => {
  it('lists every variable of the environment, its default and its meaning', () => {
    const { properties = {} } = z.toJSONSchema(environmentSchema, { io: 'input' });
    // Their defaults are other variables, or a list: `readConfig` below says whether they are right.
    const written: Readonly<Record<string, string>> = {
      EARTHENGINE_PROJECT: 'GOOGLE_CLOUD_PROJECT',
      ALLOWED_PROJECTS: 'EARTHENGINE_PROJECT',
      ALLOWED_DESTINATIONS: 'gs://*',
    };
    const rows = Object.entries(properties).map(([name, schema]) => {
      const { default: standard, description } = schema as { default?: string; description?: string };
      const value = standard ?? written[name];
      return [`\`${name}\``, value === undefined ? '–' : `\`${value}\``, description];
    });
    expect(table('| variable | default | |')).toEqual(rows);
    expect(config).toMatchObject({
      earthEngineProject: 'my-project',
      allowedProjects: ['my-project'],
      allowedDestinations: ['gs://*'],
    });
  });

  it('explains every state of a record, the final ones last', () => {
    expect(table('| state | means |').map(([state]) => state)).toEqual(
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

  it('names only scripts that package.json has, and files that are there', () => {
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
    const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, file]) => file as string);
    expect(links.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it('opens with three sentences and the two commands', () => {
    const [, intro = ''] = readme.split('\n\n');
    expect(intro.replaceAll('\n', ' ').match(/\.(?= |$)/g)).toHaveLength(3);
    expect(blocks('sh')[0]).toBe('npm ci && npm run demo\nnpm ci && npm test\n');
  });
});
