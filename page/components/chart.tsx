import { useEffect, useRef } from 'preact/hooks';

import { texts } from '../texts.ts';
import type { Hour } from '../views/view.ts';
import { type ChartKind, type DrawnChart, useEnv } from './env.tsx';

/** A chart that the browser draws; the table below it has the same numbers. `failed` is called if it cannot be drawn. */
export function Chart({
  kind,
  hours,
  failed,
}: {
  readonly kind: ChartKind;
  readonly hours: readonly Hour[];
  readonly failed: () => void;
}) {
  const { loadCharts } = useEnv();
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<DrawnChart | undefined>(undefined);
  const latest = useRef(hours);
  latest.current = hours;
  useEffect(() => {
    let gone = false;
    const draw = async (): Promise<void> => {
      try {
        const drawChart = await loadCharts?.();
        if (!gone && place.current) {
          drawn.current = drawChart?.(place.current, kind, latest.current);
        }
      } catch {
        // The table has the same numbers.
        failed();
      }
    };
    void draw();
    return () => {
      gone = true;
      drawn.current?.remove();
    };
  }, [kind, loadCharts, failed]);
  useEffect(() => drawn.current?.update(hours), [hours]);
  const names =
    kind === 'finished'
      ? ([
          ['good', texts.overview.hoursSucceeded],
          ['bad', texts.overview.hoursUnsuccessful],
        ] as const)
      : ([['active', texts.overview.hoursEecu]] as const);
  return (
    <div class="chart">
      <p class="legend">
        {names.map(([tone, name]) => (
          <span key={tone}>
            <span class={`swatch fill-${tone}`} aria-hidden="true" />
            {name}
          </span>
        ))}
      </p>
      <div class="plot" ref={place} aria-hidden="true" />
    </div>
  );
}
