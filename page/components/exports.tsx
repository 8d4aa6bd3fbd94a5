import { texts } from '../texts.ts';
import { exportPath, exportsPath, readFilter } from '../views/filter.ts';
import { deliveryStates, deliveryTones, recordStates, toneOf } from '../views/states.ts';
import type { ExportsView, Filter, Row } from '../views/view.ts';
import { Age, Badge, Detail, Empty, Outside } from './basics.tsx';
import { useEnv } from './env.tsx';
import { useRowKeys } from './row-keys.ts';
import { useWindow } from './window.ts';

const t = texts.exports;

export function ExportsPage({ view }: { readonly view: ExportsView }) {
  const { rows, filter, total, after, next, partial } = view;
  const { loadMore, loading } = useEnv();
  return (
    <>
      <div class="page-head">
        <h1>{t.title}</h1>
        <p class="muted" role="status">
          {t.shown(rows.length, after === undefined ? total : undefined)}
        </p>
      </div>
      <Filters filter={filter} />
      {rows.length === 0 ? (
        <Empty>{isFiltered(filter) ? t.none : t.noneAtAll}</Empty>
      ) : (
        <Rows rows={rows} total={total} hasMore={next !== undefined} />
      )}
      <p class="more">
        {after !== undefined && (
          <a class="button" href={exportsPath(filter)}>
            {t.newest}
          </a>
        )}
        {partial && <span class="muted">{t.partial}</span>}
        {next !== undefined &&
          (loadMore && loading !== 'FAILED' && !partial ? (
            <span class="muted">{t.loading}</span>
          ) : (
            <a class="button" href={exportsPath(filter, next)}>
              {partial ? t.search_more : t.older}
            </a>
          ))}
        {loading === 'FAILED' && <span class="muted">{t.failed}</span>}
      </p>
    </>
  );
}

const isFiltered = ({ states, deliveries, batch, label, text }: Filter): boolean =>
  states.length > 0 ||
  deliveries.length > 0 ||
  batch !== undefined ||
  label !== undefined ||
  text !== undefined;

/** A form, which also works without scripts. With them, the list follows each change. */
function Filters({ filter }: { readonly filter: Filter }) {
  const { navigate } = useEnv();
  const apply = (form: HTMLFormElement) =>
    navigate?.(exportsPath(readFilter(new URLSearchParams(new FormData(form) as never))));
  return (
    <form
      class="filters"
      method="get"
      action="/exports"
      role="search"
      aria-label={t.filters}
      onInput={(event) => apply(event.currentTarget)}
      onSubmit={(event) => {
        if (navigate) {
          event.preventDefault();
          apply(event.currentTarget);
        }
      }}
    >
      <div class="fields">
        <label class="field field-wide">
          <span>{t.search}</span>
          <input
            type="search"
            name="text"
            defaultValue={filter.text ?? ''}
            maxLength={200}
            placeholder={t.searchHint}
            autoComplete="off"
            spellcheck={false}
          />
        </label>
        <label class="field">
          <span>{t.batch}</span>
          <input
            name="batch"
            defaultValue={filter.batch ?? ''}
            maxLength={200}
            autoComplete="off"
            spellcheck={false}
          />
        </label>
        <label class="field">
          <span>{t.label}</span>
          <input
            name="label"
            defaultValue={filter.label ? `${filter.label.name}=${filter.label.value}` : ''}
            maxLength={130}
            placeholder={t.labelHint}
            autoComplete="off"
            spellcheck={false}
          />
        </label>
      </div>
      <Chips
        legend={t.state}
        name="state"
        chips={recordStates.map((state) => ({
          value: state,
          tone: toneOf(state),
          isChecked: filter.states.includes(state),
          ...texts.states[state],
        }))}
      />
      <Chips
        legend={t.delivery}
        name="delivery"
        chips={deliveryStates.map((state) => ({
          value: state,
          tone: deliveryTones[state],
          isChecked: filter.deliveries.includes(state),
          ...texts.delivery.states[state],
        }))}
      />
      <div class="filter-actions">
        {!navigate && (
          <button class="button primary" type="submit">
            {t.apply}
          </button>
        )}
        {isFiltered(filter) && (
          <a class="button" href="/exports">
            {t.clear}
          </a>
        )}
      </div>
    </form>
  );
}

interface Chip {
  readonly value: string;
  readonly tone: string;
  readonly isChecked: boolean;
  readonly label: string;
  readonly meaning: string;
}

const Chips = ({
  legend,
  name,
  chips,
}: {
  readonly legend: string;
  readonly name: string;
  readonly chips: readonly Chip[];
}) => (
  <fieldset class="chips">
    <legend>{legend}</legend>
    <div class="chip-list">
      {chips.map(({ value, tone, isChecked, label, meaning }) => (
        <label key={value} class={`chip tone-${tone}`} title={meaning}>
          <input type="checkbox" name={name} value={value} defaultChecked={isChecked} />
          <span class="dot" aria-hidden="true" />
          {label}
        </label>
      ))}
    </div>
  </fieldset>
);

/** Only the rows near the viewport are in the document. Explicit roles, because narrow screens lay rows out as blocks. */
function Rows({
  rows,
  total,
  hasMore,
}: {
  readonly rows: readonly Row[];
  readonly total: number | undefined;
  readonly hasMore: boolean;
}) {
  const { body, first, last, above, below } = useWindow(rows.length, hasMore);
  const onKeyDown = useRowKeys();
  const shown = rows.slice(first, last);
  return (
    <table
      class="rows"
      role="table"
      aria-label={t.list}
      aria-rowcount={hasMore ? (total ?? -1) : rows.length + 1}
      onKeyDown={onKeyDown}
    >
      <thead role="rowgroup">
        <tr role="row" aria-rowindex={1}>
          {[t.state, t.job, t.detail, t.batch, t.created].map((name) => (
            <th key={name} role="columnheader" scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup" ref={body}>
        <tr class="space" ref={above} role="presentation" aria-hidden="true" />
        {shown.map((row, index) => (
          <ExportRow key={row.id} row={row} index={first + index} />
        ))}
        <tr class="space" ref={below} role="presentation" aria-hidden="true" />
      </tbody>
    </table>
  );
}

function ExportRow({ row, index }: { readonly row: Row; readonly index: number }) {
  const { id, state, name, attempt, batches, createdAt } = row;
  return (
    <tr role="row" aria-rowindex={index + 2} data-row={index}>
      <td role="cell" class="cell-badge">
        <Badge state={state} />
      </td>
      <th role="rowheader" scope="row" class="cell-job">
        <a class={attempt > 1 ? 'name name-before' : 'name'} href={exportPath(id)} data-link={index}>
          <Outside>{name}</Outside>
        </a>
        {attempt > 1 && <span class="muted after-name"> {t.attempt(attempt)}</span>}
      </th>
      <td role="cell" class="cell-detail">
        <Detail row={row} />
      </td>
      <td role="cell" class="cell-batch">
        <Outside>{batches[0] ?? ''}</Outside>
      </td>
      <td role="cell" class="cell-age">
        <Age iso={createdAt} />
      </td>
    </tr>
  );
}
