import { eecuHours, percent } from '../format.ts';
import { texts } from '../texts.ts';
import { command } from '../views/commands.ts';
import { exportPath, exportsPath } from '../views/filter.ts';
import { gridOf } from '../views/grid.ts';
import { recordStates, toneOf } from '../views/states.ts';
import type { BatchCounts, BatchView, Cell, Row } from '../views/view.ts';
import { Age, Empty, Outside, Panel, Scroll, Time } from './basics.tsx';
import { BatchProgress, BatchState } from './batches.tsx';
import { Command } from './command.tsx';

const t = texts.batch;

export function BatchPage({ view }: { readonly view: BatchView }) {
  const { id, batch, rows, truncated, rejected } = view;
  const counts = truncated ? (batch?.counts ?? countsOf(rows)) : countsOf(rows);
  const canCancel = batch ? batch.state !== 'FINISHED' : counts.waiting + counts.active > 0;
  const retries = new Set(rows.map(({ retry }) => retry));
  if (truncated && counts.unsuccessful > 0) {
    // The rows that are not shown may have some.
    retries.add('PLAIN');
  }
  return (
    <>
      <div class="page-head">
        <p class="kicker">{t.title}</p>
        <h1>
          <Outside>{id}</Outside>
        </h1>
        {batch ? <BatchState row={batch} /> : <span class="muted">{t.noManifest}</span>}
      </div>
      <div class="summary">
        <BatchProgress row={{ counts, jobs: Math.max(batch?.jobs ?? 0, rows.length) }} />
        {batch && (
          <p class="muted card-foot">
            <span>
              {t.created} <Time iso={batch.createdAt} />
            </span>
            {batch.finishedAt && (
              <span>
                {t.finished} <Age iso={batch.finishedAt} />
              </span>
            )}
            {batch.eecuSeconds !== undefined && (
              <span>
                {eecuHours(batch.eecuSeconds)} {texts.batches.eecu}
              </span>
            )}
          </p>
        )}
      </div>
      <Panel
        wide
        title={t.jobs}
        action={
          <a class="all" href={exportsPath({ batch: id })}>
            {t.all}
          </a>
        }
      >
        {rows.length === 0 ? <Empty>{t.jobsNone}</Empty> : <JobGrid rows={rows} />}
        {truncated && <p class="muted">{t.truncated(rows.length)}</p>}
      </Panel>
      {rejected.length > 0 && <Rejected rejected={rejected} />}
      <Panel wide title={t.commands}>
        {canCancel && <Command title={t.cancel} text={command('cancel', '--batch', id)} />}
        {retries.has('PLAIN') ? (
          <Command title={t.retry} text={command('retry', '--batch', id)} />
        ) : (
          retries.has('FORCE') && (
            <Command title={t.retryForced} text={command('retry', '--batch', id, '--force')} />
          )
        )}
        <Command title={t.show} text={command('batch', 'show', id)} />
      </Panel>
    </>
  );
}

function countsOf(rows: readonly Row[]): BatchCounts {
  const counts = { waiting: 0, active: 0, succeeded: 0, unsuccessful: 0 };
  for (const { state } of rows) {
    counts[groupOf(state)] += 1;
  }
  return counts;
}

function groupOf(state: Row['state']): keyof BatchCounts {
  switch (state) {
    case 'WAITING':
    case 'SUBMITTING':
      return 'waiting';
    case 'PENDING':
    case 'RUNNING':
    case 'CANCELLING':
      return 'active';
    case 'SUCCEEDED':
      return 'succeeded';
    case 'FAILED':
    case 'REJECTED':
    case 'LOST':
    case 'CANCELLED':
    case 'UNREADABLE':
      return 'unsuccessful';
  }
}

function JobGrid({ rows }: { readonly rows: readonly Row[] }) {
  const { columns, lines } = gridOf(rows);
  return (
    <>
      <Legend rows={rows} />
      {columns.length > 0 ? (
        <Scroll label={t.jobs}>
          <table class="matrix">
            <thead>
              <tr>
                <td />
                {columns.map((name) => (
                  <th key={name} scope="col">
                    <Outside>{name}</Outside>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {lines.map(({ label, cells }) => (
                <tr key={label}>
                  <th scope="row">
                    <Outside>{label}</Outside>
                  </th>
                  {cells.map((cell, index) => (
                    <td key={columns[index]}>{cell && <JobCell cell={cell} short />}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      ) : (
        lines.map(({ label, cells }) => (
          <div class="cell-line" key={label}>
            {label && (
              <h3>
                <Outside>{label}</Outside>
              </h3>
            )}
            <ul class="cells">
              {cells.map(
                (cell) =>
                  cell && (
                    <li key={cell.row.id}>
                      <JobCell cell={cell} />
                    </li>
                  ),
              )}
            </ul>
          </div>
        ))
      )}
    </>
  );
}

/** In a matrix, the headers say which job it is; the state is then the only text. */
function JobCell({ cell: { row, label }, short }: { readonly cell: Cell; readonly short?: boolean }) {
  const { label: state } = texts.states[row.state];
  const status = row.state === 'RUNNING' && row.progress !== undefined ? percent(row.progress) : state;
  return (
    <a
      class={`cell tone-${toneOf(row.state)}`}
      href={exportPath(row.id)}
      title={`${row.name}: ${state}${row.detail ? `. ${row.detail}` : ''}`}
    >
      {!short && (
        <span class="cell-name">
          <Outside>{label}</Outside>
        </span>
      )}
      <span class="cell-state">{status}</span>
    </a>
  );
}

function Legend({ rows }: { readonly rows: readonly Row[] }) {
  const counts = new Map<string, number>();
  for (const { state } of rows) {
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return (
    <p class="legend">
      {recordStates
        .filter((state) => counts.has(state))
        .map((state) => (
          <span key={state}>
            <span class={`swatch fill-${toneOf(state)}`} aria-hidden="true" />
            {counts.get(state)} {texts.states[state].label.toLowerCase()}
          </span>
        ))}
    </p>
  );
}

function Rejected({ rejected }: { readonly rejected: BatchView['rejected'] }) {
  return (
    <Panel wide title={t.rejected}>
      <p>{t.rejectedNote}</p>
      <ul class="rejected">
        {rejected.map(({ id, reason, issues, createdAt }) => (
          <li key={id}>
            <p>
              <strong>{reason}</strong> <code>{id}</code> <Age iso={createdAt} />
            </p>
            <ul>
              {issues.map(({ path, message }) => (
                <li key={path}>
                  <code>
                    <Outside>{path}</Outside>
                  </code>
                  : <Outside>{message}</Outside>
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
