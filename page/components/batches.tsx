import { count, eecuHours } from '../format.ts';
import { texts } from '../texts.ts';
import { batchPath } from '../views/filter.ts';
import type { BatchCounts, BatchesView, BatchRow } from '../views/view.ts';
import { Age, Bar, Empty, Outside } from './basics.tsx';

const t = texts.batches;

export function BatchesPage({ view: { rows, next } }: { readonly view: BatchesView }) {
  return (
    <>
      <div class="page-head">
        <h1>{t.title}</h1>
      </div>
      {rows.length === 0 ? (
        <Empty>{t.none}</Empty>
      ) : (
        <ul class="cards">
          {rows.map((row) => (
            <li key={row.id} class="card">
              <div class="card-head">
                <a class="name" href={batchPath(row.id)}>
                  <Outside>{row.id}</Outside>
                </a>
                <BatchState row={row} />
              </div>
              <BatchProgress row={row} />
              <p class="muted card-foot">
                <span>
                  {texts.batch.created} <Age iso={row.createdAt} />
                </span>
                {row.finishedAt && (
                  <span>
                    {texts.batch.finished} <Age iso={row.finishedAt} />
                  </span>
                )}
                {row.eecuSeconds !== undefined && (
                  <span>
                    {eecuHours(row.eecuSeconds)} {t.eecu}
                  </span>
                )}
              </p>
            </li>
          ))}
        </ul>
      )}
      {next && (
        <p class="more">
          <a class="button" href={`/batches?after=${encodeURIComponent(next)}`}>
            {t.older}
          </a>
        </p>
      )}
    </>
  );
}

export function BatchState({ row: { state, cancelRequestedAt } }: { readonly row: BatchRow }) {
  const tone = cancelRequestedAt ? 'ended' : state === 'FINISHED' ? 'good' : 'active';
  return (
    <span class={`badge tone-${tone}`}>
      <span class="dot" aria-hidden="true" />
      {t.states[state]}
      {cancelRequestedAt && `, ${t.canceled.toLowerCase()}`}
    </span>
  );
}

const tones = { succeeded: 'good', active: 'active', waiting: 'waiting', unsuccessful: 'bad' } as const;
const groupNames = Object.keys(tones) as (keyof BatchCounts)[];

export function BatchProgress({
  row: { counts, jobs },
}: {
  readonly row: Pick<BatchRow, 'counts' | 'jobs'>;
}) {
  const known = groupNames.reduce((sum, name) => sum + counts[name], 0);
  const missing = Math.max(0, jobs - known);
  return (
    <div class="batch-progress">
      <Bar
        parts={[
          ...groupNames.map((name) => ({ tone: tones[name], value: counts[name] })),
          { tone: 'empty', value: missing },
        ]}
      />
      <p class="legend">
        <strong>{t.jobs(jobs || known)}</strong>
        {groupNames
          .filter((name) => counts[name] > 0)
          .map((name) => (
            <span key={name}>
              <span class={`swatch fill-${tones[name]}`} aria-hidden="true" />
              {count(counts[name])} {t.groups[name]}
            </span>
          ))}
        {missing > 0 && (
          <span>
            <span class="swatch fill-none" aria-hidden="true" />
            {count(missing)} {t.missing}
          </span>
        )}
      </p>
    </div>
  );
}
