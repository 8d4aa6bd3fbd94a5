import type { ComponentChildren } from 'preact';

import { count, eecuHours, percent } from '../format.ts';
import { texts } from '../texts.ts';
import { exportPath, exportsPath } from '../views/filter.ts';
import type { Hour, OverviewView, Problem, ProjectRow, Row } from '../views/view.ts';
import { Age, Badge, Bar, Detail, Empty, Outside, Panel, PlainTable, Time } from './basics.tsx';
import { Budgets } from './budgets.tsx';
import { RemedyLine } from './command.tsx';
import { Hours } from './hours.tsx';

const t = texts.overview;

export function OverviewPage({ view }: { readonly view: OverviewView }) {
  const { problems, hours, waiting, projects, running, finished, budgets } = view;
  const headline = problems && (problems.length === 0 ? t.calm : t.attention(problems.length));
  return (
    <>
      <div class={`headline ${headlineTone(problems)}`}>
        <h1>{headline ?? t.counting}</h1>
      </div>
      {problems && problems.length > 0 && <Problems problems={problems} />}
      <Tiles view={view} />
      <div class="columns">
        <Panel title={t.hours}>
          <Hours kind="finished" hours={hours} />
        </Panel>
        <Panel title={t.eecu}>
          <Hours kind="eecu" hours={hours} />
        </Panel>
      </div>
      <div class="columns">
        <Panel title={t.running} action={<All href={exportsPath({ states: ['RUNNING'] })} of={t.running} />}>
          <ShortList rows={running} none={t.runningNone} />
        </Panel>
        <Panel
          title={t.finished}
          action={
            <All
              href={exportsPath({ states: ['SUCCEEDED', 'FAILED', 'REJECTED', 'LOST', 'CANCELLED'] })}
              of={t.finished}
            />
          }
        >
          <ShortList rows={finished} none={t.finishedNone} />
        </Panel>
      </div>
      <div class="columns">
        <Panel title={t.why} action={<All href={exportsPath({ states: ['WAITING'] })} of={t.why} />}>
          <Reasons waiting={waiting} />
        </Panel>
        <Panel title={t.projects}>
          <Projects projects={projects} />
        </Panel>
        {budgets && budgets.length > 0 && (
          <Panel title={t.budgets}>
            <Budgets budgets={budgets} />
          </Panel>
        )}
      </div>
    </>
  );
}

const headlineTone = (problems: OverviewView['problems']): string => {
  if (!problems) {
    return 'headline-unknown';
  }
  if (problems.length === 0) {
    return 'headline-good';
  }
  return problems.some(({ severity }) => severity === 'ERROR') ? 'headline-bad' : 'headline-warn';
};

const All = ({ href, of }: { readonly href: string; readonly of: string }) => (
  <a class="all" href={href} aria-label={`${t.all}: ${of}`}>
    {t.all}
  </a>
);

