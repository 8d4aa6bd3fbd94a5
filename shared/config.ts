import { z } from 'zod';

import { HOUR_MS, SECOND_MS } from './clock.ts';
import { ConfigError } from './errors.ts';

/** Patterns of destinations or projects: an exact text, or a prefix if the pattern ends with `*`. */
export type AllowList = readonly string[];

const projectId = z
  .string()
  .regex(/^(?:[a-z0-9.-]+:)?[a-z0-9][a-z0-9-]*[a-z0-9]$/, 'a Google Cloud project id or number');

const duration = (unit: 'seconds' | 'hours', unitMs: number) => (initial: number) =>
  z
    .string()
    .regex(/^\d+(?:\.\d+)?$/, `a number of ${unit}, such as 30 or 0.5`)
    .default(String(initial))
    .transform(Number)
    .refine((value) => value > 0, `more than 0 ${unit}`)
    .transform((value) => value * unitMs);
const seconds = duration('seconds', SECOND_MS);
const hours = duration('hours', HOUR_MS);

const whole = (initial: number) =>
  z
    .string()
    .regex(/^\d+$/, 'a whole number')
    .default(String(initial))
    .transform(Number)
    .refine((value) => value >= 1, 'at least 1');

const list = z
  .string()
  .transform((text) => text.split(',').map((item) => item.trim()))
  .refine(
    (items) => items.every((item) => /^[^*]*\*?$/.test(item) && item !== ''),
    'comma-separated, with * only at the end',
  );

const topic = (initial: string) =>
  z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$/, 'a Pub/Sub topic name, without projects/…/topics/')
    .default(initial);

const hostAndPort = z
  .string()
  .regex(/^[^\s/:]+:\d+$/, 'host:port')
  .optional();

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Plain HTTP to any other machine would send a service account's token unencrypted. */
const apiUrl = z
  .url()
  .default('https://earthengine.googleapis.com')
  .refine((text) => {
    const url = new URL(text);
    return url.protocol === 'https:' || (url.protocol === 'http:' && loopback.test(url.hostname));
  }, 'an https address (http only on loopback)')
  .transform((text) => text.replace(/\/+$/, ''));

const videoChecks = ['reject', 'warn', 'off'] as const;
/** What the check of a graph (docs/checks.md) does with errors. */
export type VideoCheck = (typeof videoChecks)[number];

