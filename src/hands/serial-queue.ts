/**
 * Work that must not overlap, done in the order it came. The calls of one model answer run at the same time (wire.ts HANDS-2):
 * of two that read a file, change it and write it back, one would be lost. All files share one line, since two paths may
 * lead to one file, and a change takes milliseconds. Commands are not in it: what they write, nobody can order.
 */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Settles as `work` does, which starts when everything before it has settled. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
