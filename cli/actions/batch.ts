import { covers } from '../../shared/budget/figures.ts';
import { checkManifest } from '../../shared/batch/check-expansion.ts';
import { readBatch } from '../../shared/batch/change-batch.ts';
import { jobRules } from '../../shared/message/job-message.ts';
import { plan, type Plan, type PlannedOutcome, type SampledJob } from '../../shared/batch/plan.ts';
import type { BudgetFigures } from '../../shared/model/budget.ts';
import type { Issue } from '../../shared/model/rejected-message.ts';
import { hours, leftHours, readBudgetFigures } from '../budgets.ts';
import { wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { estimatorOf, readEstimate, type WrittenEstimate } from '../estimate.ts';
import { note, writeJson } from '../output.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readInput, readJson, writeFindings, writeIssues } from '../input.ts';
import { publishOne } from '../publish.ts';
import { table } from '../screen.ts';
import { plural, printable } from '../text.ts';
import { batchGroup, watchingGroup } from '../watch/group.ts';
import { watchUntilEnd } from '../watch/watching.ts';

export interface BatchOptions {
  readonly run?: string;
}

export interface RunBatchOptions extends BatchOptions {
  readonly watch?: boolean;
  /** In seconds. */
  readonly every: number;
}

/** What becomes of a number of jobs, as in `3  would be started`. */
const meanings: Readonly<Record<PlannedOutcome, string>> = {
  new: 'would be started',
  done: 'already succeeded',
  running: 'already in progress',
  failed: 'already ended without success; to run them, use retry',
  conflict: 'would be rejected: another job has their key',
};

export async function planBatch(cli: Cli, file: string, options: BatchOptions): Promise<ExitCode> {
  const json = await readManifestFile(cli, file, options);
  const [config, store] = await Promise.all([cli.serviceConfig(), cli.store()]);
  const result = await plan({ config, store, clock: cli.clock }, json, cli.clock.now());
  if ('issues' in result) {
    throw rejectedManifest(cli, file, result.issues);
  }
  const { findings, sample } = result;
  const estimates = await readEstimates(cli, sample, result.plan.counts.new);
  const budgets = sample.length > 0 ? await readBudgetFigures(cli) : [];
  const exceeded = exceededBudgets(budgets, sample, estimates);
  const holding = budgets.filter(({ holds, match }) => holds && sample.some((job) => covers(match, job)));
  const heldBy = holding.find(({ match }) => sample.every((job) => covers(match, job)))?.id;
  if (cli.json) {
    const costs = estimates.map(({ json }) => json);
    writeJson(cli, {
      ...result.plan,
      ...(costs.length > 0 && { estimates: costs }),
      ...(exceeded.length > 0 && { exceeds: exceeded }),
      ...(holding.length > 0 && { heldBy: holding.map(({ id }) => id) }),
      ...(findings.length > 0 && { findings }),
    });
  } else {
    writeFindings(cli, file, findings);
    writePlan(cli, result.plan, heldBy);
    for (const text of estimates.flatMap(({ texts }) => texts)) {
      cli.terminal.out(`  cost  ${text}`);
    }
    for (const { id } of heldBy === undefined ? holding : []) {
      cli.terminal.out(`  budget  ${printable(id)} holds some of them: they would wait`);
    }
    const held = new Set(holding.map(({ id }) => id));
    for (const { budgetId, leftEecuHours } of exceeded.filter((each) => !held.has(each.budgetId))) {
      cli.terminal.out(
        `  budget  ${printable(budgetId)} has ${hours(leftEecuHours)} EECU-hours left, which may not be enough`,
      );
    }
  }
  return exitCodes.DONE;
}

/** Each shape is estimated from its own history, which costs reads. Most manifests have one shape, or a few. */
const MAX_SHAPES = 10;

/** Makes one estimate for each shape, and assumes that the sample represents the batch. */
async function readEstimates(
  cli: Cli,
  sample: readonly SampledJob[],
  count: number,
): Promise<WrittenEstimate[]> {
  const shapes = Map.groupBy(sample, ({ project, shapeHash }) => `${project} ${shapeHash}`);
  const estimator = await estimatorOf(cli);
  const estimates: WrittenEstimate[] = [];
  for (const jobs of [...shapes.values()].slice(0, MAX_SHAPES)) {
    const [{ project, shapeHash } = { project: '', shapeHash: undefined }] = jobs;
    const extents = jobs.map(({ extent }) => extent);
    const planned = {
      project,
      shapeHash,
      extents,
      count: Math.max(1, Math.round((count * jobs.length) / sample.length)),
    };
    const written = await readEstimate(estimator, planned);
    const [first = '', ...warnings] = written.texts;
    const ofJobs = shapes.size > 1 ? `${plural(planned.count, 'job')} of one shape: ` : '';
    estimates.push({
      ...written,
      texts: [ofJobs + first, ...warnings],
      json: { ...written.json, shapeHash },
    });
  }
  return estimates;
}

/** The budgets that cover the jobs and may not have enough left for them. */
function exceededBudgets(
  budgets: readonly BudgetFigures[],
  sample: readonly SampledJob[],
  estimates: readonly WrittenEstimate[],
): { readonly budgetId: string; readonly leftEecuHours: number }[] {
  const high = estimates.reduce((sum, { highHours = 0 }) => sum + highHours, 0);
  return budgets.flatMap((budget) => {
    const leftEecuHours = leftHours(budget);
    return leftEecuHours !== undefined &&
      leftEecuHours < high &&
      sample.every((job) => covers(budget.match, job))
      ? [{ budgetId: budget.id, leftEecuHours }]
      : [];
  });
}

/** @param heldBy the budget that holds every new job, if one does */
function writePlan(
  { terminal }: Cli,
  { batchId, jobs, counts, first, batch }: Plan,
  heldBy: string | undefined,
): void {
  terminal.out(`${batchId}: ${plural(jobs, 'job')}`);
  const outcomes = Object.keys(meanings) as PlannedOutcome[];
  const rows = outcomes.flatMap((outcome) =>
    counts[outcome] === 0
      ? []
      : [
          [
            String(counts[outcome]).padStart(7),
            outcome === 'new' && heldBy !== undefined
              ? `would wait: budget ${printable(heldBy)} holds them`
              : meanings[outcome],
            `first: ${first[outcome]?.jobKey ?? first[outcome]?.recordId ?? ''}`,
          ],
        ],
  );
  for (const row of table(rows, '  ', terminal.columns)) {
    terminal.out(row);
  }
  if (batch === 'SAME') {
    terminal.out('This run already exists: publishing it again changes nothing.');
  }
  if (batch === 'OTHER') {
    terminal.out('This run was made from a different manifest: choose another --run or batchId.');
  }
}

export async function runBatch(cli: Cli, file: string, options: RunBatchOptions): Promise<ExitCode> {
  const { terminal } = cli;
  const json = await readManifestFile(cli, file, options);
  const checked = await checkManifest(json, cli.clock.now(), jobRules(await cli.serviceConfig()));
  if ('issues' in checked) {
    throw rejectedManifest(cli, file, checked.issues);
  }
  writeFindings(cli, file, checked.findings);
  const { manifest, jobs } = checked.expansion;
  const store = await cli.store();
  const known = await readBatch({ store, clock: cli.clock }, manifest.id);
  if (known && known.value.manifestHash !== manifest.hash) {
    throw wrongInput(
      'CONFLICT',
      `${manifest.id} was made from a different manifest. Choose another --run or batchId.`,
    );
  }
  // With the run's name, which must not depend on whether the message arrives before or after midnight.
  const data = Buffer.from(JSON.stringify({ ...(json as object), run: manifest.run }));
  const { topics } = await cli.serviceConfig();
  const messageId = await publishOne(cli, topics.batches, data);
  if (cli.json) {
    writeJson(cli, { batchId: manifest.id, jobs, messageId });
  } else {
    terminal.out(
      cli.isQuiet
        ? manifest.id
        : `${manifest.id}  ${plural(jobs, 'job')}${known ? ', already published' : ''}`,
    );
  }
  if (!options.watch) {
    note(cli, `To follow it: npx ee-video-exports watch ${manifest.id}`);
    return exitCodes.DONE;
  }
  const group = { ...batchGroup(manifest.id), published: { messageId, jobs } };
  return watchUntilEnd(cli, watchingGroup(cli, group), options.every);
}

async function readManifestFile(cli: Cli, file: string, { run }: BatchOptions): Promise<unknown> {
  const reading = readJson(await readInput(cli, file));
  if ('issues' in reading) {
    throw rejectedManifest(cli, file, reading.issues, 'INVALID_DATA');
  }
  const { json } = reading;
  if (run === undefined || typeof json !== 'object' || json === null) {
    return json;
  }
  if ('run' in json && json.run !== run) {
    throw wrongInput('ARGUMENTS_WRONG', `${file} already names its run (${String(json.run)}). Omit --run.`);
  }
  return { ...json, run };
}

/** Writes the mistakes. */
function rejectedManifest(
  cli: Cli,
  file: string,
  issues: readonly Issue[],
  reason: 'INVALID_MANIFEST' | 'INVALID_DATA' = 'INVALID_MANIFEST',
): Error {
  writeIssues(cli, file, reason, issues);
  return wrongInput(reason, 'The manifest has mistakes, so nothing was published. Fix them.');
}