/** Every environment variable of the service, in the order in which docs/reference.md lists them. */
export const environmentSchema = z
  .object({
    GOOGLE_CLOUD_PROJECT: projectId.describe('The project of Firestore and Pub/Sub'),
    EARTHENGINE_PROJECT: projectId.optional().describe('The Earth Engine project of jobs that name none'),
    EARTHENGINE_API_URL: apiUrl.describe('Base address of the Earth Engine API: https, or http on loopback'),
    EARTHENGINE_EMULATOR_HOST: hostAndPort.describe('host:port of a simulator: plain HTTP, no credentials'),
    FIRESTORE_EMULATOR_HOST: hostAndPort.describe('host:port of the Firestore emulator'),
    PUBSUB_EMULATOR_HOST: hostAndPort.describe('host:port of the Pub/Sub emulator'),
    STORAGE_EMULATOR_HOST: z
      .string()
      .regex(/^https?:\/\/[^\s/]+$/, 'http://host:port')
      .optional()
      .describe('http://host:port of a Cloud Storage emulator'),
    FIRESTORE_DATABASE: z.string().min(1).default('(default)').describe('The Firestore database'),
    ALLOWED_PROJECTS: list
      .optional()
      .describe('Earth Engine projects that jobs can name, comma-separated; `*` means any'),
    ALLOWED_DESTINATIONS: list
      .default(['gs://*'])
      .describe(
        'Patterns of `destination`, comma-separated: `gs://bucket/prefix*`, `drive:*`. With a `drive:` pattern, the functions request the Drive scope, but a service account has no Drive storage: share a folder of a shared drive with it, or use a bucket',
      ),
    SUBMIT_LEASE_SECONDS: seconds(120).describe(
      'How long a claim prevents other senders from sending the same job',
    ),
    SUBMIT_TIMEOUT_SECONDS: seconds(60).describe(
      'Time for all sends of one claim together; less than the lease',
    ),
    RETRY_MIN_SECONDS: seconds(30).describe(
      'First wait after a failure, for jobs and closed gates; it doubles each time',
    ),
    RETRY_MAX_SECONDS: seconds(900).describe('Longest such wait; Retry-After is clamped to this range'),
    STALLED_HOURS: hours(24).describe('An operation without progress for this long is stalled'),
    SUBMIT_DEADLINE_HOURS: hours(72).describe(
      'A job is rejected if an outage or a missing permission lasts longer than this; it is lost if its outcome stays unknown for so long',
    ),
    VIDEO_CHECK: z
      .enum(videoChecks, videoChecks.join(', '))
      .default('reject')
      .describe(
        'What the check of a graph does with errors: `reject` the message, `warn` on the record, or `off`',
      ),
    POLL_MIN_SECONDS: seconds(60).describe('Shortest time between two individual checks of an operation'),
    POLL_MAX_SECONDS: seconds(3600).describe(
      'Longest time between two such checks, and between two complete sweeps of a project',
    ),
    POLL_BUDGET_SECONDS: seconds(240).describe('Maximum duration of one run of pollExports'),
    MAX_ACTIVE_OPERATIONS: whole(2700).describe(
      'Limit per Earth Engine project, whose queue of 3,000 is shared with its other users',
    ),
    VERIFY_DELIVERY: z
      .enum(['on', 'off'], '`on` or `off`')
      .default('on')
      .describe(
        'Whether videos are looked for in Cloud Storage, and checked. With any other emulator, or with EARTHENGINE_API_URL on loopback, only if STORAGE_EMULATOR_HOST is set too',
      ),
    DELIVERY_WAIT_SECONDS: seconds(3600).describe(
      'A video that is not in Cloud Storage this long after its job succeeded is missing',
    ),
    EARTHENGINE_REQUESTS_PER_SECOND: whole(100).describe(
      'Most calls of Earth Engine per second and project, which is also its documented limit; fewer while it refuses some',
    ),
    RETENTION_DAYS: whole(90)
      .refine(
        (days) => days >= 31,
        'at least 31, because Pub/Sub can deliver a message for 7 days and replay a dead letter for 31: if its record was deleted by then, its job would run twice',
      )
      .describe('How long Firestore keeps documents that are finished'),
    JOBS_TOPIC: topic('video-export-jobs').describe('Job messages'),
    BATCHES_TOPIC: topic('video-export-batches').describe('Batch manifests'),
    CANCELLATIONS_TOPIC: topic('video-export-cancellations').describe('Cancellations'),
    EVENTS_TOPIC: topic('video-export-events').describe('State changes, which the service publishes'),
    POLLS_TOPIC: topic('video-export-polls').describe(
      'With more than eight projects: one message for each project and minute, and another one if its queue is to be fed',
    ),
    DEAD_LETTER_TOPIC: topic('video-export-dead-letters').describe('Messages that no function could handle'),
  })
  .refine((env) => env.SUBMIT_TIMEOUT_SECONDS < env.SUBMIT_LEASE_SECONDS, {
    path: ['SUBMIT_TIMEOUT_SECONDS'],
    message: 'less than SUBMIT_LEASE_SECONDS, because otherwise two senders could overlap',
  })
  .refine((env) => env.RETRY_MIN_SECONDS <= env.RETRY_MAX_SECONDS, {
    path: ['RETRY_MIN_SECONDS'],
    message: 'at most RETRY_MAX_SECONDS',
  })
  .refine((env) => env.POLL_MIN_SECONDS <= env.POLL_MAX_SECONDS, {
    path: ['POLL_MIN_SECONDS'],
    message: 'at most POLL_MAX_SECONDS',
  });

/** The settings of one process. Durations are in milliseconds, whatever unit the variable has. */
export interface Config {
  readonly googleCloudProject: string;
  readonly earthEngineProject: string;
  /** Base address of the Earth Engine API, without a trailing slash. */
  readonly earthEngineUrl: string;
  /** False for a simulator: then no code looks for credentials. */
  readonly earthEngineCredentials: boolean;
  readonly firestoreEmulatorHost: string | undefined;
  readonly pubsubEmulatorHost: string | undefined;
  /** With `http://`, as Cloud Storage's own client reads it. */
  readonly storageEmulatorHost: string | undefined;
  readonly firestoreDatabase: string;
  readonly allowedProjects: AllowList;
  readonly allowedDestinations: AllowList;
  /** Whether a job can export to Drive: calls then need another scope. */
  readonly allowsDrive: boolean;
  readonly submitLeaseMs: number;
  readonly submitTimeoutMs: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  readonly stalledMs: number;
  readonly submitDeadlineMs: number;
  readonly videoCheck: VideoCheck;
  readonly pollMinMs: number;
  readonly pollMaxMs: number;
  readonly pollBudgetMs: number;
  readonly maxActiveOperations: number;
  /** Never true for a local stack without buckets of its own: it must not look into real ones. */
  readonly verifyDelivery: boolean;
  readonly deliveryWaitMs: number;
  readonly requestsPerSecond: number;
  readonly retentionDays: number;
  readonly topics: Topics;
}

/** Topic names, without `projects/…/topics/`. */
export interface Topics {
  readonly jobs: string;
  readonly batches: string;
  readonly cancellations: string;
  readonly events: string;
  readonly polls: string;
  readonly deadLetters: string;
}

