/** A binary heap: the queue of a day that passes in seconds has thousands of entries and is read with every request. */
export interface Heap<T> {
  push(item: T): void;
  peek(): T | undefined;
  pop(): T | undefined;
}

/** @param before whether `a` leaves the heap before `b` */
export function createHeap<T>(before: (a: T, b: T) => boolean): Heap<T> {
  const items: T[] = [];

  function swap(i: number, j: number): void {
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }

  function rise(index: number): void {
    let i = index;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(items[i] as T, items[parent] as T)) {
        return;
      }
      swap(i, parent);
      i = parent;
    }
  }

  function sink(): void {
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      if (left >= items.length) {
        return;
      }
      const right = left + 1;
      const child = right < items.length && before(items[right] as T, items[left] as T) ? right : left;
      if (!before(items[child] as T, items[i] as T)) {
        return;
      }
      swap(i, child);
      i = child;
    }
  }

  return {
    push(item) {
      items.push(item);
      rise(items.length - 1);
    },
    peek: () => items[0],
    pop() {
      const top = items[0];
      const last = items.pop();
      if (items.length > 0) {
        items[0] = last as T;
        sink();
      }
      return top;
    },
  };
}
