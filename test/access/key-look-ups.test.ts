/** Keys that nobody has beside keys that somebody has, over a store whose answers come when the test says so. */
import { beforeEach, describe, expect, it } from 'vitest';
import { KeyLookUps } from '../../src/access/key-look-ups.ts';
import type { ApiKey } from '../../src/access/key-store.ts';
import { newId } from '../../src/kernel/id.ts';
import { eventually } from '../support/eventually.ts';
import { OURS } from '../support/organisation.ts';

interface Asked {
  readonly hash: string;
  answer(key?: ApiKey): void;
  fail(error: Error): void;
}

const KEY: ApiKey = {
  id: newId('apiKey'),
  organisationId: OURS.id,
  name: 'k',
  scopes: [],
  hash: 'good',
  createdAt: 1,
};

let asked: Asked[];
let lookUps: KeyLookUps;
beforeEach(() => {
  asked = [];
  lookUps = new KeyLookUps({
    byHash(hash) {
      const { promise, resolve, reject } = Promise.withResolvers<ApiKey | undefined>();
      asked.push({ hash, answer: resolve, fail: reject });
      return promise;
    },
  });
});

function answerAll(): void {
  for (const { hash, answer } of asked.splice(0)) answer(hash === KEY.hash ? KEY : undefined);
}

async function known(): Promise<void> {
  const found = lookUps.byHash(KEY.hash);
  await eventually('it is asked for', () => asked.length === 1);
  answerAll();
  await found;
}

describe('a flood of keys that nobody has', () => {
  it('proves WRONG-1: reaches the store some at a time, and a key that was found before does not wait for it', async () => {
    await known();
    const wrong = Array.from({ length: 5_000 }, (_, index) => lookUps.byHash(`wrong ${index}`));
    await eventually('as many are asked for as may be', () => asked.length === 200);

    const right = lookUps.byHash(KEY.hash);
    const last = asked.at(-1);
    expect(last?.hash).toBe(KEY.hash);
    last?.answer(KEY);
    expect(await right).toBe(KEY);

    let most = 0;
    const ended = Promise.all(wrong);
    let isOver = false;
    void ended.then(() => (isOver = true));
    await eventually('all are answered', () => {
      most = Math.max(most, asked.filter(({ hash }) => hash !== KEY.hash).length);
      answerAll();
      return isOver;
    });
    expect(most).toBe(200);
    expect(new Set(await ended)).toEqual(new Set([undefined]));
  });

  it('keeps no key out that is new here: it is looked up in its turn', async () => {
    const wrong = Array.from({ length: 1_000 }, (_, index) => lookUps.byHash(`wrong ${index}`));
    const right = lookUps.byHash(KEY.hash);
    let found: ApiKey | undefined;
    void right.then((key) => (found = key));

    await eventually('it is found', () => {
      answerAll();
      return found === KEY;
    });
    await Promise.all(wrong);
  });

  it('proves WRONG-3: of one key is one look-up, and the next one asks again', async () => {
    const many = Array.from({ length: 100 }, () => lookUps.byHash('the same'));
    await eventually('it is asked for', () => asked.length > 0);
    expect(asked.map(({ hash }) => hash)).toEqual(['the same']);
    answerAll();
    await Promise.all(many);

    const again = lookUps.byHash('the same');
    await eventually('it is asked for again', () => asked.length === 1);
    answerAll();
    expect(await again).toBeUndefined();
  });
});

describe('a key that was found', () => {
  it('is asked for each time, and is nobody special once it is gone (ACCESS-1)', async () => {
    await known();
    const gone = lookUps.byHash(KEY.hash);
    asked.splice(0)[0]?.answer(undefined);
    expect(await gone).toBeUndefined();

    for (let index = 0; index < 200; index += 1) void lookUps.byHash(`wrong ${index}`);
    await eventually('as many are asked for as may be', () => asked.length === 200);
    const waits = lookUps.byHash(KEY.hash);
    expect(asked.map(({ hash }) => hash)).not.toContain(KEY.hash);
    answerAll();
    await eventually('its turn comes', () => asked.length === 1);
    answerAll();
    expect(await waits).toBe(KEY);
  });
});

it('an outage reaches whoever waits, and gives the place back', async () => {
  for (let round = 0; round < 3; round += 1) {
    const wrong = Array.from({ length: 200 }, (_, index) => lookUps.byHash(`wrong ${index}`));
    await eventually('they are asked for', () => asked.length === 200);
    for (const { fail } of asked.splice(0)) fail(new Error('no store'));
    const results = await Promise.allSettled(wrong);
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
  }
});
