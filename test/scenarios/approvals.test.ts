/** Commands that wait to be approved, over crashes of the server at every step: each is run once, with what was approved, and the turn goes on. */
import { afterEach, describe, expect, it } from 'vitest';
import { must } from '../../src/kernel/assert.ts';
import { eventually } from '../support/eventually.ts';
import { onEachStore } from '../support/stores.ts';
import { type LogEvent, World } from '../support/world.ts';

const SCRIPTS = { HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts` };
const RULES = [
  { tool: 'bash', action: 'ALLOW', command: String.raw`while [ ! -e go ]; do sleep 0.1; done; echo gone` },
  { tool: 'bash', action: 'ASK' },
];
const APPROVE = `mutation ($input: ApproveToolCallInput!) { it: approveToolCall(input: $input) {
  ... on ApproveToolCallPayload { applied resolution } ... on Fault { code message } } }`;

const ofType = (events: readonly LogEvent[], type: string): readonly LogEvent[] =>
  events.filter((event) => event.type === type);

await onEachStore((store) => {
  describe('commands that wait to be approved', () => {
    const worlds: World[] = [];
    afterEach(async () => {
      for (const world of worlds.splice(0)) await world.close();
    });

    async function open(agent: object = {}): Promise<World> {
      const world = await World.open({ ...SCRIPTS, HOLDFAST_IDLE_SECONDS: '1' }, store);
      worlds.push(world);
      await world.createAgent({ name: 'gate', model: 'rehearsal/gate', toolRules: RULES, ...agent });
      return world;
    }

    /** The session, and the command of it that waits. */
    async function waiting(world: World, input: string): Promise<{ id: string; callId: string }> {
      const id = await world.startSession({ agent: 'gate', input });
      const [asked] = ofType(await world.sees(id, 'tool.requested'), 'tool.requested');
      return { id, callId: must(asked, 'it is asked').body.callId };
    }

    async function approve(world: World, sessionId: string, callId: string, given: object = {}) {
      return (await world.graphql(APPROVE, { input: { sessionId, callId, ...given } })).it;
    }

    it('an approval after the server was killed goes on with the same call, once, when nothing ran for it any more', async () => {
      const world = await open();
      const { id, callId } = await waiting(world, 'one');
      await eventually('it sleeps', async () => (await world.session(id)).hibernated);
      expect((await world.session(id)).status).toBe('AWAITING_INPUT');
      await world.crash();
      await world.start();

      expect(await approve(world, id, callId)).toMatchObject({ applied: true, resolution: 'APPROVED' });

      const events = await world.sees(id, 'turn.completed');
      expect(ofType(events, 'tool.result').map(({ body }) => [body.outcome, body.output.trim()])).toEqual([
        ['ok', 'deployed'],
      ]);
      expect(ofType(events, 'tool.call')).toHaveLength(1);
      expect(ofType(events, 'turn.started')).toHaveLength(1);
      expect(ofType(events, 'turn.completed')[0]?.body.outcome).toBe('completed');
    }, 90_000);

    it('a server that is killed right after the approval runs it after its start, once', async () => {
      const world = await open();
      const { id, callId } = await waiting(world, 'one');
      await approve(world, id, callId);
      await world.crash();
      await world.start();

      const events = await world.sees(id, 'turn.completed');
      const [result] = ofType(events, 'tool.result');
      expect(['ok deployed', 'unknown']).toContain(
        result?.body.outcome === 'ok' ? `ok ${result.body.output.trim()}` : result?.body.outcome,
      );
    }, 90_000);

    it('one that was running when the server was killed is not run again', async () => {
      const world = await open();
      const { id, callId } = await waiting(world, 'long');
      await approve(world, id, callId);
      await eventually('it runs', () => world.handsPid(id));
      await world.crash();
      await world.start();

      const events = await world.sees(id, 'tool.result');
      expect(ofType(events, 'tool.result')[0]?.body.outcome).toMatch(/^(unknown|failed)$/);
      expect(ofType(events, 'tool.resolved')).toHaveLength(1);
    }, 120_000);

    it('what is approved with another input runs with that, and the model is told', async () => {
      const world = await open();
      const { id, callId } = await waiting(world, 'one');
      await approve(world, id, callId, { input: { command: 'echo changed' } });

      const events = await world.sees(id, 'turn.completed');
      const [result] = ofType(events, 'tool.result');
      expect(result?.body.output).toBe(
        'Whoever approved this call changed its input. It ran with: {"command":"echo changed"}\n\nchanged\n',
      );
      expect(ofType(events, 'agent.message').at(-1)?.body.text).toContain('changed');
    }, 60_000);

    it('one that is approved while another runs begins beside it', async () => {
      const world = await open();
      const { id, callId } = await waiting(world, 'beside');
      await eventually('the first runs', () => world.handsPid(id));

      await approve(world, id, callId);

      const events = await world.sees(id, 'turn.completed');
      expect(ofType(events, 'tool.result').map(({ body }) => body.outcome)).toEqual(['ok', 'ok']);
    }, 60_000);

    it('the time that a turn may take stands still while it waits', async () => {
      const world = await open({ limits: { turnSeconds: 5 } });
      const { id, callId } = await waiting(world, 'one');
      const since = Date.now();
      await eventually('its time would be up', () => Date.now() - since > 6_000);
      expect((await world.session(id)).status).toBe('AWAITING_INPUT');

      await approve(world, id, callId);

      const events = await world.sees(id, 'turn.completed');
      expect(ofType(events, 'turn.completed')[0]?.body.outcome).toBe('completed');
    }, 60_000);

    it('a turn that waits is canceled at once, and the call is not run', async () => {
      const world = await open();
      const { id, callId } = await waiting(world, 'one');
      await eventually('it sleeps', async () => (await world.session(id)).hibernated);
      await world.graphql(`mutation { cancelTurn(sessionId: "${id}") { __typename } }`);

      const events = await world.events(id);
      expect(ofType(events, 'tool.resolved')[0]?.body).toMatchObject({ callId, resolution: 'canceled' });
      expect(ofType(events, 'turn.completed')[0]?.body.outcome).toBe('canceled');
      expect(await approve(world, id, callId)).toMatchObject({ applied: false, resolution: 'CANCELED' });
    }, 60_000);
  });
});
