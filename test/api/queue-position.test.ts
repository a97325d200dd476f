/** Where a session stands in the queue of its organisation, over HTTP: with nobody who runs sessions, all of them wait. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Organisations } from '../../src/access/organisations.ts';
import { KEY_SCOPES } from '../../src/access/principal.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { QUEUE_POSITION_MAX } from '../../src/kernel/limit.ts';
import { type Answer, Door } from '../support/door.ts';

const ONE = `query ($id: ID!) { session(id: $id) { ... on Session { queuePosition why status } } }`;
const MODEL = 'anthropic/claude-sonnet-5';

let door: Door;
beforeEach(async () => {
  door = await Door.open();
  await door.agents.create({ name: 'queued', model: MODEL, prompt: 'x' });
});
afterEach(() => door.close());

async function start(): Promise<SessionId> {
  const { session } = await door.sessions.start({ agent: 'queued', input: 'x', actor: { kind: 'human' } });
  return session.id;
}

async function placeOf(id: SessionId, bearer?: string): Promise<Answer> {
  const { session } = await door.ask(ONE, { id }, bearer);
  return session;
}

describe('the place in the queue', () => {
  it('proves ADMIT-6: counts those of the organisation that wait, and is null for who does not wait', async () => {
    const ids = [await start(), await start(), await start()] as const;
    const places = ids.map(async (id) => (await placeOf(id)).queuePosition);
    expect((await Promise.all(places)).toSorted((a: number, b: number) => a - b)).toEqual([1, 2, 3]);

    await door.beginTurn(ids[0]);
    const rest = [await placeOf(ids[1]), await placeOf(ids[2])];
    expect(rest.map(({ queuePosition }) => queuePosition).toSorted((a: number, b: number) => a - b)).toEqual([
      1, 2,
    ]);
    const [next] = rest.filter(({ queuePosition }) => queuePosition === 1);
    expect(next.why).toContain('the next of its organisation');
    expect(rest.find(({ queuePosition }) => queuePosition === 2).why).toContain(
      'number 2 of its organisation',
    );
    expect(await placeOf(ids[0])).toMatchObject({ status: 'RUNNING', queuePosition: null });
    await door.complete(ids[0]);
    expect(await placeOf(ids[0])).toMatchObject({ status: 'IDLE', queuePosition: null });
  });

  it('knows nothing of other organisations, and a client token may ask for that of its session', async () => {
    const mine = await start();
    const organisations = new Organisations({ organisations: door.store.organisations, clock: systemClock });
    const { organisation } = await organisations.create({ name: 'second' });
    const key = await door.grantKey(KEY_SCOPES, organisation.id);
    const { agents, sessions } = door.useCasesOf(organisation.id);
    await agents.create({ name: 'queued', model: 'rehearsal/echo', prompt: 'x' });
    const { session } = await sessions.start({ agent: 'queued', input: 'x', actor: { kind: 'human' } });

    expect((await placeOf(session.id, key)).queuePosition).toBe(1);
    expect(await placeOf(session.id)).not.toHaveProperty('queuePosition');
    const { token } = await door.access.mintClientToken({ organisationId: door.organisationId }, mine);
    expect((await placeOf(mine, token)).queuePosition).toBe(1);
  });

  it('reads the queue once for a list, and says of who is far behind that it is', async () => {
    const ids = [await start(), await start(), await start()];
    const { waiting } = door.store.sessions;
    let asked = 0;
    door.store.sessions.waiting = (...args) => {
      asked += 1;
      return waiting.apply(door.store.sessions, args);
    };
    const { sessions } = await door.ask('{ sessions { nodes { queuePosition why } } }');
    expect(asked).toBe(1);
    expect(
      sessions.nodes
        .map(({ queuePosition }: Answer) => queuePosition)
        .toSorted((a: number, b: number) => a - b),
    ).toEqual([1, 2, 3]);

    const others = Array.from({ length: QUEUE_POSITION_MAX }, () => newId('session'));
    door.store.sessions.waiting = async () => others;
    const far = await placeOf(ids[0] as SessionId);
    expect(far.queuePosition).toBe(QUEUE_POSITION_MAX + 1);
    expect(far.why).toContain(`behind ${QUEUE_POSITION_MAX} others`);
  });
});
