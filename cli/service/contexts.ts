import { mkdir, rename, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

import { z } from 'zod';

import { wrongInput } from '../cli-error.ts';

/**
 * Contexts: the services that the command line can use, each by a name, and the one in use. They are in a file of the user, as
 * those of gcloud and kubectl are, so that every terminal has the same. `npm start` writes the context `local`.
 */

export type Environment = Readonly<Record<string, string | undefined>>;

export const contextName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'lowercase letters, digits and -, starting with a letter');

/** The context of the service that `npm start` runs on this machine. */
export const LOCAL = 'local';

const projectContext = z.object({
  kind: z.literal('project'),
  project: z.string(),
  database: z.string().optional(),
});

const localContext = z.object({
  kind: z.literal('local'),
  /** Absent after `npm stop`. The context stays, so that commands meant for it do not reach another service instead. */
  running: z
    .object({
      /** What a process needs to use the service: its project, and the addresses of its emulators. */
      environment: z.record(z.string(), z.string()),
      /** Without Google's emulators: what answers at their addresses is one process, with an interface of its own. */
      embedded: z.boolean().optional(),
      pid: z.int(),
      /** The clone in which it runs. */
      folder: z.string(),
    })
    .optional(),
});

const contextSchema = z.discriminatedUnion('kind', [projectContext, localContext]);
export type Context = z.infer<typeof contextSchema>;
export type LocalContext = z.infer<typeof localContext>;

const contextsSchema = z.object({
  /** The name of the context in use. */
  current: contextName.optional(),
  contexts: z.record(contextName, contextSchema),
});
export type Contexts = z.infer<typeof contextsSchema>;

/** Undefined if nothing says whose file it is, as in a container without a home. */
export function contextsFile(environment: Environment): string | undefined {
  const { XDG_CONFIG_HOME: config, HOME: home, APPDATA: windows } = environment;
  // The specification requires that a relative path is ignored.
  const base =
    config && isAbsolute(config)
      ? config
      : windows || (home ? join(home || homedir(), '.config') : undefined);
  return base === undefined ? undefined : join(base, 'ee-video-exports', 'contexts.json');
}

/** @throws CliError CONTEXTS_UNREADABLE */
export function readContexts(environment: Environment): Contexts {
  const file = contextsFile(environment);
  const empty: Contexts = { contexts: {} };
  if (file === undefined) {
    return empty;
  }
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return empty;
    }
    throw unreadable(file, error);
  }
  try {
    return contextsSchema.parse(JSON.parse(text));
  } catch (error) {
    throw unreadable(file, error);
  }
}

const unreadable = (file: string, cause: unknown) =>
  wrongInput('CONTEXTS_UNREADABLE', `Cannot read the contexts in ${file}. Fix or delete the file.`, {
    cause,
  });

/** Reads the contexts, changes them, and replaces the file at once, so that no reader sees half of it. */
export async function changeContexts(
  environment: Environment,
  change: (contexts: Contexts) => Contexts,
): Promise<void> {
  const file = contextsFile(environment);
  if (file === undefined) {
    throw wrongInput('CONTEXTS_UNREADABLE', 'There is no place for contexts. Set HOME or XDG_CONFIG_HOME.');
  }
  const next = change(readContexts(environment));
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(next, undefined, 2)}\n`, { mode: 0o600 });
  await rename(draft, file);
}

/** The contexts with this one in use. */
export const withContext = ({ contexts }: Contexts, name: string, context: Context): Contexts => ({
  current: name,
  contexts: { ...contexts, [name]: context },
});
