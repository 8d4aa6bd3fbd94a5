import uPlot from 'uplot';

import type { ChartKind, DrawChart } from '../components/env.tsx';
import { texts } from '../texts.ts';
import type { Hour } from '../views/view.ts';

const HEIGHT = 180;
const HOUR_SECONDS = 3600;

/** Draws bars per hour in the colors of the style sheet, which follow the theme. */
export const drawChart: DrawChart = (place, kind, hours) => {
  let data = hours;
  let plot = create();

  function create(): uPlot {
    return new uPlot(optionsFor(kind, place), columnsOf(kind, data), place);
  }
  const redraw = (): void => {
    plot.destroy();
    plot = create();
  };
  const sizes = new ResizeObserver(() => {
    if (place.clientWidth > 0 && place.clientWidth !== plot.width) {
      plot.setSize({ width: place.clientWidth, height: HEIGHT });
    }
  });
  sizes.observe(place);
  const theme = matchMedia('(prefers-color-scheme: dark)');
  theme.addEventListener('change', redraw);
  return {
    update(next) {
      data = next;
      plot.setData(columnsOf(kind, data));
    },
    remove() {
      sizes.disconnect();
      theme.removeEventListener('change', redraw);
      plot.destroy();
    },
  };
};

function columnsOf(kind: ChartKind, hours: readonly Hour[]): uPlot.AlignedData {
  const times = hours.map(({ from }) => Date.parse(from) / 1000);
  if (kind === 'eecu') {
    return [times, hours.map(({ eecuSeconds }) => eecuSeconds / HOUR_SECONDS)];
  }
  // Stacked: the sum is drawn first, and what succeeded over it.
  const sums = hours.map(({ succeeded, unsuccessful }) => succeeded + unsuccessful);
  return [times, sums, hours.map(({ succeeded }) => succeeded)];
}

function optionsFor(kind: ChartKind, place: HTMLElement): uPlot.Options {
  const color = (name: string) => colorOf(place, name);
  const bars = uPlot.paths.bars?.({ size: [0.7, 40], align: 1, radius: 0.15 });
  const series = (label: string, fill: string): uPlot.Series => ({
    label,
    fill: color(fill),
    stroke: color(fill),
    width: 0,
    points: { show: false },
    ...(bars ? { paths: bars } : {}),
  });
  const axis: uPlot.Axis = {
    stroke: color('--muted'),
    font: '12px system-ui, sans-serif',
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
  };
  const t = texts.overview;
  return {
    width: Math.max(200, place.clientWidth),
    height: HEIGHT,
    // Half of the last hour stands beside the bars.
    padding: [8, 20, 0, 0],
    cursor: { show: false },
    legend: { show: false },
    scales: {
      x: { time: true, range: (_plot, min, max) => [min, max + HOUR_SECONDS] },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] },
    },
    axes: [
      { ...axis, grid: { show: false }, values: hoursOfDay, space: 50, size: 28 },
      {
        ...axis,
        size: 44,
        space: 34,
        // Jobs have no halves.
        ...(kind === 'finished' ? { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] } : {}),
      },
    ],
    series: [
      {},
      ...(kind === 'eecu'
        ? [series(t.hoursEecu, '--active')]
        : [series(t.hoursUnsuccessful, '--bad'), series(t.hoursSucceeded, '--good')]),
    ],
  };
}

/** A color of the style sheet, which a canvas cannot resolve itself. */
function colorOf(place: HTMLElement, name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

const hoursOfDay = (_plot: uPlot, seconds: readonly number[]): string[] =>
  seconds.map((each) =>
    new Date(each * 1000).toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
  );
