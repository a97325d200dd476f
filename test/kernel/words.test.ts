import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Backoff } from '../../src/kernel/backoff.ts';
import { eventIdOf, newId, parseId, seqOfEventId } from '../../src/kernel/id.ts';
import { requestHash } from '../../src/kernel/request-hash.ts';
import { Scope } from '../../src/kernel/scope.ts';
import { Sealed } from '../../src/kernel/sealed.ts';

describe('ids', () => {
  it('an event id gives back its seq, and only in its own session', () => {
    const [a, b] = [newId('session'), newId('session')];
    for (const seq of [1, 255, 1_000_000, 2 ** 40]) {
      expect(seqOfEventId(eventIdOf(a, seq), a)).toBe(seq);
      expect(seqOfEventId(eventIdOf(a, seq), b)).toBeUndefined();
      expect(parseId('event', eventIdOf(a, seq))).toBe(eventIdOf(a, seq));
    }
  });

  it('refuses other kinds, other lengths and other letters, naming the field', () => {
    for (const text of ['', 'ses_', newId('agent'), `${newId('session')}0`, `ses_${'g'.repeat(24)}`]) {
      expect(() => parseId('session', text)).toThrow(/sessionId: expected "ses_"/);
    }
  });
});

describe('sealed', () => {
  it('shows its value to open() alone', () => {
    const sealed = new Sealed('hunter2');
    const shown = [String(sealed), JSON.stringify({ sealed }), inspect({ sealed })];

    expect(shown.join()).not.toContain('hunter2');
    expect(sealed.open()).toBe('hunter2');
  });
});

describe('scope', () => {
  it('releases in reverse, goes on after a failure, and throws the first error', async () => {
    const order: string[] = [];
    const scope = new Scope();
    scope.add('a', 'a', (name) => void order.push(name));
    scope.add('b', 'b', () => {
      throw new Error('b failed');
    });
    scope.add('c', 'c', (name) => void order.push(name));

    await expect(scope.close()).rejects.toThrow('Releasing b failed.');
    expect(order).toEqual(['c', 'a']);
  });
});

describe('backoff', () => {
  it('doubles to its ceiling and resets only after a run that held', () => {
    const backoff = new Backoff({ firstMs: 100, ceilingMs: 1_000, heldMs: 5_000, random: () => 1 });

    expect([0, 0, 0, 0, 0, 0].map((ranMs) => backoff.nextMs(ranMs))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
    expect(backoff.nextMs(5_000)).toBe(100);
  });
});

describe('requestHash', () => {
  it('does not depend on the order of fields, and does on their values', () => {
    expect(requestHash({ a: 1, b: { c: 2, d: 3 } })).toBe(requestHash({ b: { d: 3, c: 2 }, a: 1 }));
    expect(requestHash({ a: 1 })).not.toBe(requestHash({ a: 2 }));
    expect(requestHash(['x', undefined, 'y'])).not.toBe(requestHash(['x', 'y']));
  });
});