function Problems({ problems }: { readonly problems: readonly Problem[] }) {
  return (
    <section aria-label={t.problems}>
      <ul class="problems">
        {problems.map(({ code, severity, count, subject = '', message, advice, remedies, since, href }) => {
          const { title, todo } = texts.problems[code];
          return (
            <li key={`${code} ${subject}`} class={`problem problem-${severity.toLowerCase()}`}>
              <span class="problem-mark">{t.severity[severity]}</span>
              <div>
                <h2>
                  <Outside>{title(count, subject)}</Outside>
                </h2>
                {message && (
                  <p class="quote">
                    <Outside>{message}</Outside>
                  </p>
                )}
                <p>{advice ?? todo(count)}</p>
                {remedies?.map((remedy) => (
                  <RemedyLine key={remedy.does} remedy={remedy} />
                ))}
              </div>
              <span class="problem-end">
                {since && <Age iso={since} />}
                {href && (
                  <a class="button" href={href} aria-label={`${texts.more}: ${title(count, subject)}`}>
                    {texts.more}
                  </a>
                )}
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Tiles({ view: { counts, waiting, hours } }: { readonly view: OverviewView }) {
  const sum = (of: (hour: Hour) => number) => hours?.reduce((total, hour) => total + of(hour), 0);
  const succeeded = sum((hour) => hour.succeeded);
  const unsuccessful = sum((hour) => hour.unsuccessful);
  const ended = (succeeded ?? 0) + (unsuccessful ?? 0);
  const unsuccessfulHref = exportsPath({ states: ['FAILED', 'REJECTED', 'LOST', 'CANCELLED'] });
  const figure = (value: number | undefined) => (value === undefined ? t.unknown : count(value));
  const eecuSeconds = sum((hour) => hour.eecuSeconds);
  return (
    <section aria-label={t.tiles.label}>
      <dl class="tiles">
        <Tile
          name={t.tiles.running}
          tone="active"
          href={exportsPath({ states: ['RUNNING'] })}
          value={figure(counts?.running)}
        >
          {counts && t.tiles.runningNote(counts.others)}
        </Tile>
        <Tile
          name={t.tiles.waiting}
          tone="waiting"
          href={exportsPath({ states: ['WAITING'] })}
          value={figure(waiting?.reasons.reduce((total, { count }) => total + count, 0))}
        >
          {waiting?.oldest ? (
            <>
              {t.tiles.waitingNote}
              <a href={exportPath(waiting.oldest.id)}>
                <Age iso={waiting.oldest.createdAt} bare />
              </a>
            </>
          ) : (
            waiting && t.tiles.waitingNone
          )}
        </Tile>
        <Tile
          name={t.tiles.succeeded}
          tone="good"
          href={exportsPath({ states: ['SUCCEEDED'] })}
          value={figure(succeeded)}
        >
          {ended > 0
            ? t.tiles.succeededNote(percent((succeeded ?? 0) / ended))
            : hours && t.tiles.succeededNone}
        </Tile>
        <Tile name={t.tiles.unsuccessful} tone="bad" href={unsuccessfulHref} value={figure(unsuccessful)}>
          {t.tiles.unsuccessfulNote}
        </Tile>
        <Tile
          name={t.tiles.eecu}
          tone="plain"
          value={eecuSeconds === undefined ? t.unknown : eecuHours(eecuSeconds)}
        >
          {t.tiles.eecuNote}
        </Tile>
      </dl>
    </section>
  );
}

function Tile({
  name,
  tone,
  value,
  href,
  children,
}: {
  readonly name: string;
  readonly tone: string;
  readonly value: string;
  readonly href?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <div class={`tile tile-${tone}`}>
      <dt>{href ? <a href={href}>{name}</a> : name}</dt>
      <dd>
        <span class="figure">{value}</span>
        <span class="note">{children}</span>
      </dd>
    </div>
  );
}

function Reasons({ waiting }: { readonly waiting: OverviewView['waiting'] }) {
  if (!waiting) {
    return <Empty>{t.counting}</Empty>;
  }
  const { reasons } = waiting;
  if (reasons.length === 0) {
    return <Empty>{t.whyNone}</Empty>;
  }
  const most = Math.max(...reasons.map((each) => each.count));
  return (
    <ul class="reasons">
      {reasons.map(({ reason, count: jobs }) => (
        <li key={reason}>
          <span class="reason-head">
            <strong>{texts.waiting[reason].label}</strong>
            <span class="number">{count(jobs)}</span>
          </span>
          <Bar
            parts={[
              { tone: 'waiting', value: jobs },
              { tone: 'empty', value: most - jobs },
            ]}
          />
          <span class="muted">{texts.waiting[reason].why}</span>
        </li>
      ))}
    </ul>
  );
}

function Projects({ projects }: { readonly projects: readonly ProjectRow[] | undefined }) {
  if (!projects) {
    return <Empty>{t.counting}</Empty>;
  }
  if (projects.length === 0) {
    return <Empty>{t.projectsNone}</Empty>;
  }
  return (
    <PlainTable label={t.projects} heads={[t.project, t.gate, t.active, t.queued]}>
      {projects.map(({ project, gate, closedFor, closedUntil, active, limit, queued }) => (
        <tr key={project}>
          <th scope="row">{project}</th>
          <td>
            <span class={`gate gate-${gate.toLowerCase()}`} title={t.gateNote[gate]}>
              {t.gates[gate]}
            </span>
            {gate === 'CLOSED' && closedUntil && (
              <span class="muted">
                {' '}
                {t.until} <Time iso={closedUntil} />
                {closedFor && `, ${texts.waiting[closedFor].label}`}
              </span>
            )}
          </td>
          <td>
            {count(active)} <span class="muted">{t.of(limit)}</span>
          </td>
          <td>{count(queued)}</td>
        </tr>
      ))}
    </PlainTable>
  );
}

function ShortList({ rows, none }: { readonly rows: readonly Row[] | undefined; readonly none: string }) {
  if (!rows) {
    return <Empty>{t.counting}</Empty>;
  }
  if (rows.length === 0) {
    return <Empty>{none}</Empty>;
  }
  return (
    <ul class="short">
      {rows.map((row) => (
        <li key={row.id}>
          <Badge state={row.state} />
          <a class="name" href={exportPath(row.id)}>
            <Outside>{row.name}</Outside>
          </a>
          <span class="short-detail">
            <Detail row={row} />
          </span>
          <span class="short-age">
            <Age iso={row.finishedAt ?? row.startedAt ?? row.createdAt} />
          </span>
        </li>
      ))}
    </ul>
  );
}
