/** One organisation fills every slot that it gets with turns that do not end; another one's session has its first call all the same. */
import { afterEach, expect, it } from 'vitest';
import { secondOrganisation } from '../support/second-organisation.ts';
import { onEachStore } from '../support/stores.ts';
import { World } from '../support/world.ts';

const SLOTS = 4;
const CROWD = 12;

await onEachStore((store) => {
  let world: World | undefined;
  afterEach(() => world?.close());

  it('a session of another organisation is served beside a crowd that waits and runs (ADMIT-2)', async () => {
    world = await World.open(
      { HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts`, HOLDFAST_SLOTS: String(SLOTS) },
      store,
    );
    const other = await secondOrganisation(world);
    await world.createAgent({ name: 'crowd', model: 'rehearsal/wait' });
    await world.createAgent({ name: 'other', model: 'rehearsal/echo' }, other);
    const crowd: string[] = [];
    for (let count = 0; count < CROWD; count += 1)
      crowd.push(await world.startSession({ agent: 'crowd', input: 'Wait for ever.' }));
    for (const id of crowd.slice(0, SLOTS - 1)) await world.sees(id, 'model.started');

    for (let count = 0; count < 3; count += 1) {
      const id = await world.startSession({ agent: 'other', input: 'Hello.' }, other);
      await world.status(id, 'IDLE', other);
    }

    const last = await world.session(crowd.at(-1) ?? '', 'status queuePosition why');
    expect(last).toMatchObject({ status: 'QUEUED', queuePosition: CROWD - (SLOTS - 1) });
    expect(last.why).toContain(`number ${CROWD - (SLOTS - 1)} of its organisation`);
    const first = await world.session(crowd[0] ?? '', 'status queuePosition');
    expect(first, 'nobody was ended for it').toMatchObject({ status: 'RUNNING', queuePosition: null });
  });
});
