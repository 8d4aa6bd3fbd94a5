import { count, eecuHours, percent } from '../format.ts';
import { texts } from '../texts.ts';
import type { BudgetRow } from '../views/view.ts';
import { Bar, Outside } from './basics.tsx';

const t = texts.budgets;
const HOUR_SECONDS = 3600;

/** What was spent of each budget. */
export function Budgets({ budgets }: { readonly budgets: readonly BudgetRow[] }) {
  return (
    <ul class="reasons">
      {budgets.map(({ id, match, period, limitEecuHours, spentEecuSeconds = 0, holds, cancels, problem }) => {
        const limit = (limitEecuHours ?? 0) * HOUR_SECONDS;
        const part = limit > 0 ? spentEecuSeconds / limit : 1;
        return (
          <li key={id}>
            <span class="reason-head">
              <strong>
                <Outside>{id}</Outside>
              </strong>
              {limitEecuHours !== undefined && (
                <span class="number">
                  {eecuHours(spentEecuSeconds)} {t.of(count(limitEecuHours))} ({percent(part)})
                </span>
              )}
            </span>
            <Bar
              parts={[
                { tone: part >= 1 ? 'bad' : part >= 0.8 ? 'waiting' : 'good', value: Math.min(1, part) },
                { tone: 'empty', value: Math.max(0, 1 - part) },
              ]}
            />
            <span class="muted">
              <Outside>{match || t.everything}</Outside>
              {period && `, ${period === 'TOTAL' ? t.total : period}`}
              {(cancels || holds) && `. ${cancels ? t.cancels : t.holds}`}
              {problem && (
                <>
                  {'. '}
                  <Outside>{problem}</Outside>
                </>
              )}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
