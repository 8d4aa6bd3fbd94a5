import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

import { afterEach, describe, expect, it } from 'vitest';

import type { Cli } from '../../cli/cli.ts';
import { examine } from '../../cli/doctor/examine.ts';
import type { Finding } from '../../cli/doctor/finding.ts';
import { createProbes, type Probes } from '../../cli/doctor/probes.ts';
import { chooseService, type Service } from '../../cli/service/service.ts';
import { readServiceConfig } from '../../cli/service/service-config.ts';
import { readConfig } from '../../shared/config.ts';
import type { ProjectConfig } from '../../shared/earth-engine/project-config.ts';
import type { TopicAccess } from '../../shared/pubsub/topic-access.ts';
import { createMemoryStore, type MemoryStore } from '../../infra/local/memory/store.ts';
import type { Store } from '../../shared/store/store.ts';
import { createTestClock } from '../harness.ts';
import { sample } from '../record/samples.ts';
import { idOf, settings } from './rig.ts';

const clock = createTestClock();
const grpc = (code: number, message: string) => Object.assign(new Error(message), { code });

interface World {
  readonly environment?: Record<string, string>;
  readonly credentials?: () => Promise<string | undefined>;
  readonly answer?: Partial<ProjectConfig>;
  readonly topics?: (name: string) => TopicAccess;
  readonly store?: Store;
  readonly probesOf?: typeof createProbes;
  readonly service?: () => Service;
}

/** The findings about a deployed service that has only the problems of the test. */
async function findingsIn({
  environment = {},
  credentials = async () => 'me@my-project.iam.gserviceaccount.com',
  answer = {},
  topics = () => 'MAY_PUBLISH',
  store = createMemoryStore(),
  probesOf,
  service = () =>
    chooseService({ GOOGLE_CLOUD_PROJECT: 'my-project', ...environment }, {}, () => ({ contexts: {} })),
}: World): Promise<Finding[]> {
  const variables = { GOOGLE_CLOUD_PROJECT: 'my-project', ...environment };
  const cli = {
    clock,
    service: async () => service(),
    config: async () => readConfig(variables),
    serviceConfig: async () => readServiceConfig(readConfig(variables), store, variables),
    store: async () => store,
  };
  const registered: ProjectConfig = {
    httpStatus: 200,
    registration: 'REGISTERED_COMMERCIALLY',
    refusal: undefined,
    date: clock.now(),
  };
  const probes: Probes = {
    credentials,
    project: async () => ({ ...registered, ...answer }),
    topics: async (names) => names.map(topics),
  };
  // The checks use nothing else of it.
  const findings: Finding[] = [];
  for await (const finding of examine(cli as unknown as Cli, probesOf ?? (() => probes))) {
    findings.push(finding);
  }
  return findings;
}

const problemsIn = async (world: World) =>
  (await findingsIn(world)).filter(({ outcome }) => outcome === 'PROBLEM');

const failingStore = (error: Error): MemoryStore => {
  const store = createMemoryStore();
  Object.assign(store.records, {
    get: async () => {
      throw error;
    },
  });
  return store;
};

