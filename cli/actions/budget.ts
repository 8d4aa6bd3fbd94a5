import { MAX_BUDGETS, refreshBudgets } from '../../shared/budget/refresh.ts';
import { type Budget, type BudgetFigures, budgetSchema } from '../../shared/model/budget.ts';
import { budgetQueries } from '../../shared/store/budget-queries.ts';
import { isDocumentId } from '../../shared/store/limits.ts';
import { isReadable } from '../../shared/store/store.ts';
import { hours, leftHours } from '../budgets.ts';
import { CliError, wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import type { Label } from '../options.ts';
import { note, writeJson, writeTable } from '../output.ts';
import { time } from '../text.ts';

export interface SetBudgetOptions {
  readonly limit: number;
  readonly total?: boolean;
  readonly timeZone?: string;
  readonly matchProject?: string;
  readonly batchPrefix?: string;
  readonly label?: Label;
  readonly notify?: readonly number[];
  readonly hold?: number;
  readonly cancel?: number;
  readonly strict?: boolean;
}

export async function setBudget(cli: Cli, id: string, options: SetBudgetOptions): Promise<ExitCode> {
  if (!isDocumentId(id)) {
    throw wrongInput('ARGUMENTS_WRONG', 'The name of a budget cannot be empty, contain "/", or be . or ..');
  }
  const parsed = budgetSchema.safeParse(budgetOf(options));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw wrongInput('ARGUMENTS_WRONG', `Not a budget: ${issue?.path.join('.')} must be ${issue?.message}`);
  }
  const { budgets } = await cli.store();
  if (!(await budgets.get(id)) && (await budgets.count(budgetQueries.all())) >= MAX_BUDGETS) {
    throw wrongInput(
      'CONFLICT',
      `There are ${MAX_BUDGETS} budgets already, and no more count. Remove one first.`,
    );
  }
  await budgets.put(id, parsed.data);
  return showBudget(cli, id);
}

function budgetOf(options: SetBudgetOptions): Budget {
  const {
    limit,
    total,
    timeZone,
    matchProject,
    batchPrefix,
    label,
    notify = [],
    hold,
    cancel,
    strict,
  } = options;
  const thresholds: Budget['thresholds'] = notify.map((percent) => ({ percent, action: 'NOTIFY' }));
  if (hold !== undefined) {
    thresholds.push({ percent: hold, action: 'HOLD' });
  }
  if (cancel !== undefined) {
    thresholds.push({ percent: cancel, action: 'CANCEL' });
  }
  return {
    match: {
      ...(matchProject === undefined ? {} : { project: matchProject }),
      ...(batchPrefix === undefined ? {} : { batchIdPrefix: batchPrefix }),
      ...(label === undefined ? {} : { label: { key: label.name, value: label.value } }),
    },
    period: total ? 'TOTAL' : 'MONTH',
    ...(timeZone === undefined ? {} : { timeZone }),
    limitEecuHours: limit,
    thresholds: thresholds.toSorted((a, b) => a.percent - b.percent),
    ...(strict ? { strict } : {}),
  };
}

export async function listBudgets(cli: Cli): Promise<ExitCode> {
  const { budgets } = await refreshBudgets(await cli.services());
  if (cli.json) {
    writeJson(cli, { budgets });
    return exitCodes.DONE;
  }
  if (budgets.length === 0) {
    note(cli, 'No budgets. Create one with budget set.');
    return exitCodes.DONE;
  }
  writeTable(cli, {
    header: ['BUDGET', 'PERIOD', 'SPENT', 'LIMIT', 'LEFT', 'STATUS'],
    ids: budgets.map(({ id }) => id),
    rows: budgets.map((figures) => [
      figures.id,
      figures.period ?? '',
      hours(spentHours(figures)),
      hours(figures.limitEecuHours),
      hours(leftHours(figures)),
      statusOf(figures),
    ]),
  });
  return exitCodes.DONE;
}

export async function showBudget(cli: Cli, id: string): Promise<ExitCode> {
  const { terminal } = cli;
  const { budgets } = await cli.store();
  const found = isDocumentId(id) ? await budgets.get(id) : undefined;
  if (!found) {
    throw new CliError('NOT_FOUND', `There is no budget ${id}. budget list shows all of them.`);
  }
  const status = await refreshBudgets(await cli.services());
  const figures = status.budgets.find((one) => one.id === id);
  if (cli.json) {
    writeJson(cli, { id, budget: isReadable(found) ? found.value : null, figures });
    return exitCodes.DONE;
  }
  const field = (name: string, text: string) => terminal.out(`  ${name.padEnd(11)}${text}`);
  terminal.out(`Budget ${id}`);
  if (isReadable(found)) {
    const { match, thresholds } = found.value;
    const { project, batchIdPrefix, label } = match;
    const covered = [
      project === undefined ? '' : `project ${project}`,
      batchIdPrefix === undefined ? '' : `batches ${batchIdPrefix}…`,
      label === undefined ? '' : `label ${label.key}=${label.value}`,
    ].filter(Boolean);
    field('covers', covered.join(', ') || 'every job');
    field(
      'thresholds',
      thresholds.map(({ percent, action }) => `${action} at ${percent}%`).join(', ') || 'none',
    );
  }
  if (figures) {
    field('period', `${figures.period ?? ''}${figures.endsAt ? `, until ${time(figures.endsAt)} UTC` : ''}`);
    field('spent', `${hours(spentHours(figures))} of ${hours(figures.limitEecuHours)} EECU-hours`);
    field(
      'running',
      `${hours((figures.runningEecuSeconds ?? 0) / 3600)} of them so far, by jobs at Earth Engine`,
    );
    field('left', `${hours(leftHours(figures))} EECU-hours`);
    field('status', statusOf(figures));
  }
  return exitCodes.DONE;
}

export async function removeBudget(cli: Cli, id: string): Promise<ExitCode> {
  const { budgets } = await cli.store();
  if (!isDocumentId(id) || !(await budgets.get(id))) {
    throw new CliError('NOT_FOUND', `There is no budget ${id}. budget list shows all of them.`);
  }
  await budgets.remove(id);
  await refreshBudgets(await cli.services());
  if (cli.json) {
    writeJson(cli, { removed: id });
  } else {
    cli.terminal.out(`Removed the budget ${id}.`);
  }
  return exitCodes.DONE;
}

const spentHours = ({ spentEecuSeconds }: BudgetFigures): number | undefined =>
  spentEecuSeconds === undefined ? undefined : spentEecuSeconds / 3600;

function statusOf({ problem, holds, cancels, strict }: BudgetFigures): string {
  if (problem !== undefined) {
    return `${strict ? 'holds jobs' : 'holds nothing'}: ${problem}`;
  }
  return cancels ? 'cancels jobs' : holds ? 'holds jobs' : 'open';
}
