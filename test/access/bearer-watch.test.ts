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
});
