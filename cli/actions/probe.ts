import { randomUUID } from 'node:crypto';

import type { Config } from '../../shared/config.ts';
import type { Cli } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { writeJson } from '../output.ts';
import { type ProbedBelief, probedBeliefs, unprobedBeliefs } from '../probe/beliefs.ts';
import { judgments } from '../probe/judge.ts';
import { probe } from '../probe/probe.ts';
import { wrap } from '../screen.ts';
import { time } from '../text.ts';

export interface ProbeOptions {
  readonly probe: string;
  readonly bucket?: string;
}

const OUTCOME_WIDTH = 13;
const NAME_WIDTH = 21;

/** Checks on the real Earth Engine what the service assumes about it. The report names no project and no account. */
export async function probeEarthEngine(
  cli: Cli,
  { probe: project, bucket }: ProbeOptions,
): Promise<ExitCode> {
  const { terminal, clock, interrupted } = cli;
  const config = await cli.config();
  const at = clock.now();
  const seen = await probe({
    connection: await connectionOf(config),
    clock,
    interrupted,
    project,
    bucket: bucket ?? bucketOf(config, project),
    requestId: `probe-${randomUUID()}`,
  });
  const results = (Object.keys(probedBeliefs) as ProbedBelief[]).map((id) => {
    const { outcome, found } = judgments[id](seen);
    return { id, outcome, found };
  });
  const unchecked = Object.keys(unprobedBeliefs);
  const isAsBelieved = results.every(({ outcome }) => outcome !== 'FAILS');
  if (cli.json) {
    writeJson(cli, { at, beliefs: results, unchecked });
    return isAsBelieved ? exitCodes.DONE : exitCodes.FAILED;
  }
  terminal.out(`Earth Engine, probed by ee-video-exports at ${time(at)} UTC\n`);
  for (const { id, outcome, found } of results) {
    const start = outcome.toLowerCase().padEnd(OUTCOME_WIDTH) + id.padEnd(NAME_WIDTH);
    for (const [index, line] of wrap(found, '', terminal.columns - start.length).entries()) {
      terminal.out(`${index === 0 ? start : ' '.repeat(start.length)}${line}`);
    }
  }
  for (const id of unchecked) {
    terminal.out(`${'not checked'.padEnd(OUTCOME_WIDTH)}${id}`);
  }
  terminal.out(
    isAsBelieved
      ? '\nNothing contradicts what the service assumes.'
      : '\nEarth Engine differs from what the service assumes. docs/earth-engine.md says what follows; please report it with these lines.',
  );
  return isAsBelieved ? exitCodes.DONE : exitCodes.FAILED;
}

async function connectionOf({ earthEngineUrl: url, earthEngineCredentials, googleCloudProject }: Config) {
  if (!earthEngineCredentials) {
    return { url };
  }
  const { applicationDefaultCredentials } = await import('../../shared/earth-engine/credentials.ts');
  return { url, auth: applicationDefaultCredentials(googleCloudProject) };
}

/** The first bucket that jobs can write to. Nothing is written: the export is canceled before it renders. */
function bucketOf({ allowedDestinations }: Config, project: string): string {
  const [bucket] = allowedDestinations.flatMap((pattern) => /^gs:\/\/([^/*]+)\//.exec(pattern)?.[1] ?? []);
  return bucket ?? `${project}-videos`;
}