describe('doctor', () => {
  it('says which project is in restricted mode', async () => {
    const store = createMemoryStore();
    store.put('videoExportProjects/demo-ee', {
      closures: 0,
      updatedAt: clock.now(),
      parallelismRestrictedAt: clock.now(),
    });
    expect(await problemsIn({ store })).toMatchObject([
      {
        check: 'Speed',
        code: 'PROJECT_RESTRICTED',
        found: expect.stringContaining('demo-ee at once since 2026-11-23 12:00:00 UTC') as string,
      },
    ]);
  });

  it('says what follows from a Drive destination', async () => {
    const environment = { ALLOWED_DESTINATIONS: 'gs://*,drive:videos/*' };
    expect((await findingsIn({ environment })).find(({ check }) => check === 'Drive')?.found).toBe(
      'Jobs can export to drive:videos/*. A service account has no Drive storage of its own: share a folder of a shared drive with it, or use a bucket',
    );
    expect((await findingsIn({})).some(({ check }) => check === 'Drive')).toBe(false);
  });

  it('finds nothing if there is no problem', async () => {
    const store = createMemoryStore();
    store.put('videoExportSettings/service', settings);
    const findings = await findingsIn({ store });
    expect(findings.map(({ check, outcome }) => [check, outcome])).toEqual(
      [
        'Service',
        'Credentials',
        'Database',
        'Indexes',
        'Rules',
        'Speed',
        'Waiting jobs',
        'Dead letters',
        'Topics',
        'Earth Engine',
        'Clock',
      ].map((check) => [check, 'OK']),
    );
    expect(findings[0]?.found).toBe('project my-project, database (default), from GOOGLE_CLOUD_PROJECT');
    expect(findings.find(({ check }) => check === 'Rules')?.found).toBe(
      'Jobs can use the projects my-ee (default my-ee) and the destinations gs://videos/*',
    );
  });

  it.each<[string, World, string, RegExp, RegExp]>([
    [
      'no credentials',
      { credentials: () => Promise.reject(new Error('Could not load the default credentials. Browse …')) },
      'NO_CREDENTIALS',
      /No Google Cloud credentials found/,
      /gcloud auth application-default login/,
    ],
    [
      'expired credentials',
      { credentials: () => Promise.reject(new Error('invalid_grant: reauth related error (invalid_rapt)')) },
      'CREDENTIALS_REFUSED',
      /refused the credentials/,
      /gcloud auth application-default login/,
    ],
    [
      'a project that is not registered',
      {
        answer: {
          httpStatus: 403,
          registration: undefined,
          refusal: 'Project my-project is not registered to use Earth Engine. Visit …',
        },
      },
      'PROJECT_NOT_REGISTERED',
      /my-project is not registered/,
      /console\.cloud\.google\.com\/earth-engine\/configuration\?project=my-project/,
    ],
    [
      'a project whose configuration is not registered',
      { answer: { registration: 'NOT_REGISTERED' } },
      'PROJECT_NOT_REGISTERED',
      /not registered/,
      /Register it/,
    ],
    [
      'the wrong project',
      {
        answer: {
          httpStatus: 403,
          registration: undefined,
          refusal: 'Caller does not have required permission to use project my-project.',
        },
      },
      'PROJECT_WRONG',
      /may not use my-project/,
      /Check the project id/,
    ],
    [
      'a project that does not exist',
      {
        answer: {
          httpStatus: 403,
          registration: undefined,
          refusal: "Permission 'x' denied on resource 'projects/my-project' (or it may not exist).",
        },
      },
      'PROJECT_WRONG',
      /may not exist/,
      /Check the project id/,
    ],
    [
      'the API disabled',
      {
        answer: {
          httpStatus: 403,
          registration: undefined,
          refusal: 'Earth Engine API has not been used in project 1 before or it is disabled.',
        },
      },
      'API_DISABLED',
      /disabled in my-project/,
      /gcloud services enable earthengine\.googleapis\.com --project=my-project/,
    ],
    [
      'a topic missing',
      { topics: (name) => (name === 'video-export-jobs' ? 'MISSING' : 'MAY_PUBLISH') },
      'TOPIC_MISSING',
      /my-project has no video-export-jobs$/,
      /terraform apply/,
    ],
    [
      'every topic missing',
      { topics: () => 'MISSING' },
      'TOPIC_MISSING',
      /has no/,
      /Check that this is the service's project/,
    ],
    [
      'a topic without permission to publish',
      { topics: (name) => (name === 'video-export-jobs' ? 'MAY_NOT_PUBLISH' : 'MAY_PUBLISH') },
      'PERMISSION_MISSING',
      /may not publish to video-export-jobs/,
      /roles\/pubsub\.publisher/,
    ],
    [
      'the database missing',
      {
        store: failingStore(
          grpc(5, '5 NOT_FOUND: The database (default) does not exist for project my-project'),
        ),
      },
      'DATABASE_MISSING',
      /no Firestore database \(default\) in my-project/,
      /terraform apply/,
    ],
    [
      'a database without permission to read',
      { store: failingStore(grpc(7, '7 PERMISSION_DENIED: Missing or insufficient permissions.')) },
      'PERMISSION_MISSING',
      /may not read/,
      /roles\/datastore\.viewer/,
    ],
    [
      'a clock that is ahead',
      { answer: { date: new Date(clock.now().getTime() - 300_000) } },
      'CLOCK_OFF',
      /clock is 5 min ahead/,
      /NTP/,
    ],
    [
      'a clock that is behind',
      { answer: { date: new Date(clock.now().getTime() + 90_000) } },
      'CLOCK_OFF',
      /clock is 90 s behind/,
      /NTP/,
    ],
    [
      'a local service that is stopped',
      {
        service: () =>
          chooseService({}, { context: 'local' }, () => ({ contexts: { local: { kind: 'local' } } })),
      },
      'NOT_RUNNING',
      /^The service of the context local is not running$/,
      /^Start it with npm start, or choose another service/,
    ],
    [
      'a wrong setting',
      { environment: { RETENTION_DAYS: 'x' } },
      'SETTINGS_WRONG',
      /RETENTION_DAYS must be a whole number/,
      /Fix the environment/,
    ],
  ])('finds %s, and suggests what to do', async (_name, world, code, found, advice) => {
    const problems = await problemsIn(world);
    expect(problems.map((problem) => problem.code)).toEqual([code]);
    expect(problems[0]?.found).toMatch(found);
    expect(problems[0]?.advice).toMatch(advice);
  });

  it('names the queries that have no index', async () => {
    const store = createMemoryStore();
    const find: typeof store.records.find = store.records.find.bind(store.records);
    Object.assign(store.records, {
      find: (query: Parameters<typeof find>[0], page: Parameters<typeof find>[1]) =>
        query.orderBy.some(([field]) => field === 'priority')
          ? Promise.reject(grpc(9, '9 FAILED_PRECONDITION: The query requires an index.'))
          : find(query, page),
    });
    expect(await problemsIn({ store })).toMatchObject([
      { code: 'INDEX_MISSING', found: 'No index for queued, heldBy' },
    ]);
  });

  it('skips the checks for which credentials are missing', async () => {
    const findings = await findingsIn({
      credentials: () => Promise.reject(new Error('Could not load the default credentials.')),
    });
    expect(findings.filter(({ outcome }) => outcome === 'SKIPPED').map(({ check }) => check)).toEqual([
      'Database',
      'Topics',
      'Earth Engine',
    ]);
  });

  it.each([
    [
      'QUEUE',
      'OK',
      /^2 jobs for capacity in Earth Engine's queue, such as .*Next try 2026-11-23 12:30:00 UTC/,
      undefined,
    ],
    [
      'PERMISSION',
      'PROBLEM',
      /^2 jobs: a@demo needs roles\/earthengine\.writer on the project demo-ee/,
      /^gcloud projects add-iam-policy-binding demo-ee .*; then run npx ee-video-exports resume/,
    ],
    [
      'QUOTA',
      'PROBLEM',
      /^2 jobs for the reset of/,
      /^Raise the EECU quota of demo-ee, then run npx ee-video-exports resume demo-ee/,
    ],
    ['SERVICE', 'PROBLEM', /^2 jobs for Earth Engine, which did not respond/, /status\.earthengine/],
  ] as const)('says what jobs wait for: %s', async (waitingFor, outcome, found, advice) => {
    const store = createMemoryStore();
    const at = new Date('2026-11-23T12:30:00Z');
    const message = "Permission 'earthengine.exports.create' denied on resource 'projects/demo-ee'";
    const error = { code: 403, status: 'PERMISSION_DENIED', message, retryable: true };
    for (const letter of 'ab') {
      store.put(`videoExports/${idOf(letter)}`, sample('WAITING', { waitingFor, dueAt: at, error }));
    }
    store.put('videoExportProjects/demo-ee', { closedUntil: at, closures: 1, updatedAt: at });
    const finding = (await findingsIn({ store })).find(({ check }) => check === 'Waiting jobs');
    expect(finding?.outcome).toBe(outcome);
    expect(finding?.found).toMatch(found);
    if (advice) {
      expect(finding?.advice).toMatch(advice);
    }
  });

  it('finds dead letters until they are replayed', async () => {
    const store = createMemoryStore();
    const message = {
      reason: 'DEAD_LETTER',
      issues: [],
      source: 'recordDeadLetter',
      attributes: {},
      data: '',
      createdAt: clock.now(),
      expireAt: clock.now(),
    };
    store.put('rejectedMessages/7', message);
    expect(await problemsIn({ store })).toMatchObject([
      { code: 'DEAD_LETTERS', advice: expect.stringContaining('dead-letters replay') as string },
    ]);
    store.put('rejectedMessages/7', { ...message, replayedAt: clock.now() });
    expect(await problemsIn({ store })).toEqual([]);
  });

  it('refuses an environment in which only one emulator is set', async () => {
    const environment = { FIRESTORE_EMULATOR_HOST: '127.0.0.1:1' };
    expect(await problemsIn({ environment })).toMatchObject([
      { check: 'Service', found: expect.stringContaining('PUBSUB_EMULATOR_HOST') as string },
    ]);
  });
});

