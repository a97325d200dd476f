/**
 * Servers that end while sessions work on files: a file of a turn that is over is there afterwards, on whichever server, and what is not
 * there was told. HOLDFAST_TEST_FAILOVERS=<sessions> makes it long: that many sessions, killed in waves.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { mongoSuite } from '../support/mongo-suite.ts';
import { type LogEvent, World } from '../support/world.ts';
import { onEachStore } from '../support/stores.ts';

const SCRIPTS = { HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts` };
const SESSIONS = Number(process.env['HOLDFAST_TEST_FAILOVERS'] ?? 0) || 4;
const WAVES = Math.ceil(SESSIONS / 20);
const TURNS = 4;
/** Until a killed server counts as dead, and the sessions of a wave have gone on. */
const TAKEN_OVER_MS = 180_000;
const TEST_MS = 60_000 + WAVES * TAKEN_OVER_MS;

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0).toReversed()) await world.close();
});
const opened = (world: World): World => {
  worlds.push(world);
  return world;
};
const folderOf = (world: World, id: string): string => join(world.folder, 'data', 'workspaces', id);

await mongoSuite('of two servers', () => {
  /** Files of turns that are over, as the log says: those that were reverted later do not count. */
  const owedFiles = (events: readonly LogEvent[]): readonly string[] => {
    let owed: string[] = [];
    let isMade = false;
    for (const { type, body } of events) {
      if (type === 'workspace.reverted') owed = owed.slice(0, body.turn ?? 0);
      if (type === 'turn.started' || type === 'workspace.reverted') isMade = false;
      if (type === 'tool.result') isMade = body.outcome === 'ok';
      if (type === 'turn.completed' && isMade) owed.push(`f${body.number}`);
    }
    return owed;
  };

  it(
    'one is killed while all sessions work, and no file of a turn that was over is missing untold',
    async () => {
      const env = { ...SCRIPTS, HOLDFAST_SLOTS: '30', HOLDFAST_IDLE_SECONDS: '2' };
      const one = opened(await World.open(env, 'mongo'));
      await one.createAgent({ name: 'keeper', model: 'rehearsal/keeper' });
      const other = opened(
        await World.open({ ...env, ...one.store, HOLDFAST_SECRETS: join(one.folder, 'data') }, 'mongo'),
      );
      let [killed, left] = [one, other];
      for (let wave = 0; wave < WAVES; wave += 1) {
        const starts = Array.from({ length: Math.ceil(SESSIONS / WAVES) }, () =>
          left.startSession({ agent: 'keeper', input: 'f1' }),
        );
        const ids = await Promise.all(starts);
        const speaking = ids.map(async (id) => {
          for (let turn = 2; turn <= TURNS; turn += 1) {
            await eventually(
              `turn ${turn - 1} of ${id} is over`,
              async () =>
                (await left.session(id)).turnCount >= turn - 1 && (await left.session(id)).status === 'IDLE',
              TAKEN_OVER_MS,
            );
            await left.send(id, `f${turn}`);
          }
          await left.sees(id, 'turn.completed', TURNS);
        });
        await Promise.race(ids.map((id) => left.sees(id, 'turn.completed', 1 + (wave % 3))));
        await killed.crash();
        await Promise.all(speaking);

        for (const id of ids) {
          await left.sees(id, 'session.hibernated'); // its files rest
          const here = new Set(readdirSync(join(folderOf(left, id), 'files')));
          const missing = owedFiles(await left.events(id)).filter((name) => !here.has(name));
          expect({ id, missing }).toEqual({ id, missing: [] });
        }
        await killed.start();
        [killed, left] = [left, killed];
      }
    },
    TEST_MS,
  );

  it(
    'one is stopped with a large file that no checkpoint has, and saves it',
    async () => {
      const env = { ...SCRIPTS, HOLDFAST_IDLE_SECONDS: '3600' };
      const one = opened(await World.open(env, 'mongo'));
      await one.createAgent({ name: 'keeper', model: 'rehearsal/keeper' });
      const id = await one.startSession({
        agent: 'keeper',
        input: 'f1; (sleep 0.5; head -c 300M /dev/urandom > large) &',
      });
      await one.sees(id, 'turn.completed');
      await eventually('the file is whole', () => existsSync(join(folderOf(one, id), 'files/large')));
      await one.stop();
      const saved = one.logs.split('\n').find((line) => line.includes('"workspace saved"')) ?? '{}';
      expect((JSON.parse(saved) as { bytes?: number }).bytes).toBeGreaterThan(100_000_000);
    },
    TEST_MS,
  );
});

await onEachStore((store) => {
  describe('a session that is archived', () => {
    it('leaves nothing, also when the server is killed before it has removed its files', async () => {
      const world = opened(await World.open({ ...SCRIPTS, HOLDFAST_IDLE_SECONDS: '3600' }, store));
      await world.createAgent({ name: 'keeper', model: 'rehearsal/keeper' });
      const id = await world.startSession({ agent: 'keeper', input: 'stubborn' });
      await world.sees(id, 'turn.completed');
      await world.graphql(`mutation { archiveSession(sessionId: "${id}") { __typename } }`);
      await world.crash(); // while its hands end: a command that does not want to takes two seconds
      expect(existsSync(folderOf(world, id))).toBe(true);
      await world.start();

      await eventually('its folder is gone', () => !existsSync(folderOf(world, id)), 60_000);
    });
  });
});
