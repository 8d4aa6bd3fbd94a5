import { useCallback } from 'preact/hooks';

const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

/** Arrow keys move from row to row while a row has the focus; the rows around it are in the document, so they can be focused. */
export function useRowKeys(): (event: KeyboardEvent) => void {
  return useCallback((event: KeyboardEvent) => {
    const step = steps[event.key];
    const at = event.target instanceof HTMLElement ? event.target.dataset['link'] : undefined;
    if (step === undefined || at === undefined || event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    const next = document.querySelector<HTMLElement>(`[data-link="${Number(at) + step}"]`);
    if (next) {
      event.preventDefault();
      next.focus();
      next.scrollIntoView({ block: 'nearest' });
    }
  }, []);
}
