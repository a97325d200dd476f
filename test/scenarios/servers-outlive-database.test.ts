/** Two whole servers run sessions on one database, which is killed under them: they go on by themselves, and every log is as if nothing had been. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tell } from '../support/log-load-check.ts';
import { mongoSuite } from '../support/mongo-suite.ts';
import { isDense, story } from '../support/story.ts';
import { World } from '../support/world.ts';

const ROUNDS = process.env['HOLDFAST_TEST_LONG'] === '1' ? 10 : 1;

await mongoSuite(
  'two servers',
  (server) => {
    it(
      'finish the turns that they were in when the database was killed',
      async () => {
        const secrets = await mkdtemp(join(tmpdir(), 'holdfast-secrets-'));
        const env = {
          DATABASE_URL: server.uri(),
          HOLDFAST_SECRETS: secrets,
          HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts`,
          PORT: '0',
        };
        const first = await World.open(env, 'sqlite'); // no store of its own: env names one
        const second = await World.open(env, 'sqlite');
        try {
          await first.createAgent({ name: 'story', model: 'rehearsal/story' });
          const calm = await first.startSession({ agent: 'story', input: 'Tell it.' });
          const expected = story(await first.sees(calm, 'turn.completed')).map(kindOf);
          for (let round = 0; round < ROUNDS; round += 1) {
            const started = [
              await first.startSession({ agent: 'story', input: 'Tell it.' }),
              await second.startSession({ agent: 'story', input: 'Tell it.' }),
            ];
            const seen = started.map((id) => follow(second, id));
            await Promise.all(started.map((id) => first.sees(id, 'model.started')));
            const killedAt = Date.now();
            await server.kill();
            await server.start();
            for (const [index, id] of started.entries()) {
              const events = await first.sees(id, 'turn.completed');
              expect(isDense(events)).toBe(true);
              expect(story(events).map(kindOf)).toEqual(expected);
              expect(await second.events(id)).toEqual(events);
              const [follower] = [seen[index]];
              await expect
                .poll(() => follower?.seqs(), { timeout: 20_000 })
                .toEqual(events.map(({ seq }) => seq));
              await follower?.stop();
            }
            tell(`two servers, ${server.name}: both turns done ${Date.now() - killedAt} ms after the kill`);
          }
        } finally {
          await second.close();
          await first.close();
          await rm(secrets, { recursive: true, force: true });
        }
      },
      120_000 + ROUNDS * 60_000,
    );
  },
  { own: true },
);

/** Answers quote results, and a command that was under way may be told as unknown: the kinds of events are what must be the same. */
function kindOf(line: string): string {
  return line.split(' ')[0] ?? '';
}

/** One subscription from the beginning, that is never made again. */
function follow(world: World, id: string): { seqs(): readonly number[]; stop(): Promise<void> } {
  const seqs: number[] = [];
  const { stop } = world.subscribe(id, undefined, (frame: { events?: readonly { seq: number }[] }) => {
    seqs.push(...(frame.events ?? []).map(({ seq }) => seq));
  });
  return { seqs: () => seqs, stop };
}
