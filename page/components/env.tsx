import { createContext } from 'preact';
import { useContext } from 'preact/hooks';

import type { Hour } from '../views/view.ts';

export type ChartKind = 'finished' | 'eecu';

/** A chart in the document. */
export interface DrawnChart {
  update(hours: readonly Hour[]): void;
  remove(): void;
}
export type DrawChart = (place: HTMLElement, kind: ChartKind, hours: readonly Hour[]) => DrawnChart;

/** What components know about where they are drawn. */
export interface Env {
  readonly now: number;
  /** Whether the zone of the viewer is known: only in a browser, after the first drawing. */
  readonly local: boolean;
  /** Shows another address of the same page without loading the page; absent on the server. */
  readonly navigate?: (path: string) => void;
  /** Loads the next rows of a list. */
  readonly loadMore?: () => void;
  readonly loading?: 'LOADING' | 'FAILED';
  /** Loads the charting library, which only a browser needs. */
  readonly loadCharts?: () => Promise<DrawChart>;
}

export const EnvContext = createContext<Env>({ now: 0, local: false });

export const useEnv = (): Env => useContext(EnvContext);
