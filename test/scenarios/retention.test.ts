/** Sessions that were archived long ago go by a rule, on a whole server; what rests for less is kept, and a clock that is set ahead takes nothing. */
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { onEachStore } from '../support/stores.ts';
import { World } from '../support/world.ts';

const DAY = 86_400_000;

/** Of a server whose clock is off by so many days. */
const clockOff = (days: number) => ({
  NODE_OPTIONS: `--import ${import.meta.dirname}/../support/clock-shift.ts`,
  TEST_CLOCK_SHIFT_MS: String(days * DAY),
});

await onEachStore((store) => {
  const worlds: World[] = [];
  afterEach(async () => {
    for (const world of worlds.splice(0).toReversed()) await world.close();
  });

  async function open(env: Record<string, string>): Promise<World> {
    const world = await World.open(env, store);
    worlds.push(world);
    return world;
  }

  const preview = async (world: World) =>
    (
      await world.graphql(`{ retentionPreview { ... on RetentionPreview { asOf count sessions { sessionId reason } }
        ... on Fault { message } } }`)
    ).retentionPreview;

  it('proves RETENTION-1 and RETENTION-3 on a whole server', async () => {
    const then = await open(clockOff(-40));
    const data = { ...then.store, HOLDFAST_DATA: join(then.folder, 'data') };
    await then.createAgent({ name: 'echo', model: 'rehearsal/echo' });
    const [archived, idle] = [
      await then.startSession({ agent: 'echo', input: 'one' }),
      await then.startSession({ agent: 'echo', input: 'two' }),
    ];
    for (const id of [archived, idle]) await then.status(id, 'IDLE');
    await then.graphql(`mutation { archiveSession(sessionId: "${archived}") { __typename } }`);
    await then.stop();

    const now = await open(data);
    await now.graphql(
      'mutation { setRetention(input: { archivedDays: 30, idleDays: 60 }) { __typename ... on Fault { message } } }',
    );
    expect(await preview(now)).toMatchObject({
      count: 1,
      sessions: [{ sessionId: archived, reason: 'ARCHIVED' }],
    });
    await now.crash();
    await now.start(); // and looks at once

    await eventually('the archived session is gone', async () => {
      const { code } = await now.session(archived);
      return code === 'SESSION_GONE';
    });
    expect(await now.session(idle)).toMatchObject({ status: 'IDLE' });
    expect(await preview(now)).toMatchObject({ count: 0 });
    await now.stop();

    const nextYear = await open({ ...data, ...clockOff(365) });
    const { asOf, count } = await preview(nextYear);
    expect(count).toBe(0);
    expect(Date.parse(asOf) - Date.now()).toBeLessThan(DAY);
    await nextYear.send(idle, 'three');
    await nextYear.status(idle, 'IDLE');
  });
});
