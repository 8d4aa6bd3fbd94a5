import { mkdtemp, readFile, rm, writeFile, mkdir } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { changeContexts, type Contexts, contextsFile, withContext } from '../../cli/service/contexts.ts';
import { chooseService } from '../../cli/service/service.ts';
import { createRig, settings, type Rig } from './rig.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'contexts-'));
});
afterEach(() => rm(home, { recursive: true }));

/** A terminal of this user with these variables. */
const terminal = (variables: Readonly<Record<string, string>> = {}): Rig =>
  createRig({ environment: { XDG_CONFIG_HOME: home, ...variables } });

const local = {
  kind: 'local',
  running: {
    environment: {
      GOOGLE_CLOUD_PROJECT: 'demo-video-exports',
      FIRESTORE_EMULATOR_HOST: '127.0.0.1:1',
      PUBSUB_EMULATOR_HOST: '127.0.0.1:2',
      EARTHENGINE_EMULATOR_HOST: '127.0.0.1:3',
    },
    pid: 1,
    folder: '/clone',
  },
} as const;

/** As `npm start` does. */
const startLocal = () =>
  changeContexts({ XDG_CONFIG_HOME: home }, (contexts) => withContext(contexts, 'local', local));

describe('contexts', () => {
  it('make a service known to every other terminal', async () => {
    const used = await terminal().run('context', 'use', 'production', '--project', 'my-project');
    expect(used).toEqual({
      code: 0,
      out: 'Using production: project my-project, database (default).\n',
      err: '',
    });
    const { err } = await terminal().run('show', 'nothing');
    expect(err).toMatch(/\nService: production \(project my-project, database \(default\)\)\n$/);
  });

  it('are listed, with a star at the one in use', async () => {
    await startLocal();
    await terminal().run('context', 'use', 'staging', '--project', 'my-staging', '--database', 'videos');
    const { out } = await terminal().run('context', 'list');
    expect(out.split('\n')).toEqual([
      '   CONTEXT  SERVICE',
      '   local    on this machine, started in /clone',
      '*  staging  project my-staging, database videos',
      '',
    ]);
    const { out: json } = await terminal().run('context', 'list', '--json');
    expect(JSON.parse(json)).toMatchObject({
      contexts: [
        { name: 'local', isInUse: false },
        { name: 'staging', isInUse: true },
      ],
    });
  });

  it('explain how to get one if there is none', async () => {
    expect((await terminal().run('context', 'list')).err).toMatch(/npm start .* context use NAME --project/);
    const { code, err } = await terminal().run('list');
    expect(code).toBe(2);
    expect(err).toMatch(/^.*No service is chosen\. .*npm start.*context use.*GOOGLE_CLOUD_PROJECT.*\n$/);
    expect((await terminal().run('--version')).out).toMatch(
      /\nService: not chosen yet \(npm start, or context use NAME --project PROJECT\)\n$/,
    );
  });

  it.each([
    [['context', 'use', 'prodction'], /There is no context prodction\. Did you mean production\?/],
    [['context', 'use', 'other'], /There is no context other\. There is production\./],
    [['list', '--context', 'other'], /There is no context other\./],
    [['context', 'use', 'Other'], /A context's name has lowercase letters/],
    [['context', 'use', 'local', '--project', 'p-1'], /local is the service of npm start/],
    [['context', 'use', 'x', '--database', 'd'], /Give --project together with --database/],
    [['context', 'use', 'x', '--project', 'A b'], /GOOGLE_CLOUD_PROJECT must be/],
    [['list', '--context', 'production', '--project', 'p-1'], /either --context or --project/],
  ])('%s is refused', async (args, message) => {
    await terminal().run('context', 'use', 'production', '--project', 'my-project');
    const { code, err } = await terminal().run(...args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  it('report that variables of this terminal win', async () => {
    await terminal().run('context', 'use', 'production', '--project', 'my-project');
    const shell = terminal({ GOOGLE_CLOUD_PROJECT: 'another' });
    expect((await shell.run('--version')).out).toMatch(
      /^ee-video-exports \d+\.\d+\.\d+\nService: project another, database \(default\), from GOOGLE_CLOUD_PROJECT\n$/,
    );
    expect((await shell.run('context', 'use', 'production')).err).toBe(
      'This terminal still uses GOOGLE_CLOUD_PROJECT: unset them to use the context here.\n',
    );
    expect((await shell.run('show', 'x', '--context', 'production')).err).toMatch(/Service: production /);
  });

  it('of a stopped local service reach no other service', async () => {
    await terminal().run('context', 'use', 'production', '--project', 'my-project');
    await startLocal();
    await changeContexts({ XDG_CONFIG_HOME: home }, (contexts) =>
      withContext(contexts, 'local', { kind: 'local' }),
    );
    const { code, err } = await terminal().run('list');
    expect(code).toBe(2);
    expect(err).toMatch(/The service of the context local is not running\. Start it with npm start/);
  });

  it('are printed as export lines for other programs', async () => {
    await startLocal();
    const { out } = await terminal().run('context', 'env');
    expect(out.split('\n')).toEqual([
      "export GOOGLE_CLOUD_PROJECT='demo-video-exports'",
      "export FIRESTORE_EMULATOR_HOST='127.0.0.1:1'",
      "export PUBSUB_EMULATOR_HOST='127.0.0.1:2'",
      "export EARTHENGINE_EMULATOR_HOST='127.0.0.1:3'",
      "export CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB='http://127.0.0.1:2/'",
      "export CLOUDSDK_AUTH_DISABLE_CREDENTIALS='true'",
      '',
    ]);
  });

  it('are in a file of the user alone, which is never half written', async () => {
    await startLocal();
    const file = contextsFile({ XDG_CONFIG_HOME: home }) ?? '';
    expect(file).toBe(join(home, 'ee-video-exports', 'contexts.json'));
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ current: 'local' });
    await writeFile(file, '{');
    const { code, err } = await terminal().run('list');
    expect(code).toBe(2);
    expect(err).toContain(`Cannot read the contexts in ${file}. Fix or delete the file.`);
  });

  it.each([
    [{ XDG_CONFIG_HOME: '/x' }, '/x/ee-video-exports/contexts.json'],
    [{ XDG_CONFIG_HOME: 'relative', HOME: '/h' }, '/h/.config/ee-video-exports/contexts.json'],
    [{ HOME: '/h' }, '/h/.config/ee-video-exports/contexts.json'],
    [{}, undefined],
  ])('%o: the file is %s', (environment, file) => {
    expect(contextsFile(environment)).toBe(file);
  });

  it('need no folder that exists', async () => {
    await mkdir(join(home, 'deep'));
    const environment = { XDG_CONFIG_HOME: join(home, 'deep', 'er') };
    const { code } = await createRig({ environment }).run('context', 'use', 'a', '--project', 'my-project');
    expect(code).toBe(0);
  });
});

/** The Python package runs the same cases (test/python/test_service.py). */
describe('a choice', () => {
  interface Case {
    readonly title: string;
    readonly variables?: Readonly<Record<string, string>>;
    readonly current?: string;
    readonly context?: string;
    readonly project?: string;
    readonly finds?: Readonly<Record<string, string>>;
    readonly fails?: string;
  }
  const { contexts, cases } = JSON.parse(readFileSync('test/fixtures/service-choices.json', 'utf8')) as {
    readonly contexts: Contexts['contexts'];
    readonly cases: readonly Case[];
  };

  it.each(cases.map((each) => [each.title, each] as const))(
    '%s',
    (_title, { variables = {}, current, finds, fails, ...given }) => {
      const choose = () => chooseService(variables, given, () => ({ current, contexts }));
      if (fails !== undefined) {
        expect(choose).toThrow(new RegExp(fails));
        return;
      }
      const set = Object.entries(choose().environment).filter(([, value]) => value);
      expect(Object.fromEntries(set)).toEqual(finds);
    },
  );
});

describe('the service', () => {
  it('is never a mixture of a context and the environment', () => {
    const { environment } = chooseService({ GOOGLE_CLOUD_PROJECT: 'p-1' }, {}, () => ({
      current: 'local',
      contexts: { local },
    }));
    expect(environment).toEqual({ GOOGLE_CLOUD_PROJECT: 'p-1' });
  });

  it('is part of each error in JSON', async () => {
    const { err } = await terminal({ GOOGLE_CLOUD_PROJECT: 'p-1' }).run('show', 'x', '--json');
    expect(JSON.parse(err)).toMatchObject({
      error: { code: 'NOT_FOUND', service: 'project p-1, database (default)' },
    });
  });
});

describe('the rules for jobs', () => {
  const job = readFileSync('infra/local/examples/las-vegas-growth.json', 'utf8');

  it('come from the service, as the topics do', async () => {
    const rig = createRig({ stdin: job });
    rig.store.put('videoExportSettings/service', settings);
    const { code, err } = await rig.run('submit', '-');
    expect(code).toBe(2);
    expect(err).toMatch(/found "gs:\/\/my-bucket\/timelapse\/las-vegas"; allowed: a destination in ALLOWED_/);

    rig.store.put('videoExportSettings/service', { ...settings, allowedDestinations: ['gs://my-bucket/*'] });
    expect((await rig.run('submit', '-')).code).toBe(0);
    expect(rig.publisher.published).toMatchObject([{ topic: 'our-jobs' }]);
  });

  it('come from the environment if it sets them', async () => {
    const environment = { GOOGLE_CLOUD_PROJECT: 'demo-ee', ALLOWED_DESTINATIONS: 'gs://mine/*' };
    const rig = createRig({ stdin: job, environment });
    rig.store.put('videoExportSettings/service', { ...settings, allowedDestinations: ['*'] });
    expect((await rig.run('submit', '-')).err).toContain('a destination in ALLOWED_DESTINATIONS');
  });

  it('are left to a service that has not stored them', async () => {
    const rig = createRig({ stdin: job.replace('gs://', 'drive:') });
    expect((await rig.run('submit', '-')).code).toBe(0);
  });
});
