/** What will happen, earliest first; what is for the same time in the order of its numbers. */
import type { SimNode } from './node.ts';

export interface Happening {
  at: number;
  readonly number: number;
  readonly node: SimNode;
  readonly run: () => void;
  /** Taken back, or done. */
  canceled: boolean;
}

export class EventHeap {
  readonly #entries: Happening[] = [];

  peek(): Happening | undefined {
    return this.#entries[0];
  }

  push(entry: Happening): void {
    const entries = this.#entries;
    let at = entries.length;
    entries.push(entry);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!isBefore(entry, entries[up] as Happening)) break;
      entries[at] = entries[up] as Happening;
      at = up;
    }
    entries[at] = entry;
  }

  pop(): void {
    const entries = this.#entries;
    const last = entries.pop();
    if (last === undefined || entries.length === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= entries.length) break;
      if (down + 1 < entries.length && isBefore(entries[down + 1] as Happening, entries[down] as Happening))
        down += 1;
      if (!isBefore(entries[down] as Happening, last)) break;
      entries[at] = entries[down] as Happening;
      at = down;
    }
    entries[at] = last;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.number < b.number);
}
