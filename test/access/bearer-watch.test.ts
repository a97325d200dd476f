import { afterEach, describe, expect, it } from 'vitest';
import { BearerWatch } from '../../src/access/bearer-watch.ts';
import type { Principal } from '../../src/access/principal.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/id.ts';
import { Outage } from '../../src/kernel/outage.ts';
import { systemScheduler } from '../../src/kernel/scheduler.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { eventually } from '../support/eventually.ts';
import { OWNED } from '../support/organisation.ts';

const quick = { ...systemClock, sleep: (_ms: number, signal?: AbortSignal) => systemClock.sleep(1, signal) };

function principal(): Principal {
  return { kind: 'key', ...OWNED, keyId: newId('apiKey'), name: 'ci', scopes: [], valueHash: '' };
}

describe('the watch of what is open', () => {
  const stop = new AbortController();
  const running: Promise<void>[] = [];
  afterEach(async () => {
    stop.abort();
    await Promise.all(running);
  });

  it('proves ACCESS-2, ACCESS-3: ends those who may ask no more, each once, and nobody while the store does not answer', async () => {
    const ended = new Map<Principal, string>();
    let looks = 0;
    let isOut = false;
    const access = {
      async endsOf(principals: readonly Principal[]) {
        looks += 1;
        if (isOut) throw new Outage('TIMEOUT', 'The database does not answer.');
        return principals.map((one) => ended.get(one));
      },
    };
    const watch = new BearerWatch({ access, clock: quick, logger: silentLogger, scheduler: systemScheduler });
    running.push(watch.run(stop.signal));
    const told: string[] = [];
    const many = Array.from({ length: 250 }, principal); // more than are ended in one round
    const [stays, leaves] = [principal(), principal()];
    for (const [at, one] of many.entries()) watch.add(one, (why) => told.push(`${at} ${why}`));
    watch.add(stays, () => told.push('stays'));
    const leave = watch.add(leaves, () => told.push('leaves'));
    const lookedAgain = async (): Promise<void> => {
      const from = looks;
      await eventually('it looks again', () => looks > from + 1);
    };

    isOut = true;
    for (const one of [...many, leaves]) ended.set(one, 'revoked');
    await lookedAgain();
    expect(told).toEqual([]);

    leave();
    isOut = false;
    await eventually('all are told', () => told.length === many.length);
    await lookedAgain();
    expect(told).toEqual(many.map((_, at) => `${at} revoked`));
    expect(watch.size).toBe(1);
  });

  it('proves ACCESS-2: does not wait for a slow answer before it looks again, and has a few looks under way at most', async () => {
    const answers: ((ends: readonly (string | undefined)[]) => void)[] = [];
    const asked: (string | undefined)[] = [];
    const access = {
      endsOf(_principals: readonly Principal[], when?: string) {
        asked.push(when);
        return new Promise<readonly (string | undefined)[]>((answer) => answers.push(answer));
      },
    };
    const watch = new BearerWatch({ access, clock: quick, logger: silentLogger, scheduler: systemScheduler });
    const own = new AbortController();
    const run = watch.run(own.signal);
    const told: string[] = [];
    watch.add(principal(), (why) => told.push(why));

    await eventually('it looks while the first look is not answered', () => answers.length > 1);
    answers[1]?.(['revoked']);
    await eventually('the one that was revoked is told', () => told.length > 0);
    answers[0]?.([undefined]);
    for (const answer of answers) answer(['revoked']);
    expect(watch.size).toBe(0);

    const from = answers.length;
    watch.add(principal(), (why) => told.push(why));
    await eventually('looks are under way', () => answers.length === from + 4);
    for (let round = 0; round < 20; round += 1) await quick.sleep(0); // in which another look would have begun
    expect(answers.length).toBe(from + 4);
    expect(told).toEqual(['revoked']);
    expect(new Set(asked)).toEqual(new Set(['now']));

    own.abort();
    for (const answer of answers) answer([undefined]);
    await run;
  });
});
