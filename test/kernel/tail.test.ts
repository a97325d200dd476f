import { describe, expect, it } from 'vitest';
import { once, tail } from '../../src/kernel/tail.ts';

function parked(): {
  source: Parameters<typeof tail<number>>[0];
  released: () => number;
  listeners: () => number;
} {
  let releases = 0;
  const wakers = new Set<() => void>();
  return {
    source: {
      async pull(signal) {
        await once((wake) => {
          wakers.add(wake);
          return () => wakers.delete(wake);
        }, signal);
        return undefined;
      },
      release: () => {
        releases += 1;
      },
    },
    released: () => releases,
    listeners: () => wakers.size,
  };
}

describe('tail', () => {
  it('answers a parked next() with done when it is returned (TAIL-2)', async () => {
    const { source, released, listeners } = parked();
    const reader = tail(source);
    const next = reader.next();
    await Promise.resolve();
    await reader.return?.();

    await expect(next).resolves.toEqual({ done: true, value: undefined });
    expect(released()).toBe(1);
    expect(listeners()).toBe(0);
  });

  it('never pulls twice at the same time (TAIL-1)', async () => {
    let pulling = 0;
    let most = 0;
    const reader = tail<number>({
      async pull() {
        pulling += 1;
        most = Math.max(most, pulling);
        await new Promise((resolve) => setImmediate(resolve));
        pulling -= 1;
        return 1;
      },
    });

    await Promise.all([reader.next(), reader.next(), reader.next()]);

    expect(most).toBe(1);
    await reader.return?.();
  });

  it('releases once, whichever way it ends (TAIL-3)', async () => {
    const abort = new AbortController();
    const { source, released } = parked();
    const reader = tail(source, abort.signal);
    const next = reader.next();
    abort.abort();
    await next;
    await reader.return?.();
    await reader.next();

    expect(released()).toBe(1);
  });

  it('throws what pull throws, then is done', async () => {
    const reader = tail<number>({ pull: () => Promise.reject(new Error('broken')) });

    await expect(reader.next()).rejects.toThrow('broken');
    await expect(reader.next()).resolves.toEqual({ done: true, value: undefined });
  });
});
