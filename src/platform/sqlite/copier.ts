/** The thread that copies the log of one data file home: started with the first copy, since most servers that run for a short time need none. */
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Copied } from './checkpoint-thread.ts';

const THREAD = fileURLToPath(new URL('./checkpoint-thread.ts', import.meta.url));

export class Copier {
  readonly #url: string;
  #worker: Worker | undefined;
  #copy: PromiseWithResolvers<void> | undefined;

  constructor(path: string) {
    this.#url = `${pathToFileURL(path).href}?mode=rw`; // a file that is gone is not made again
  }

  /** Rejects when it was not copied. One at a time. */
  copy(): Promise<void> {
    const copy = Promise.withResolvers<void>();
    this.#copy = copy;
    this.#worker ??= this.#started();
    this.#worker.postMessage('copy', []);
    return copy.promise;
  }

  close(): void {
    void this.#worker?.terminate(); // owned: of a thread that does nothing any more
  }

  #started(): Worker {
    const worker = new Worker(THREAD, { workerData: { url: this.#url } });
    worker.unref(); // what it has not copied, the next start finds in the log
    const failed = (error: Error): void => this.#copy?.reject(error);
    worker.on('message', ({ error }: Copied) => {
      if (error === undefined) this.#copy?.resolve();
      else failed(new Error(error));
    });
    worker.on('error', failed);
    worker.on('exit', () => {
      this.#worker = undefined; // the next copy starts another one
      failed(new Error('The thread of the checkpoints has ended.')); // of no effect when nobody waits
    });
    return worker;
  }
}
