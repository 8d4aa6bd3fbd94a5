import { useCallback, useState } from 'preact/hooks';

import { count, eecuHours } from '../format.ts';
import { texts } from '../texts.ts';
import type { Hour, OverviewView } from '../views/view.ts';
import { Empty, PlainTable, Time } from './basics.tsx';
import { Chart } from './chart.tsx';
import type { ChartKind } from './env.tsx';

const t = texts.overview;

/** What finished in each hour: as a chart, and as a table, which is open if there is no chart. */
export function Hours({ kind, hours }: { readonly kind: ChartKind; readonly hours: OverviewView['hours'] }) {
  const [isTable, setIsTable] = useState(false);
  const failed = useCallback(() => setIsTable(true), []);
  return hours ? (
    <>
      {!isTable && <Chart kind={kind} hours={hours} failed={failed} />}
      <HoursTable hours={hours} open={isTable} />
    </>
  ) : (
    <div class="chart-space">
      <Empty>{t.counting}</Empty>
    </div>
  );
}

function HoursTable({ hours, open }: { readonly hours: readonly Hour[]; readonly open: boolean }) {
  return (
    <details class="as-table" open={open}>
      <summary>{t.asTable}</summary>
      <PlainTable label={t.asTable} heads={[t.hour, t.hoursSucceeded, t.hoursUnsuccessful, t.hoursEecu]}>
        {hours.toReversed().map(({ from, succeeded, unsuccessful, eecuSeconds }) => (
          <tr key={from}>
            <th scope="row">
              <Time iso={from} />
            </th>
            <td>{count(succeeded)}</td>
            <td>{count(unsuccessful)}</td>
            <td>{eecuHours(eecuSeconds)}</td>
          </tr>
        ))}
      </PlainTable>
    </details>
  );
}