describe('doctor with real connections', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  /** Nothing listens on port 1. */
  const nowhere = '127.0.0.1:1';
  const emulators = {
    FIRESTORE_EMULATOR_HOST: nowhere,
    PUBSUB_EMULATOR_HOST: nowhere,
    EARTHENGINE_EMULATOR_HOST: nowhere,
  };

  it('finds emulators that are not running', async () => {
    const problems = await problemsIn({ environment: emulators, probesOf: createProbes });
    expect(problems.map(({ check, code }) => [check, code])).toEqual([
      ['Database', 'EMULATOR_NOT_RUNNING'],
      ['Topics', 'EMULATOR_NOT_RUNNING'],
      ['Earth Engine', 'EMULATOR_NOT_RUNNING'],
    ]);
    expect(problems.every(({ advice }) => advice?.includes('npm start'))).toBe(true);
  });

  it("compares this machine's clock with the date of a response", async () => {
    server = createServer((_request, response) => {
      response.sendDate = false;
      response.setHeader('date', new Date(clock.now().getTime() - 600_000).toUTCString());
      response.end('{"registrationState":"REGISTERED_COMMERCIALLY"}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const environment = { ...emulators, EARTHENGINE_EMULATOR_HOST: `127.0.0.1:${port}` };
    const problems = await problemsIn({ environment, probesOf: createProbes });
    expect(problems.at(-1)).toMatchObject({
      code: 'CLOCK_OFF',
      found: "This machine's clock is 10 min ahead",
    });
  });
});
