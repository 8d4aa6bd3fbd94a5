import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { meaningOf } from '../../docs/generate/fields.ts';
import { withFiles } from '../../docs/generate/includes.ts';
import { renderReference } from '../../docs/generate/reference.ts';
import { environmentSchema, readConfig } from '../../shared/config.ts';
import { readManifest } from '../../shared/batch/manifest.ts';
import { parseJobMessage } from '../../shared/message/job-message.ts';
import { collections } from '../../shared/store/collections.ts';
import { root } from '../processes.ts';
import { codeBlocks, pages, readPage, tableRows } from './pages.ts';

describe('the reference', () => {
  const reference = renderReference();

  it('is current (npm run docs writes it)', () => {
    expect(readPage('docs/reference.md')).toBe(reference);
  });

  it('has every stored field', () => {
    const shapes = (schema: object): object[] => {
      if ('shape' in schema) {
        return [schema.shape as object];
      }
      return 'options' in schema ? (schema.options as object[]).flatMap(shapes) : [];
    };
    const { records, batches, rejectedMessages, projects } = collections;
    for (const { schema } of [records, batches, rejectedMessages, projects]) {
      for (const name of shapes(schema).flatMap((shape) => Object.keys(shape))) {
        expect(reference).toMatch(new RegExp(`^\\| \`${name}\`\\??(?:,| \\|).*\\| .+ \\|$`, 'm'));
      }
    }
  });

  it('is not generated if a stored field has no description, or two', () => {
    expect(meaningOf('state', [{ description: 'The state' }, { description: 'The state' }])).toBe(
      'The state',
    );
    for (const fields of [
      [{}],
      [{ description: 'One' }, {}],
      [{ description: 'One' }, { description: 'Two' }],
    ]) {
      expect(() => meaningOf('state', fields)).toThrow('The field state needs one .describe()');
    }
  });
});

/** Variables whose default is another variable, or a list. `readConfig` proves them. */
const writtenDefaults: Readonly<Record<string, string>> = {
  EARTHENGINE_PROJECT: 'GOOGLE_CLOUD_PROJECT',
  ALLOWED_PROJECTS: 'EARTHENGINE_PROJECT',
  ALLOWED_DESTINATIONS: 'gs://*',
};

describe('the table of the environment', () => {
  it('lists every variable, its default and its meaning', () => {
    const { properties = {} } = z.toJSONSchema(environmentSchema, { io: 'input' });
    const rows = Object.entries(properties).map(([name, schema]) => {
      const { default: standard, description } = schema as { default?: string; description?: string };
      const value = standard ?? writtenDefaults[name];
      return [`\`${name}\``, value === undefined ? '' : `\`${value}\``, description];
    });
    expect(rows.length).toBeGreaterThan(20);
    expect(tableRows('docs/reference.md', '| variable | default | meaning |')).toEqual(rows);
    expect(readConfig({ GOOGLE_CLOUD_PROJECT: 'my-project' })).toMatchObject({
      earthEngineProject: 'my-project',
      allowedProjects: ['my-project'],
      allowedDestinations: ['gs://*'],
    });
  });
});

describe('pages', () => {
  it.each(pages.map((page) => [page]))(
    '%s contains the current text of the files that it includes (npm run docs writes it)',
    (page) => {
      expect(readPage(page)).toBe(withFiles(join(root, page), readPage(page)));
    },
  );

  it.each(pages.map((page) => [page]))('%s links only to existing files and headings', (page) => {
    const links = [...readPage(page).matchAll(/\]\(([^)#:]*)(?:#([^)]+))?\)/g)].map(
      ([, file = '', anchor]) => ({ target: file === '' ? page : join(dirname(page), file), anchor }),
    );
    expect(
      links.filter(
        ({ target, anchor }) =>
          !existsSync(join(root, target)) ||
          (anchor !== undefined && !anchorsOf(readPage(target)).includes(anchor)),
      ),
    ).toEqual([]);
  });

  it('are all linked from README, directly or through another page', () => {
    const reached = new Set(['README.md']);
    for (const page of reached) {
      for (const [, file = ''] of readPage(page).matchAll(/\]\(([^)#:]+\.md)(?:#[^)]+)?\)/g)) {
        reached.add(join(dirname(page), file));
      }
    }
    expect(pages.filter((page) => !reached.has(page))).toEqual([]);
  });
});

/** The anchors that GitHub gives to the headings of a page. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

/** The job that the notebook publishes, with the request as the Python client builds it. */
describe('the Python notebook', () => {
  const script = readFileSync(join(root, 'docs/guides/python-by-hand.py'), 'utf8');
  const request = JSON.parse(
    readFileSync(join(root, 'test/fixtures/requests/python-modis-ndvi-africa.json'), 'utf8'),
  ) as {
    description: string;
    videoOptions: { framesPerSecond: number };
    fileExportOptions: { cloudStorageDestination: { bucket: string; filenamePrefix: string } };
  };
  const jobLine = /^job = (\{.*\})$/m.exec(script)?.[1] ?? '';
  const job = JSON.parse(jobLine.replace(/\brequest\}$/, '0}')) as Record<string, unknown>;

  it('publishes a message that the service accepts', () => {
    const reading = parseJobMessage(
      { ...job, request },
      { defaultProject: 'my-ee-project', allowedProjects: ['*'], allowedDestinations: ['*'] },
    );
    expect(reading).toHaveProperty('job.jobKey', 'africa-ndvi/2020');
  });

  it('starts the export that the message contains', () => {
    const { bucket, filenamePrefix } = request.fileExportOptions.cloudStorageDestination;
    expect(script).toContain(`description="${request.description}"`);
    expect(script).toContain(`bucket="${bucket}"`);
    expect(script).toContain(`fileNamePrefix="${filenamePrefix}"`);
    expect(script).toContain(`framesPerSecond=${request.videoOptions.framesPerSecond}`);
    const graph = JSON.stringify(request);
    const texts = [
      ...script.matchAll(/(?:ImageCollection|filterDate|select|visualize|Rectangle)\((.*)\)/g),
    ].flatMap(([, args = '']) => [...args.matchAll(/"([^"]+)"/g)].map(([, text = '']) => text));
    expect(texts.length).toBeGreaterThan(5);
    for (const text of texts) {
      expect(graph).toContain(`"${text}"`);
    }
    expect(graph).toContain(`"maxDimension":{"constantValue":${/dimensions=(\d+)/.exec(script)?.[1]}}`);
    expect(graph).toContain(/Rectangle\((\[.*?\])/.exec(script)?.[1]?.replaceAll(' ', ''));
  });
});

describe('the weekly batch', () => {
  it('shows the manifest, except for its request', () => {
    const shown = codeBlocks('docs/guides/weekly-batch.md').find(({ language }) => language === 'jsonc');
    const manifest = JSON.parse(readFileSync(join(root, 'docs/guides/weekly-batch.json'), 'utf8')) as {
      job: { request: object };
    };
    const abridged = JSON.parse(shown?.text ?? '') as { job: { request: object } };
    expect({ ...abridged, job: { ...abridged.job, request: manifest.job.request } }).toEqual(manifest);
    expect(readManifest(manifest, new Date('2026-11-23T06:00:00Z'))).toHaveProperty(
      'manifest.run',
      '2026-11-23',
    );
  });
});
