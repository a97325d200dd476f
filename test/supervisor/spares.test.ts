/** Who gets a brain that is ready, and in which order others come up. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/id.ts';
import { silentLogger as logger } from '../../src/kernel/logger.ts';
import type { Brain } from '../../src/supervisor/launcher.ts';
import { LaunchFailed } from '../../src/supervisor/launcher.ts';
import { SPARES_KEPT } from '../../src/supervisor/limit.ts';
import { Spares } from '../../src/supervisor/spares.ts';
import { eventually } from '../support/eventually.ts';

const [A, B] = [newId('organisation'), newId('organisation')];

let coming: ((brain: Brain) => void)[];
let launched: number;
let stop: AbortController;
let running: Promise<void>;
beforeEach(() => {
  [coming, launched, stop, running] = [[], 0, new AbortController(), Promise.resolve()];
});
afterEach(async () => {
  stop.abort();
  for (const up of coming.splice(0)) up(brain());
  await running;
});

function brain(): Brain {
  launched += 1;
  const { promise: ended } = Promise.withResolvers<never>();
  return { pid: launched, ended, assign: () => undefined, stop: async () => undefined };
}

/** Brains come up when `next` is called; `wanted` of them are ready before. */
async function spares(wanted: number, startsMax = 1): Promise<Spares> {
  const launcher = {
    launchBrain: () => new Promise<Brain>((resolve) => coming.push(resolve)),
  } as unknown as ConstructorParameters<typeof Spares>[0]['launcher']; // all that spares launch
  const pool = new Spares({ launcher, clock, logger, startsMax }, wanted);
  running = pool.run(stop.signal);
  return pool;
}

async function next(): Promise<void> {
  await eventually('one comes up', () => coming.length > 0);
  coming.shift()?.(brain());
  await new Promise(setImmediate); // whoever waits for it has it
}

/** Of these, those that have their brain. */
function watched<const Name extends string>(wishes: Readonly<Record<Name, Promise<Brain>>>): readonly Name[] {
  const had: Name[] = [];
  for (const name of Object.keys(wishes) as Name[]) void wishes[name].then(() => had.push(name));
  return had;
}

describe('proves ADMIT-5: a brain', () => {
  it('that is ready is not for a crowd, and those that are kept are for who has nothing running', async () => {
    const pool = await spares(1);
    pool.share();
    for (let count = 0; count < 1 + SPARES_KEPT; count += 1) await next();

    const had = watched({
      crowd: pool.take({ organisationId: A, standing: 'crowd' }, stop.signal).catch(() => brain()),
      another: pool.take({ organisationId: B, standing: 'another' }, stop.signal),
    });
    await eventually('one has it', () => had.length === 1);
    expect(had).toEqual(['another']);
    for (let count = 0; count < SPARES_KEPT; count += 1) {
      const anew = await pool.take({ organisationId: newId('organisation'), standing: 'first' }, stop.signal);
      expect(anew.pid).toBeLessThanOrEqual(1 + SPARES_KEPT);
    }
    expect(had).toEqual(['another']);
  });

  it('comes up for each organisation in turn, so many at a time', async () => {
    const pool = await spares(0);
    const wish = (organisationId: typeof A) =>
      pool.take({ organisationId, standing: 'another' }, stop.signal);
    const had = watched({ a1: wish(A), a2: wish(A), a3: wish(A), b1: wish(B) });

    for (let count = 1; count <= 4; count += 1) {
      await eventually('one comes up', () => coming.length > 0);
      expect(coming).toHaveLength(1);
      await next();
      await eventually('it is there', () => had.length === count);
    }
    expect(had.indexOf('b1')).toBeLessThanOrEqual(2);
    expect(had.indexOf('b1')).toBeLessThan(had.indexOf('a3'));
  });

  it('is waited for until nobody wants it any more', async () => {
    const pool = await spares(0);
    const first = pool.take({ organisationId: A, standing: 'first' }, stop.signal);
    const late = new AbortController();
    const waits = pool.take({ organisationId: A, standing: 'another' }, late.signal);
    late.abort();

    await expect(waits).rejects.toBeInstanceOf(LaunchFailed);
    await next();
    expect((await first).pid).toBe(1);
  });
});