/**
 * Parses the environment. The only code that reads `process.env`.
 *
 * @throws ConfigError that names every missing or wrong variable
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>> = process.env): Config {
  // Terraform, Docker and shells write "not set" as an empty string.
  const set = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environmentSchema.safeParse(set);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ code, path, message }) => ({
      code,
      name: path.join('.'),
      message,
    }));
    // A default can also be wrong: together with a variable that is set.
    const missing = issues
      .filter(({ code, name }) => code === 'invalid_type' && set[name] === undefined)
      .map(({ name }) => name);
    const problems = issues.map(({ name, message }) =>
      missing.includes(name) ? `${name} is not set` : `${name} must be ${message}`,
    );
    throw new ConfigError(
      `Wrong environment variables: ${problems.join('; ')}. docs/reference.md lists all of them.`,
      missing,
    );
  }
  const env = parsed.data;
  const earthEngineProject = env.EARTHENGINE_PROJECT ?? env.GOOGLE_CLOUD_PROJECT;
  return {
    googleCloudProject: env.GOOGLE_CLOUD_PROJECT,
    earthEngineProject,
    earthEngineUrl: env.EARTHENGINE_EMULATOR_HOST
      ? `http://${env.EARTHENGINE_EMULATOR_HOST}`
      : env.EARTHENGINE_API_URL,
    earthEngineCredentials: env.EARTHENGINE_EMULATOR_HOST === undefined,
    firestoreEmulatorHost: env.FIRESTORE_EMULATOR_HOST,
    pubsubEmulatorHost: env.PUBSUB_EMULATOR_HOST,
    storageEmulatorHost: env.STORAGE_EMULATOR_HOST,
    firestoreDatabase: env.FIRESTORE_DATABASE,
    allowedProjects: env.ALLOWED_PROJECTS ?? [earthEngineProject],
    allowedDestinations: env.ALLOWED_DESTINATIONS,
    allowsDrive: env.ALLOWED_DESTINATIONS.some(matchesDrive),
    submitLeaseMs: env.SUBMIT_LEASE_SECONDS,
    submitTimeoutMs: env.SUBMIT_TIMEOUT_SECONDS,
    retryMinMs: env.RETRY_MIN_SECONDS,
    retryMaxMs: env.RETRY_MAX_SECONDS,
    stalledMs: env.STALLED_HOURS,
    submitDeadlineMs: env.SUBMIT_DEADLINE_HOURS,
    videoCheck: env.VIDEO_CHECK,
    pollMinMs: env.POLL_MIN_SECONDS,
    pollMaxMs: env.POLL_MAX_SECONDS,
    pollBudgetMs: env.POLL_BUDGET_SECONDS,
    maxActiveOperations: env.MAX_ACTIVE_OPERATIONS,
    verifyDelivery:
      env.VERIFY_DELIVERY === 'on' && (env.STORAGE_EMULATOR_HOST !== undefined || !isLocal(env)),
    deliveryWaitMs: env.DELIVERY_WAIT_SECONDS,
    requestsPerSecond: env.EARTHENGINE_REQUESTS_PER_SECOND,
    retentionDays: env.RETENTION_DAYS,
    topics: {
      jobs: env.JOBS_TOPIC,
      batches: env.BATCHES_TOPIC,
      cancellations: env.CANCELLATIONS_TOPIC,
      events: env.EVENTS_TOPIC,
      polls: env.POLLS_TOPIC,
      deadLetters: env.DEAD_LETTER_TOPIC,
    },
  };
}

/** Whether anything that the process talks to is not Google's. */
const isLocal = (env: z.output<typeof environmentSchema>): boolean =>
  [env.EARTHENGINE_EMULATOR_HOST, env.FIRESTORE_EMULATOR_HOST, env.PUBSUB_EMULATOR_HOST].some(
    (host) => host !== undefined,
  ) || loopback.test(new URL(env.EARTHENGINE_API_URL).hostname);

/** Whether a pattern allows any `drive:` destination. */
const matchesDrive = (pattern: string): boolean =>
  pattern.startsWith('drive:') || (pattern.endsWith('*') && 'drive:'.startsWith(pattern.slice(0, -1)));

/** Whether `text` matches an entry of the list: exactly, or up to the entry's final `*`. */
export function isAllowed(allowed: AllowList, text: string): boolean {
  return allowed.some((pattern) =>
    pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern,
  );
}

/**
 * Without this, Express responds with a stack trace to a request that it cannot parse, and functions-framework offers no
 * other way to configure it. No error's text may leak into a response, wherever the functions run.
 */
export function hideErrorsFromAnswers(): void {
  process.env['NODE_ENV'] = 'production';
}
