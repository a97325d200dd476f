/**
 * Two whole servers on one MongoDB: either answers for every session, and a session outlives the one that runs it, whatever
 * their clocks say.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { eventually } from '../support/eventually.ts';
import { mongoSuite } from '../support/mongo-suite.ts';
import { type LogEvent, World } from '../support/world.ts';

/** Of a server whose clock is off. */
const clockOff = (minutes: number) => ({
  NODE_OPTIONS: `--import ${import.meta.dirname}/../support/clock-shift.ts`,
  TEST_CLOCK_SHIFT_MS: String(minutes * 60_000),
});
const CLOCKS = [
  { clocks: 'that agree', off: [{}, {}] },
  { clocks: 'that are twenty minutes apart', off: [clockOff(-10), clockOff(10)] },
] as const;

type Clocks = readonly [Record<string, string>, Record<string, string>];

const SCRIPTS = { HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts` };

await mongoSuite('two servers', () => {
  const worlds: World[] = [];
  afterEach(async () => {
    for (const world of worlds.splice(0).toReversed()) await world.close();
  });

  async function open(env: Record<string, string> = {}): Promise<World> {
    const world = await World.open({ ...SCRIPTS, ...env }, 'mongo');
    worlds.push(world);
    return world;
  }

  /** Two on one database with the same secrets; whatever is started, the first one runs it. */
  async function two(env: Record<string, string> = {}, off: Clocks = [{}, {}]) {
    const one = await open({ ...env, ...off[0] });
    for (const name of ['slow', 'recall', 'wait'])
      await one.createAgent({ name, model: `rehearsal/${name}` });
    const other = await beside(one, { ...env, ...off[1] });
    for (const [world, { TEST_CLOCK_SHIFT_MS: shift = '0' }] of [
      [one, off[0]],
      [other, off[1]],
    ] as const) {
      const saidAt = Date.parse(JSON.parse(world.logs.split('\n')[0] ?? '{}').ts);
      expect(Math.abs(saidAt - Date.now() - Number(shift)), 'ms from where its clock was put').toBeLessThan(
        300_000,
      );
    }
    return { one, other };
  }

  function beside(one: World, env: Record<string, string> = {}): Promise<World> {
    return open({ ...env, ...one.store, HOLDFAST_SECRETS: join(one.folder, 'data') });
  }

  const outcomes = (events: readonly LogEvent[]) =>
    events.filter(({ type }) => type === 'turn.completed').map(({ body }) => body.outcome);
  const runsOn = (world: World, sessionId: string) => world.brainPid(sessionId) !== undefined;

  it('know of a revocation that the other one was asked for, and end what is open with it (proves ACCESS-1, ACCESS-2)', async () => {
    const one = await open();
    const other = await beside(one);
    const made = await one.graphql(`mutation { createApiKey(input: { name: "ci", scopes: [SESSIONS_READ] }) {
      ... on CreateApiKeyPayload { apiKey { id } value } ... on Fault { message } } }`);
    const { apiKey, value } = made.createApiKey;
    const socket = new WebSocket(`${other.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    let acknowledged = false;
    let closed: readonly [number, string] | undefined;
    socket.once('open', () =>
      socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${value}` } })),
    );
    socket.once('message', () => (acknowledged = true));
    socket.once('close', (code, reason) => (closed = [code, String(reason)]));
    await eventually('it is let in', () => acknowledged);
    expect(await other.graphql('{ sessions { nodes { id } } }', {}, value)).toEqual({
      sessions: { nodes: [] },
    });

    await one.graphql(`mutation { revokeApiKey(id: "${apiKey.id}") { __typename } }`);

    await expect(other.graphql('{ sessions { nodes { id } } }', {}, value)).rejects.toThrow(
      'UNAUTHENTICATED',
    );
    await eventually('it is closed', () => closed);
    expect(closed).toEqual([4403, 'The API key was revoked.']);
  });

  it('show a message that is being written, to readers of both, with the token of either', async () => {
    const { one, other } = await two();
    const query = `mutation { startSession(input: { agent: "slow", input: "Speak." }) {
      ... on StartSessionPayload { session { id } clientToken { token } } ... on Fault { message } } }`;
    const { startSession } = await one.graphql(query);
    const { id } = startSession.session;
    const texts = new Map<World, string>([
      [one, ''],
      [other, ''],
    ]);
    const readers = [...texts.keys()].map((world) =>
      world.subscribe(id, undefined, (frame) => {
        if (frame.__typename === 'MessageDelta')
          texts.set(world, (texts.get(world) ?? '').slice(0, frame.offset) + frame.text);
      }),
    );

    await eventually('both readers see words before the message is whole', () =>
      [...texts.values()].every((text) => text.length > 10),
    );
    const seen = await other.graphql(
      `{ session(id: "${id}") { ... on Session { id } } }`,
      {},
      startSession.clientToken.token,
    );
    expect(seen.session.id).toBe(id);
    const stranger = runsOn(one, id) ? other : one;
    await stranger.graphql(`mutation { cancelTurn(sessionId: "${id}") { __typename } }`);

    expect(outcomes(await other.sees(id, 'turn.completed'))).toEqual(['canceled']);
    await Promise.all(readers.map((reader) => reader.stop()));
  });

  describe.each(CLOCKS)('with clocks $clocks', ({ off }) => {
    it('hand a session over with its files when the one that had it stops', async () => {
      const { one, other } = await two({ HOLDFAST_IDLE_SECONDS: '1' }, off);
      const id = await one.startSession({ agent: 'recall', input: 'Keep it.' });
      await one.sees(id, 'session.hibernated');
      const [had, has] = runsOn(one, id) ? [one, other] : [other, one];
      await had.stop();
      await rm(join(had.folder, 'data', 'workspaces'), { recursive: true, force: true });

      await has.send(id, 'What was it?');
      const events = await has.sees(id, 'turn.completed', 2);

      const answer = events.filter(({ type }) => type === 'agent.message').at(-1);
      expect(answer?.body.text).toContain('treasure');
      expect(runsOn(has, id)).toBe(true);
    });

    it('take over a session in the middle of its turn when the one that runs it is killed', async () => {
      const { one, other } = await two({}, off);
      const id = await one.startSession({ agent: 'wait', input: 'Wait.' });
      await one.sees(id, 'tool.call');
      const [ran, left] = runsOn(one, id) ? [one, other] : [other, one];
      const mark = join(ran.folder, 'data', 'workspaces', id, 'files', 'waiting');
      await eventually('the command runs', () => existsSync(mark));

      await ran.crash();
      await eventually('the other has it', () => runsOn(left, id), 40_000);
      const events = await left.sees(id, 'tool.result');

      expect(events.find(({ type }) => type === 'tool.result')?.body.outcome).toBe('unknown');
      const told = events
        .filter(({ type }) => /^(workspace.reverted|tool.result)$/.test(type))
        .map(({ type }) => type);
      expect(told).toEqual(['workspace.reverted', 'tool.result']); // its files are those of nobody
      expect(events.filter(({ type }) => type === 'brain.started').length).toBeGreaterThan(1);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    });
  });
});
