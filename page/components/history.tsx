import { texts } from '../texts.ts';
import { toneOf } from '../views/states.ts';
import type { HistoryEntry, ShownState } from '../views/view.ts';
import { Outside, Time } from './basics.tsx';

/** The states of a record, the earliest first. */
export const History = ({ history }: { readonly history: readonly HistoryEntry[] }) => (
  <ol class="timeline">
    {history.map(({ states, at, until, times, note }) => (
      <li key={`${states.join(' ')} ${at}`} class={`tone-${toneIn(states.at(-1) ?? '')}`}>
        <span class="timeline-head">
          <strong>
            {states.map(labelIn).join(' → ')}
            {times !== undefined && ` (${texts.export.times(times)})`}
          </strong>
          <span>
            <Time iso={at} seconds />
            {until !== undefined && (
              <>
                {' – '}
                <Time iso={until} seconds />
              </>
            )}
          </span>
        </span>
        {note && (
          <p class="muted">
            <Outside>{note}</Outside>
          </p>
        )}
      </li>
    ))}
  </ol>
);

const isState = (state: string): state is ShownState => Object.hasOwn(texts.states, state);
const toneIn = (state: string): string => (isState(state) ? toneOf(state) : 'ended');
const labelIn = (state: string): string => (isState(state) ? texts.states[state].label : state);
