/**
 * Calls of tools that somebody outside runs, over crashes of the server: 64 that are open at once, answered in any order by different callers
 * while it is killed again, each once; and one that nobody answers while it is down.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { must } from '../../src/kernel/assert.ts';
import { eventually } from '../support/eventually.ts';
import { randomOf } from '../support/random.ts';
import { onEachStore } from '../support/stores.ts';
import { type LogEvent, World } from '../support/world.ts';

const SCRIPTS = { HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts` };
const CALLS = 64;
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1_000_000));
const lookup = (timeoutSeconds?: number) => ({
  name: 'lookup',
  description: 'Looks up an order.',
  inputSchema: { type: 'object', properties: { order: { type: 'integer' } }, required: ['order'] },
  timeoutSeconds,
});
const ANSWER = `mutation ($input: AnswerToolCallInput!) { answerToolCall(input: $input) {
  ... on AnswerToolCallPayload { applied resolution session { status } } ... on Fault { code message } } }`;
const TOKEN = `mutation ($id: ID!) { createClientToken(sessionId: $id, scopes: [READ, ANSWER]) {
  ... on CreateClientTokenPayload { clientToken { token } } ... on Fault { code message } } }`;

const ofType = (events: readonly LogEvent[], type: string): readonly LogEvent[] =>
  events.filter((event) => event.type === type);

await onEachStore((store) => {
  describe(`calls that wait outside (SEED=${SEED})`, () => {
    const worlds: World[] = [];
    afterEach(async () => {
      for (const world of worlds.splice(0)) await world.close();
    });

    async function open(timeoutSeconds?: number): Promise<World> {
      const world = await World.open({ ...SCRIPTS, HOLDFAST_IDLE_SECONDS: '1' }, store);
      worlds.push(world);
      await world.createAgent({ name: 'clerk', model: 'rehearsal/lookups', tools: [lookup(timeoutSeconds)] });
      return world;
    }

    it('proves TOOLS-3: 64 are answered once each, by keys and tokens, while the server is killed, and the turn goes on once', async () => {
      const random = randomOf(SEED);
      const world = await open();
      const id = await world.startSession({ agent: 'clerk', input: 'many' });
      const asked = ofType(await world.sees(id, 'tool.requested', CALLS), 'tool.requested');
      await world.status(id, 'AWAITING_INPUT');
      await world.crash();
      await world.start();
      expect((await world.session(id)).status).toBe('AWAITING_INPUT');
      const { clientToken } = (await world.graphql(TOKEN, { id })).createClientToken;
      const bearers = [undefined, clientToken.token as string];

      const left = new Map(asked.map(({ body }) => [body.callId as string, body.input.order as number]));
      const applied = new Map<string, number>();
      const killAt = [random.below(20) + 5, random.below(20) + 35];
      while (left.size > 0) {
        const waiting = [...left.keys()];
        const some = new Set([0, 1, 2].map(() => must(waiting[random.below(waiting.length)], 'one waits')));
        const isKilled = CALLS - left.size >= (killAt[0] ?? Infinity);
        if (isKilled) killAt.shift();
        // each is answered by two callers at once; the server may die in between
        const answers = [...some].flatMap((callId) =>
          bearers.map(async (bearer) => {
            const input = { sessionId: id, callId, text: `order ${left.get(callId)}` };
            const { answerToolCall: said } = await world.graphql(ANSWER, { input }, bearer);
            if (said.code === 'RATE_LIMITED') return;
            expect(said).toMatchObject({ resolution: 'ANSWERED' });
            if (said.applied) applied.set(callId, (applied.get(callId) ?? 0) + 1);
          }),
        );
        const settled = Promise.allSettled(answers);
        if (isKilled) await world.crash();
        for (const one of await settled) {
          if (one.status === 'fulfilled') continue;
          const { reason } = one;
          if (!isKilled || !String(reason).includes('fetch failed')) throw reason; // cut off by the kill
        }
        if (isKilled) await world.start();
        const events = await world.events(id);
        for (const { body } of ofType(events, 'tool.resolved')) left.delete(body.callId);
      }

      const events = await world.sees(id, 'turn.completed');
      expect([...applied.values()].every((times) => times === 1)).toBe(true);
      const resolved = ofType(events, 'tool.resolved');
      expect(new Set(resolved.map(({ body }) => body.callId)).size).toBe(CALLS);
      expect(resolved).toHaveLength(CALLS);
      const results = ofType(events, 'tool.result').map(({ body }) => `${body.outcome} ${body.output}`);
      expect(results.toSorted()).toEqual(asked.map(({ body }) => `ok order ${body.input.order}`).toSorted());
      expect(ofType(events, 'model.completed')).toHaveLength(2);
      expect(ofType(events, 'turn.completed').map(({ body }) => body.outcome)).toEqual(['completed']);
    }, 180_000);

    it('a time that is up while the server is down is told after its start, once', async () => {
      const world = await open(1);
      const id = await world.startSession({ agent: 'clerk', input: 'one' });
      const [asked] = ofType(await world.sees(id, 'tool.requested'), 'tool.requested');
      const seenAt = Date.now();
      await world.crash();
      await eventually('the time is up', () => Date.now() > seenAt + 1_000);
      await world.start();

      const events = await world.sees(id, 'turn.completed');

      expect(ofType(events, 'tool.resolved').map(({ body }) => body.resolution)).toEqual(['expired']);
      expect(ofType(events, 'tool.result').map(({ body }) => body.outcome)).toEqual(['timed_out']);
      const last = ofType(events, 'agent.message').at(-1);
      expect(last?.body.text).toContain('Nobody answered this call in time.');
      const input = { sessionId: id, callId: asked?.body.callId, text: 'too late' };
      const { answerToolCall: late } = await world.graphql(ANSWER, { input });
      expect(late).toMatchObject({ applied: false, resolution: 'EXPIRED' });
    }, 60_000);
  });
});
