/**
 * Preloaded into the server under siege: says into a file when its event loop was late, and how late. A probe from outside sees that too, but
 * not whether the server or the one who asks was held up.
 */
import { openSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/** Looks so often. */
const EVERY_MS = 10;
/** What is told: a fifth of what is judged. */
const TOLD_MS_MIN = 50;

const path = process.env['SIEGE_LAG_FILE'];
if (isMainThread && path !== undefined) {
  const file = openSync(path, 'a');
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    const lateMs = now - last - EVERY_MS;
    last = now;
    if (lateMs >= TOLD_MS_MIN) writeSync(file, `${performance.timeOrigin + now} ${lateMs}\n`);
  }, EVERY_MS).unref();
}
