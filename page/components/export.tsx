import type { ComponentChildren } from 'preact';

import { eecuHours, percent } from '../format.ts';
import { texts } from '../texts.ts';
import { command } from '../views/commands.ts';
import { batchPath, exportPath, exportsPath } from '../views/filter.ts';
import type { ExportView } from '../views/view.ts';
import { Age, Badge, Outside, Panel, Progress, Time } from './basics.tsx';
import { Command, RemedyLine } from './command.tsx';
import { Delivery } from './delivery.tsx';
import { History } from './history.tsx';

const t = texts.export;

export function ExportPage({ view }: { readonly view: ExportView }) {
  const { row, history } = view;
  return (
    <>
      <div class="page-head">
        <p class="kicker">{t.title}</p>
        <h1>
          <Outside>{row.name}</Outside>
        </h1>
        <p class="head-state">
          <Badge state={row.state} />
          {row.attempt > 1 && <span class="muted">{t.attempt(row.attempt)}</span>}
          <span class="muted">{texts.states[row.state].meaning}</span>
        </p>
      </div>
      <div class="detail-columns">
        <div class="detail-main">
          <Now view={view} />
          {view.findings.length > 0 && <Findings findings={view.findings} />}
          {view.delivery && <Delivery delivery={view.delivery} name={row.name} />}
          <Panel title={t.timeline}>
            <History history={history} />
          </Panel>
          <Request view={view} />
        </div>
        <div class="detail-side">
          <Panel title={t.facts}>
            <Facts view={view} />
          </Panel>
          {view.attempts.length > 0 && <Attempts view={view} />}
          <Panel title={t.commands}>
            {view.canCancel && <Command title={t.cancel} text={command('cancel', row.id)} />}
            {view.retry === 'PLAIN' && <Command title={t.retry} text={command('retry', row.id)} />}
            {view.retry === 'FORCE' && (
              <Command title={t.retryForced} text={command('retry', row.id, '--force')} />
            )}
            {view.canVerify && <Command title={t.verify} text={command('verify', row.id)} />}
            {view.canRenderAgain && (
              <Command title={t.renderAgain} text={command('retry', row.id, '--undelivered')} />
            )}
            <Command title={t.show} text={command('show', row.id)} />
            <p>
              <a href={`/api/exports/${encodeURIComponent(row.id)}`}>{t.json}</a>
            </p>
          </Panel>
        </div>
      </div>
    </>
  );
}

/** What happens now: progress, why it waits, or what went wrong. */
function Now({ view: { row, error, dueAt, facts, permission } }: { readonly view: ExportView }) {
  const { state, waitingFor, progress, stalledSince, cancelRequestedAt } = row;
  return (
    <>
      {state === 'RUNNING' && progress !== undefined && (
        <section class="now">
          <Progress value={progress} label={percent(progress)} />
          {facts.stage && <p class="muted">{facts.stage}</p>}
        </section>
      )}
      {waitingFor && (
        <section class="callout callout-waiting" aria-label={t.waits}>
          <h2>
            {t.waits}: {texts.waiting[waitingFor].label}
          </h2>
          <p>{texts.waiting[waitingFor].why}</p>
          {permission && (
            <>
              <p>
                <Outside>{permission.why}</Outside>
              </p>
              {permission.fix !== undefined && (
                <RemedyLine remedy={{ does: 'GRANT', text: permission.fix }} />
              )}
            </>
          )}
          {dueAt && (
            <p class="muted">
              {t.next}: <Age iso={dueAt} />
            </p>
          )}
        </section>
      )}
      {error && (
        <section
          class={`callout ${waitingFor ? 'callout-plain' : 'callout-bad'}`}
          aria-label={waitingFor ? t.errorWaiting : t.error}
        >
          <h2>
            {waitingFor ? t.errorWaiting : t.error}: {error.status}
          </h2>
          <p class="quote">
            <Outside>{error.message}</Outside>
          </p>
          {error.advice && (
            <p>
              <strong>{t.todo}:</strong> {error.advice}
            </p>
          )}
          {!waitingFor && <p class="muted">{error.retryable ? t.retryable : t.notRetryable}</p>}
        </section>
      )}
      {stalledSince && (
        <p class="callout callout-waiting">
          {t.stalled} <Age iso={stalledSince} />
        </p>
      )}
      {cancelRequestedAt && (
        <p class="callout callout-plain">
          {t.cancelRequested} <Age iso={cancelRequestedAt} />
        </p>
      )}
    </>
  );
}

