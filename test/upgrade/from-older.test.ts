/** A database of each older version is opened by this one: what is in it is read, and its sessions go on. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Access } from '../../src/access/access.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { Unauthenticated } from '../../src/kernel/fault.ts';
import { openSecretFiles } from '../../src/platform/local/secret-store.ts';
import { type MongoServer, mongoServer } from '../support/mongo.ts';
import { onEachStore, type Store } from '../support/stores.ts';
import {
  type Fixture,
  layOut,
  loadInto,
  type Older,
  OLDER,
  readFixture,
  SCRIPTS,
} from '../support/upgrade.ts';
import { PRICES } from '../support/prices.ts';
import { ROOT_KEY, World } from '../support/world.ts';
import { OURS } from '../support/organisation.ts';

await onEachStore((store: Store) => {
  describe.each(OLDER)('of %s', (older) => {
    upgrades(store, older);
  });
});

function upgrades(store: Store, older: Older): void {
  let fixture: Fixture;
  let data: Awaited<ReturnType<typeof layOut>>;
  let mongo: MongoServer | undefined;
  let world: World;
  beforeAll(async () => {
    fixture = await readFixture(older, store);
    data = await layOut(older, store);
    mongo = store === 'mongo' ? await mongoServer() : undefined;
    const uri = mongo?.uri();
    if (uri !== undefined) await loadInto(older, uri);
    world = await World.open(
      {
        HOLDFAST_DATA: data.folder,
        HOLDFAST_REHEARSAL: SCRIPTS,
        HOLDFAST_PRICES: PRICES,
        HOLDFAST_ROOT_KEY: '', // the key that is in the database
        ...(uri === undefined ? {} : { DATABASE_URL: uri }),
      },
      'sqlite', // the world needs no database of its own
    );
  });
  afterAll(async () => {
    await world.close();
    await mongo?.close();
    await data.remove();
  });

  const idOf = (name: string): string => fixture.told.sessions[name] ?? '';
  /** The answers of the agent, in order. */
  const answers = async (id: string): Promise<readonly string[]> =>
    (await world.events(id)).filter(({ type }) => type === 'agent.message').map(({ body }) => body.text);

  describe('what was written then', () => {
    it('is the same log, event by event', async () => {
      for (const [id, log] of Object.entries(fixture.told.logs)) {
        expect((await world.events(id)).slice(0, log.length)).toEqual(log);
      }
    });

    it('is answered again to the same requests, under their keys of then', async () => {
      for (const { query, variables, answer } of fixture.told.asked) {
        const again = await world.graphql(query, { ...variables });

        expect(withoutPrompt(again)).toEqual(withoutPrompt(answer));
      }
      const { agents, sessions } = await world.graphql(
        '{ agents { nodes { id } } sessions { nodes { id metadata } } }',
      );
      expect(agents.nodes).toHaveLength(2);
      expect(sessions.nodes).toHaveLength(4);
      expect(sessions.nodes.at(-1).metadata).toEqual({ name: 'hibernated', list: [1, { 'a.b': null }] });
    });

    it('is an agent with both of its revisions, without settings, which goes on by a third with some', async () => {
      const { agentId } = fixture.told;
      const agent = '... on Agent { revision prompt effort thinking { mode } maxOutputTokens fallbackModel }';
      expect(await world.graphql(`{ agent(id: "${agentId}") { ${agent} } }`)).toEqual({
        agent: {
          revision: 2,
          prompt: 'You are of then, revised.',
          effort: null,
          thinking: null,
          maxOutputTokens: null,
          fallbackModel: null,
        },
      });

      const { updateAgent } = await world.graphql(
        `mutation { updateAgent(input: { id: "${agentId}", effort: HIGH }) {
          ... on UpdateAgentPayload { agent { revision prompt effort } } ... on Fault { message } } }`,
      );

      expect(updateAgent.agent).toEqual({ revision: 3, prompt: 'You are of then, revised.', effort: 'HIGH' });
      expect(await world.session(idOf('hibernated'), 'agentRevision')).toMatchObject({ agentRevision: 1 });
      expect(await world.session(idOf('idle'), 'agentRevision')).toMatchObject({ agentRevision: 2 });
    });

    it('is a key that opens the API, and a client token that is good for as long as it was to be', async () => {
      const { clientToken, at } = fixture.told;
      const secrets = await openSecretFiles(`${data.folder}/secrets`, `${data.folder}/keys/master.key`);
      const signingKey = Buffer.from((await secrets.get('token-signing-key'))?.open() ?? '', 'base64');
      const hash = createHash('sha256').update(ROOT_KEY).digest('hex');
      const keys = {
        byHash: async (given: string) => (given === hash ? { id: 'key' } : undefined),
        byId: async (id: string) => ({ id }), // that minted the token, and still opens
      } as never;
      const tokenGenerations = {
        generationsOf: async (asked: readonly string[]) => asked.map(() => 0),
      } as never; // none was revoked
      const accessAt = (now: number) =>
        new Access({
          keys,
          tokenGenerations,
          clock: { ...systemClock, now: () => now },
          signingKey,
          firstOrganisation: OURS.id,
        });

      expect(await accessAt(at).authenticate(clientToken)).toMatchObject({
        kind: 'client',
        sessionId: idOf('idle'),
      });
      await expect(accessAt(at + 3_600_000).authenticate(clientToken)).rejects.toThrow(Unauthenticated);
      await expect(world.graphql('{ agents { nodes { id } } }', {}, `${ROOT_KEY}x`)).rejects.toThrow(
        'UNAUTHENTICATED',
      );
    });
  });

  describe('what was used then', () => {
    const COSTS = 'usage { totalTokens costMicroUsd pricedCostMicroUsd } limits { costMicroUsd }';

    it('has no known cost, and what is used from now on has one (proves PRICE-2)', async () => {
      const id = idOf('idle');
      const before = await world.session(id, `${COSTS} turn { number usage { costMicroUsd } }`);
      expect(before).toMatchObject({
        usage: { costMicroUsd: null, pricedCostMicroUsd: null },
        limits: { costMicroUsd: null },
        turn: { usage: { costMicroUsd: null } },
      });
      expect(before.usage.totalTokens).toBeGreaterThan(0);

      await world.send(id, 'hello now');
      await world.status(id, 'IDLE');

      const after = await world.session(id, `${COSTS} turn { number usage { costMicroUsd } }`);
      expect(after.turn.number).toBeGreaterThan(before.turn.number);
      expect(after.turn.usage.costMicroUsd).toBeGreaterThan(0);
      expect(after.usage).toMatchObject({
        costMicroUsd: null,
        pricedCostMicroUsd: after.turn.usage.costMicroUsd,
      });
    });
  });

  describe('a session of then', () => {
    it('that was in the middle of a turn goes on: a command that was cut is told as unknown', async () => {
      const log = await world.sees(idOf('killed'), 'turn.completed');

      expect(log.find(({ type }) => type === 'tool.result')?.body.outcome).toBe('unknown');
      expect(log.at(-1)?.body.outcome).toBe('completed');
    });

    it.each(['idle', 'hibernated', 'failed', 'killed'])(
      'that was %s takes a message and finishes its turn',
      async (name) => {
        const id = idOf(name);
        const { turnCount } = await world.session(id);
        await world.send(id, 'hello again');
        await world.status(id, 'IDLE');

        expect((await answers(id)).at(-1)).toBe('You said: hello again');
        expect((await world.session(id)).turnCount).toBeGreaterThan(turnCount);
      },
    );

    it.each(['idle', 'hibernated'])('that was %s has its files', async (name) => {
      const id = idOf(name);
      await world.send(id, 'look');
      await world.status(id, 'IDLE');

      expect((await answers(id)).at(-1)).toContain('treasure');
    });
  });
}

/** Of an agent that was changed since, the answer to the same request has the prompt of now. */
function withoutPrompt(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer, (name, value) => (name === 'prompt' ? undefined : value)));
}
