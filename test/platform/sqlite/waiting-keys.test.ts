/** The keys of appends that wait for their way into the index. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WaitingKeys } from '../../../src/platform/sqlite/waiting-keys.ts';

const place = (seq: number) => ({ firstSeq: seq, lastSeq: seq });
const SESSIONS = 1_000;

afterEach(() => vi.restoreAllMocks());

function filled(): WaitingKeys {
  const keys = new WaitingKeys();
  for (let session = SESSIONS; session > 0; session -= 1) {
    for (const key of ['b', 'a', 'c']) keys.set(session, key, place(session));
  }
  return keys;
}

describe('keys that wait', () => {
  it('are found by session and key, counted, and in the order of the index', () => {
    const keys = filled();
    keys.set(7, 'a', place(1));
    keys.delete(8, 'a');
    keys.delete(8, 'a');
    keys.delete(SESSIONS + 1, 'a');

    expect(keys.size).toBe(3 * SESSIONS - 1);
    expect([keys.get(7, 'a'), keys.get(8, 'a'), keys.get(8, 'b')]).toEqual([place(1), undefined, place(8)]);
    const order = [...keys.inOrder()].map(([session, key]) => `${String(session).padStart(5)} ${key}`);
    expect(order).toEqual(order.toSorted());
    expect(order).toHaveLength(keys.size);

    keys.clear();
    expect([keys.size, ...keys.inOrder()]).toEqual([0]);
  });

  it('go with their session, and no other session is looked at for that', () => {
    const keys = filled();
    const walks = (['entries', 'values', 'keys', 'forEach', Symbol.iterator] as const).map((how) =>
      vi.spyOn(Map.prototype, how),
    );
    const gets = vi.spyOn(Map.prototype, 'get');

    for (let session = 1; session < SESSIONS; session += 1) keys.forget(session);

    const walked = walks.map(({ mock }) => mock.calls.length);
    const looks = gets.mock.calls.length;
    vi.restoreAllMocks();
    expect(walked).toEqual([0, 0, 0, 0, 0]);
    expect(looks).toBeLessThanOrEqual(2 * SESSIONS);
    expect([...keys.inOrder()].map(([session, key]) => [session, key])).toEqual([
      [SESSIONS, 'a'],
      [SESSIONS, 'b'],
      [SESSIONS, 'c'],
    ]);
    expect(keys.size).toBe(3);
    keys.forget(SESSIONS + 1);
    expect(keys.size).toBe(3);
  });
});
