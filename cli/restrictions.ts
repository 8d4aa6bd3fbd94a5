import { restrictedSince } from '../shared/record/quota.ts';
import { projectListQueries } from '../shared/store/list-queries.ts';
import { isReadable } from '../shared/store/store.ts';
import type { Cli } from './cli.ts';
import { time } from './text.ts';

/** Why exports are slow although nothing is wrong: Earth Engine runs fewer of a project's exports at once. */

export interface Restriction {
  readonly project: string;
  readonly since: Date;
}

const LIMIT = 100;

/** The projects in restricted mode: one read if there are none. */
export async function readRestrictions(cli: Pick<Cli, 'store' | 'clock'>): Promise<Restriction[]> {
  const { projects } = await cli.store();
  const found = await projects.find(projectListQueries.restricted(), { limit: LIMIT });
  return found.filter(isReadable).flatMap(({ id: project, value }) => {
    const since = restrictedSince(value, cli.clock.now());
    return since ? [{ project, since }] : [];
  });
}

export const restrictionText = ({ project, since }: Restriction): string =>
  `Earth Engine runs fewer exports of ${project} at once since ${time(since)} UTC, because the project has used up its EECU quota of the month`;
