import { expect, test } from 'vitest';
import { endpointRetries, unitEndpoint } from '../../src/brain/unit-endpoint.ts';
import type { Http } from '../../src/brain/unix-http.ts';
import { UnitRefusal, UnitUnreachable, UnitWireBroken } from '../../src/brain/unit.ts';
import { systemClock } from '../../src/kernel/clock.ts';

const MIB = 1024 * 1024;

test('a line of the event stream that never ends is a clear failure and is not asked for again', async () => {
  let requests = 0;
  const http: Http = () => {
    requests += 1;
    return Promise.resolve({ status: 200, headers: {}, body: endless() });
  };
  const unit = unitEndpoint({ http, clock: systemClock }, 'token');

  const end = unit.follow(0, () => undefined, new AbortController().signal);

  await expect(end).rejects.toThrow(UnitWireBroken);
  await expect(end).rejects.toThrow('a line of more than 67108864 bytes');
  expect(requests).toBe(1);
});

test('a line of many megabytes is read whole', async () => {
  const stop = new AbortController();
  const body = 'x'.repeat(16 * MIB);
  const batch = { events: [{ seq: 1, body }], head: 1 };
  const http: Http = () =>
    Promise.resolve({ status: 200, headers: {}, body: inPieces(`${JSON.stringify(batch)}\n`) });
  const unit = unitEndpoint({ http, clock: systemClock }, 'token');
  let read = 0;

  const end = unit.follow(
    0,
    ({ events }) => {
      read += events[0]?.body.length ?? 0;
      stop.abort();
    },
    stop.signal,
  );

  await expect(end).rejects.toThrow('ended');
  expect(read).toBe(body.length);
});

test('a part of the log is asked for again from where the connection ended, and only so far', async () => {
  const paths: string[] = [];
  const answers = [[4, 5], [], [6, 7]];
  const http: Http = ({ path }) => {
    paths.push(path);
    const events = (answers.shift() ?? []).map((seq) => ({ seq, body: '{}' }));
    return Promise.resolve({
      status: 200,
      headers: {},
      body: inPieces(`${JSON.stringify({ events, head: 9 })}\n`),
    });
  };
  const unit = unitEndpoint({ http, clock: systemClock }, 'token');
  const seqs: number[] = [];

  await unit.read(
    3,
    7,
    ({ events }) => seqs.push(...events.map(({ seq }) => seq)),
    new AbortController().signal,
  );

  expect(seqs).toEqual([4, 5, 6, 7]);
  expect(paths).toEqual([3, 5, 5].map((after) => `/unit/events?after=${after}&to=7`));
});

test('a door that fails is asked again until it answers; one that refuses is not', async () => {
  const statuses = [500, 503, 200];
  const http: Http = () => {
    const status = statuses.shift() ?? 409;
    const text = status === 200 ? '{"epoch":1}' : '{"error":{"code":"CODE","message":"No."}}';
    return Promise.resolve({ status, headers: {}, body: inPieces(text) });
  };
  const unit = unitEndpoint({ http, clock: systemClock }, 'token');

  expect(await unit.assignment(new AbortController().signal)).toEqual({ epoch: 1 });
  await expect(unit.assignment(new AbortController().signal)).rejects.toBeInstanceOf(UnitRefusal);
});

/** A clock that goes on only by sleeps and by hand. */
function handClock() {
  const clock = {
    at: 0,
    now: () => clock.at,
    monotonicNow: () => clock.at,
    sleep: async (ms: number) => void (clock.at += ms),
  };
  return clock;
}

test('a door that takes its time to fail is given up when the retry budget is spent, however long its first answer took', async () => {
  const clock = handClock();
  const failsAfterMs = [600_000];
  const tooOften = new AbortController();
  let tries = 0;
  const asked = endpointRetries({ clock })(tooOften.signal, async () => {
    clock.at += failsAfterMs.shift() ?? 1_200;
    tries += 1;
    if (tries > 100) tooOften.abort();
    throw Object.assign(new Error('no'), { code: 'ECONNRESET' });
  });

  await expect(asked).rejects.toBeInstanceOf(UnitUnreachable);
  expect(tries).toBeGreaterThan(5);
});

test.each([
  ['gave events', '{"events":[{"seq":1,"body":"{}"}],"head":1}\n', 0, true],
  ['gave signs of life and held', '\n', 60_000, true],
  ['only said that there is nothing new', '{"events":[],"head":0}\n', 0, false],
  ['held and gave nothing', '', 60_000, false],
])('the retry budget begins anew after a stream that %s, or not', async (_, said, heldMs, isGood) => {
  const clock = handClock();
  const stop = new AbortController();
  let requests = 0;
  async function* held(): AsyncGenerator<Uint8Array, void> {
    if (said !== '') yield Buffer.from(said);
    clock.at += heldMs;
  }
  const http: Http = () => {
    requests += 1;
    if (requests === 200) stop.abort();
    return Promise.resolve({ status: 200, headers: {}, body: held() });
  };

  const end = unitEndpoint({ http, clock }, 'token').follow(0, () => undefined, stop.signal);

  await expect(end).rejects.toThrow(isGood ? 'ended' : UnitUnreachable);
  expect(requests === 200).toBe(isGood);
});

async function* endless(): AsyncGenerator<Uint8Array, void> {
  const piece = Buffer.alloc(MIB, 'x');
  for (;;) yield piece;
}

async function* inPieces(text: string): AsyncGenerator<Uint8Array, void> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += MIB) yield bytes.subarray(at, at + MIB);
}