function Facts({ view: { row, facts } }: { readonly view: ExportView }) {
  const f = t.fields;
  return (
    <dl class="facts">
      <Fact name={f.recordId}>
        <code>{row.id}</code>
      </Fact>
      <Fact name={f.project}>{row.project}</Fact>
      {row.batches.map((batch) => (
        <Fact key={batch} name={f.batch}>
          <a href={batchPath(batch)}>
            <Outside>{batch}</Outside>
          </a>
        </Fact>
      ))}
      {Object.keys(row.labels).length > 0 && (
        <Fact name={f.labels}>
          <span class="tags">
            {Object.entries(row.labels).map(([name, value]) => (
              <a key={name} class="tag" href={exportsPath({ label: { name, value } })}>
                <Outside>{`${name}=${value}`}</Outside>
              </a>
            ))}
          </span>
        </Fact>
      )}
      {facts.outputUris.map((uri) => (
        <Fact key={uri} name={f.outputs}>
          <code>
            <Outside>{uri}</Outside>
          </code>
        </Fact>
      ))}
      {facts.outputUris.length === 0 && facts.destination && (
        <Fact name={f.destination}>
          <code>
            <Outside>{facts.destination}</Outside>
          </code>
        </Fact>
      )}
      {facts.operation && (
        <Fact name={f.operation}>
          <code>{facts.operation}</code>
        </Fact>
      )}
      {facts.extraOperations.map((operation) => (
        <Fact key={operation} name={f.extraOperations}>
          <code>{operation}</code>
        </Fact>
      ))}
      {facts.eecuSeconds !== undefined && <Fact name={f.eecu}>{eecuHours(facts.eecuSeconds)}</Fact>}
      <Fact name={f.priority}>{facts.priority}</Fact>
      {facts.workloadTag && (
        <Fact name={f.workloadTag}>
          <Outside>{facts.workloadTag}</Outside>
        </Fact>
      )}
      <Fact name={f.created}>
        <Time iso={row.createdAt} seconds />
      </Fact>
      {facts.submittedAt && (
        <Fact name={f.submitted}>
          <Time iso={facts.submittedAt} seconds />
        </Fact>
      )}
      {row.startedAt && (
        <Fact name={f.started}>
          <Time iso={row.startedAt} seconds />
        </Fact>
      )}
      {row.finishedAt && (
        <Fact name={f.finished}>
          <Time iso={row.finishedAt} seconds />
        </Fact>
      )}
      {facts.expireAt && (
        <Fact name={f.expires}>
          <Time iso={facts.expireAt} seconds />
        </Fact>
      )}
      <Fact name={f.submissions}>{facts.submissions}</Fact>
      {facts.serviceAccount && (
        <Fact name={f.serviceAccount}>
          <code>{facts.serviceAccount}</code>
        </Fact>
      )}
      <Fact name={f.messageId}>
        <code>
          <Outside>{facts.messageId}</Outside>
        </code>
      </Fact>
    </dl>
  );
}

const Fact = ({ name, children }: { readonly name: string; readonly children: ComponentChildren }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

function Attempts({ view: { attempts } }: { readonly view: ExportView }) {
  return (
    <Panel title={t.attempts}>
      <ul class="short">
        {attempts.map((row) => (
          <li key={row.id}>
            <Badge state={row.state} />
            <a class="name" href={exportPath(row.id)}>
              {t.attempt(row.attempt)}
            </a>
            <span class="short-age">
              <Age iso={row.createdAt} />
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Request({ view: { row, request } }: { readonly view: ExportView }) {
  const all = (
    <a class="all" href={`/api/exports/${encodeURIComponent(row.id)}/request`}>
      {t.requestAll}
    </a>
  );
  if (!request) {
    return (
      <p id="request">
        <a class="button" href={`${exportPath(row.id)}?request#request`}>
          {t.requestShow}
        </a>
      </p>
    );
  }
  return (
    <div id="request">
      <Panel title={t.request} action={all}>
        {request.truncated && <p class="muted">{t.requestCut}</p>}
        {request.code !== undefined && <Code label={t.requestCode} text={request.code} />}
        <Code label={request.code === undefined ? t.request : t.requestRest} text={request.json} />
      </Panel>
    </div>
  );
}

const Code = ({ label, text }: { readonly label: string; readonly text: string }) => (
  <pre class="code" tabIndex={0} role="group" aria-label={label}>
    <code>{text}</code>
  </pre>
);

/** What the check of the graph found, and what to change. */
const Findings = ({ findings }: { readonly findings: ExportView['findings'] }) => (
  <Panel title={t.findings}>
    <ul class="problems">
      {findings.map(({ severity, code, path, message, suggestion }) => (
        <li key={`${code} ${path}`} class={`problem problem-${severity.toLowerCase()}`}>
          <span class="problem-mark">{t.severity[severity]}</span>
          <div>
            <h3>{code}</h3>
            <p>
              <Outside>{message}</Outside>
            </p>
            <p>
              <Outside>{suggestion}</Outside>
            </p>
            <p class="muted">
              <code>
                <Outside>{path}</Outside>
              </code>
            </p>
          </div>
        </li>
      ))}
    </ul>
  </Panel>
);
