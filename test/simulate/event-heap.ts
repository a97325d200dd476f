/** What will happen, earliest first; what is for the same time in the order in which it was pushed. */
import type { SimNode } from './node.ts';

export interface Happening {
  at: number;
  readonly node: SimNode;
  readonly run: () => void;
  /** Taken back, or done. */
  canceled: boolean;
}

interface Entry {
  readonly at: number;
  readonly number: number;
  readonly happening: Happening;
}

export class EventHeap {
  readonly #entries: Entry[] = [];
  #number = 0;

  peek(): Happening | undefined {
    return this.#entries[0]?.happening;
  }

  push(happening: Happening): void {
    const entries = this.#entries;
    this.#number += 1;
    const entry = { at: happening.at, number: this.#number, happening };
    let at = entries.length;
    entries.push(entry);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!isBefore(entry, entries[up] as Entry)) break;
      entries[at] = entries[up] as Entry;
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
      if (down + 1 < entries.length && isBefore(entries[down + 1] as Entry, entries[down] as Entry))
        down += 1;
      if (!isBefore(entries[down] as Entry, last)) break;
      entries[at] = entries[down] as Entry;
      at = down;
    }
    entries[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.number < b.number);
}
