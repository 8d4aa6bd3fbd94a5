import type { ComponentChildren } from 'preact';

import { dateTime, duration, exactTime, percent } from '../format.ts';
import { texts } from '../texts.ts';
import { toneOf } from '../views/states.ts';
import type { Row, ShownState } from '../views/view.ts';
import { useEnv } from './env.tsx';

/** The small components that every page is made of. They use no style attributes: the content security policy forbids them. */

export function Badge({ state }: { readonly state: ShownState }) {
  const { label, meaning } = texts.states[state];
  return (
    <span class={`badge tone-${toneOf(state)}`} title={meaning}>
      <span class="dot" aria-hidden="true" />
      {label}
    </span>
  );
}

/** What is wider than a narrow window scrolls sideways, also with the keyboard. */
export const Scroll = ({
  label,
  children,
}: {
  readonly label: string;
  readonly children: ComponentChildren;
}) => (
  <div class="scroll" tabIndex={0} role="group" aria-label={label}>
    {children}
  </div>
);

/** @param children the rows */
export const PlainTable = ({
  label,
  heads,
  children,
}: {
  readonly label: string;
  readonly heads: readonly string[];
  readonly children: ComponentChildren;
}) => (
  <Scroll label={label}>
    <table class="plain">
      <thead>
        <tr>
          {heads.map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  </Scroll>
);

/** A time in the zone of the viewer, with the exact one in its tooltip. */
export function Time({ iso, seconds = false }: { readonly iso: string; readonly seconds?: boolean }) {
  const { local } = useEnv();
  return (
    <time dateTime={iso} title={exactTime(iso, local)}>
      {dateTime(iso, local, seconds)}
    </time>
  );
}

/** How long ago something happened, or until it happens. */
export function Age({ iso, bare }: { readonly iso: string; readonly bare?: boolean }) {
  const { local, now } = useEnv();
  const ms = now - Date.parse(iso);
  const text = bare ? duration(Math.abs(ms)) : relative(ms);
  return (
    <time dateTime={iso} title={exactTime(iso, local)}>
      {text}
    </time>
  );
}

function relative(ms: number): string {
  if (Math.abs(ms) < 2000) {
    return texts.time.justNow;
  }
  return ms > 0 ? texts.time.ago(duration(ms)) : texts.time.in(duration(-ms));
}

export function Progress({ value, label }: { readonly value: number; readonly label: string }) {
  return (
    <span class="progress">
      <progress value={value} max={1} aria-label={label} />
      <span class="number">{percent(value)}</span>
    </span>
  );
}

/** Why a job waits, what it does, or how it ended. */
export function Detail({ row }: { readonly row: Row }) {
  const { state, waitingFor, progress, detail, name } = row;
  if (state === 'RUNNING' && progress !== undefined) {
    return (
      <>
        <Progress value={progress} label={name} />
        {detail && <span class="muted">{detail}</span>}
      </>
    );
  }
  const reason = waitingFor && texts.waiting[waitingFor].label;
  return <bdi>{[reason, detail].filter(Boolean).join(': ')}</bdi>;
}

/** Parts of a whole, as a bar. The numbers are next to it. */
export function Bar({
  parts,
}: {
  readonly parts: readonly { readonly tone: string; readonly value: number }[];
}) {
  const total = parts.reduce((sum, { value }) => sum + value, 0);
  let x = 0;
  return (
    <svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <rect class="bar-empty" x="0" y="0" width="100" height="1" />
      {parts
        .filter(({ value }) => value > 0)
        .map(({ tone, value }) => {
          const width = (100 * value) / total;
          const rect = <rect key={tone} class={`fill-${tone}`} x={x} y="0" width={width} height="1" />;
          x += width;
          return rect;
        })}
    </svg>
  );
}

export function Panel({
  title,
  action,
  children,
  wide,
}: {
  readonly title: string;
  readonly action?: ComponentChildren;
  readonly children: ComponentChildren;
  readonly wide?: boolean;
}) {
  const id = `h-${title.toLowerCase().replaceAll(/\W+/g, '-')}`;
  return (
    <section class={wide ? 'panel wide' : 'panel'} aria-labelledby={id}>
      <div class="panel-head">
        <h2 id={id}>{title}</h2>
        {action}
      </div>
      {children}
    </section>
  );
}

export const Empty = ({ children }: { readonly children: ComponentChildren }) => (
  <p class="empty">{children}</p>
);

/** Text that a message contains, which may be written from right to left. */
export const Outside = ({ children }: { readonly children: string }) => <bdi>{children}</bdi>;
