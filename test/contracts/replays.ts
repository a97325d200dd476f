/**
 * What an idempotency key promises on every store: the same request with the same key is answered as it was the first time, whatever was
 * deleted, changed or upgraded since, and does nothing again.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { derivedId } from '../../src/kernel/id.ts';
import { MESSAGE_BYTES_MAX } from '../../src/kernel/limit.ts';
import { requestHash } from '../../src/kernel/request-hash.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { Agents } from '../../src/sessions/agents.ts';
import { decide } from '../../src/sessions/lifecycle.ts';
import { limitsInForce, type SessionOrigin } from '../../src/sessions/session.ts';
import { Sessions } from '../../src/sessions/sessions.ts';
import { nothing, originOf } from '../support/session-log.ts';
import { definitionReplays } from './definition-replays.ts';
import { type Begin, type ReplayPlatform, type ReplayWorld, worldOn } from './replay-platform.ts';
import { OURS } from '../support/organisation.ts';

const ME = { kind: 'human' } as const;
const MODEL = 'anthropic/claude-sonnet-5';
const KEY = 'sk-ant-0123456789abcdef';

export function replayContract(platform: ReplayPlatform): void {
  describe(`replays on ${platform.name}`, () => {
    const open: { close(): Promise<void> }[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    const begin: Begin = async (caps) => {
      const world = await worldOn(platform, caps);
      open.push(world.store);
      return world;
    };

    /** A session whose first turn runs. */
    async function running({ sessions, runs, agents }: ReplayWorld) {
      await agents.create({ name: 'runner', model: 'rehearsal/echo', prompt: 'p' });
      const { session } = await sessions.start({ agent: 'runner', input: 'hi', actor: ME });
      await runs.supervise(session.id, { kind: 'takeLease', owner: 'o' });
      await runs.write(session.id, 1, 'begin', { kind: 'beginTurn' });
      return session.id;
    }

    /** The running turn ends, and the next one begins. */
    async function nextTurn({ sessions, runs }: ReplayWorld, id: Awaited<ReturnType<typeof running>>) {
      await runs.write(id, 1, 'end', { kind: 'completeTurn', outcome: 'deadline_exceeded' });
      await sessions.send({ sessionId: id, text: 'next', actor: ME });
      await runs.write(id, 1, 'begin next', { kind: 'beginTurn' });
    }

    describe('startSession', () => {
      const request = { agent: 'a', input: 'hi', limits: { turns: 3 }, metadata: { a: 1 }, actor: ME };

      it.each([
        ['idempotency key', { idempotencyKey: 'once' }],
        ['natural key', { key: 'mine' }],
        ['both keys', { idempotencyKey: 'once', key: 'mine' }],
      ])(
        'proves REPLAY-1: with %s it is answered when credential, provider and agent have gone',
        async (_, keys) => {
          const { store, credentials, agents, ports, sessions } = await begin();
          const { credential } = await credentials.create({ provider: 'anthropic', key: new Sealed(KEY) });
          const { agent } = await agents.create({ name: 'a', model: MODEL, prompt: 'p' });
          const first = await sessions.start({ ...request, ...keys });
          expect(first.replayed).toBe(false);

          await credentials.delete(credential.id);
          const later = [await sessions.start({ ...request, ...keys })];
          await agents.update(agent.id, { model: 'rehearsal/echo' });
          later.push(await sessions.start({ ...request, ...keys, agent: agent.id }));
          await sessions.archive(first.session.id, ME);
          later.push(await sessions.start({ ...request, ...keys }));
          const gone = { ...store.agents, byName: async () => undefined, get: async () => undefined };
          const withoutAgents = new Agents({
            agents: gone,
            credentials,
            clock: systemClock,
            organisation: OURS,
          });
          const orphaned = new Sessions({ ...ports, agents: withoutAgents });
          later.push(await orphaned.start({ ...request, ...keys }));

          for (const { session, turnId, replayed } of later)
            expect([session.id, turnId, replayed]).toEqual([first.session.id, first.turnId, true]);
        },
      );

      it('is answered when a limit or the form of models has changed, and refuses another request', async () => {
        const { store, agents, sessions } = await begin();
        const { agent } = await agents.create({ name: 'a', model: 'rehearsal/echo', prompt: 'p' });
        const large = { ...request, input: 'x'.repeat(MESSAGE_BYTES_MAX + 1), model: 'of another form' };
        const { input, model, limits, metadata } = large;
        const id = derivedId('session', 'once');
        const hash = requestHash([agent.id, input, model, limits, metadata, undefined]); // as versions before hashed it
        const origin: SessionOrigin = { ...originOf(), id, agentId: agent.id, model, requestHash: hash };
        await store.sessions.create(origin, nothing);

        expect(await sessions.start({ ...large, idempotencyKey: 'once' })).toMatchObject({
          session: { id },
          replayed: true,
        });
        await agents.create({ name: 'b', model: 'rehearsal/echo', prompt: 'p' });
        const others = [{ input: 'other' }, { agent: 'b' }, { metadata: { a: 2 } }, { limits: { turns: 4 } }];
        for (const other of others)
          await expect(sessions.start({ ...large, ...other, idempotencyKey: 'once' })).rejects.toMatchObject({
            code: 'IDEMPOTENCY_CONFLICT',
          });
        await expect(sessions.start({ ...large, idempotencyKey: 'another' })).rejects.toMatchObject({
          code: 'INVALID_INPUT',
        });
      });

      it('is the same request whether a field has its default or is left out', async () => {
        const { agents, sessions } = await begin();
        await agents.create({ name: 'a', model: 'rehearsal/echo', prompt: 'p' });
        const bare = { agent: 'a', input: 'hi', actor: ME, idempotencyKey: 'once' };
        const first = await sessions.start(bare);
        const again = await sessions.start({
          ...bare,
          limits: { tokens: undefined },
          model: undefined,
          metadata: undefined,
        });

        expect([again.session.id, again.replayed]).toEqual([first.session.id, true]);
      });
    });

    describe('sendMessage', () => {
      it('is answered on an archived session, and when what was said is too long by now', async () => {
        const { store, sessions } = await begin();
        const { session } = await store.sessions.create(originOf(), nothing);
        const text = 'x'.repeat(MESSAGE_BYTES_MAX + 1);
        const said = await store.journal.append(session.id, {
          key: 'message/once',
          decide: (now) => decide(now, { kind: 'send', text, mode: 'steer', actor: ME }),
        });
        await sessions.archive(session.id, ME);
        const message = { sessionId: session.id, text, actor: ME };

        expect(await sessions.send({ ...message, idempotencyKey: 'once' })).toMatchObject({
          seq: said.firstSeq,
          replayed: true,
        });
        await expect(
          sessions.send({ ...message, text: 'another', idempotencyKey: 'once' }),
        ).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
        await expect(sessions.send({ ...message, idempotencyKey: 'two' })).rejects.toMatchObject({
          code: 'INVALID_INPUT',
        });
        await expect(sessions.send(message)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
      });
    });

    describe('cancelTurn', () => {
      it('proves REPLAY-2: with a key that found nothing to do it cancels no later turn', async () => {
        const world = await begin();
        const { sessions, runs } = world;
        const id = await running(world);
        await runs.write(id, 1, 'end', { kind: 'completeTurn', outcome: 'deadline_exceeded' });
        const first = await sessions.cancel(id, ME, 'once');
        await sessions.send({ sessionId: id, text: 'next', actor: ME });
        await runs.write(id, 1, 'begin next', { kind: 'beginTurn' });
        const again = await sessions.cancel(id, ME, 'once');

        expect([first.replayed, again.replayed]).toEqual([false, true]);
        expect(again.session.turn).toMatchObject({ number: 2, state: 'running' });
        expect(again.session.turn?.stopping).toBeUndefined();
        expect((await sessions.cancel(id, ME, 'another')).session.turn?.stopping).toBe('canceled');
      });

      it('proves REPLAY-2: with a key that met a turn which was ending already it cancels no later turn', async () => {
        const world = await begin();
        const { sessions } = world;
        const id = await running(world);
        await sessions.cancel(id, ME, 'first');
        const late = await sessions.cancel(id, ME, 'once');
        await nextTurn(world, id);
        const again = [await sessions.cancel(id, ME, 'once'), await sessions.cancel(id, ME, 'first')];

        expect(late.replayed).toBe(false);
        for (const { session, replayed } of again)
          expect([session.turn?.number, session.turn?.stopping, replayed]).toEqual([2, undefined, true]);
      });

      it('leaves nothing in the log without a key, and answers at one place of it', async () => {
        const world = await begin();
        const { store, sessions, runs } = world;
        const id = await running(world);
        await runs.write(id, 1, 'end', { kind: 'completeTurn', outcome: 'deadline_exceeded' });
        const before = await store.journal.head(id);

        expect(await sessions.cancel(id, ME)).toMatchObject({ head: before, replayed: false });
        expect(await sessions.cancel(id, ME, 'k')).toMatchObject({ head: before + 1, replayed: false });
        expect(await sessions.archive(id, ME, 'k')).toMatchObject({ head: before + 2, replayed: false });
        expect(await sessions.archive(id, ME, 'k')).toMatchObject({ head: before + 2, replayed: true });
        expect(await sessions.cancel(id, ME, 'k2')).toMatchObject({ head: before + 2, replayed: false });
      });

      it('and archiveSession on a log without room close the session, as was asked', async () => {
        const world = await begin({ eventsMax: 4 });
        const { store, sessions } = world;
        const id = await running(world);

        expect(await sessions.cancel(id, ME, 'once')).toMatchObject({
          session: { status: 'archived', turn: { state: 'completed' } },
          head: 4,
        });
        expect((await store.journal.read(id, { after: 3, limit: 1 }))[0]?.type).toBe('log.limit_reached');
        expect(await sessions.archive(id, ME, 'once')).toMatchObject({ session: { status: 'archived' } });
      });

      it('a log that has ended takes one archive, which says that what the session has left may go', async () => {
        const world = await begin({ eventsMax: 4 });
        const { store, sessions } = world;
        const id = await running(world);
        await sessions.cancel(id, ME);
        const types = async () =>
          (await store.journal.read(id, { after: 3, limit: 9 })).map(({ type }) => type);
        expect(await types()).toEqual(['log.limit_reached']);

        expect(await sessions.archive(id, ME, 'k')).toMatchObject({ head: 5, replayed: false });
        expect(await sessions.archive(id, ME, 'k')).toMatchObject({ head: 5, replayed: true });
        expect(await sessions.archive(id, ME)).toMatchObject({ head: 5, replayed: false });
        expect(await types()).toEqual(['log.limit_reached', 'session.archived']);
        expect(await store.sessions.get(id)).toMatchObject({ session: { status: 'archived' } });
      });

      it('an archive that meets the end of the log is written behind it', async () => {
        const world = await begin({ eventsMax: 5 });
        const { store, sessions } = world;
        const id = await running(world);
        expect(await sessions.archive(id, ME, 'k')).toMatchObject({ head: 5, replayed: false });

        const last = await store.journal.read(id, { after: 3, limit: 9 });
        expect(last.map(({ type }) => type)).toEqual(['log.limit_reached', 'session.archived']);
      });

      it('a message with a key that met the end of the log is answered so again', async () => {
        const world = await begin({ eventsMax: 4 });
        const { sessions } = world;
        const id = await running(world);
        const message = { sessionId: id, text: 'more', actor: ME, idempotencyKey: 'k' };

        for (let n = 0; n < 2; n += 1)
          await expect(sessions.send(message)).rejects.toMatchObject({ code: 'LOG_FULL' });
      });

      it('a cancel with a key that has nothing to do does not end the log, whatever room it has', async () => {
        const world = await begin({ eventsMax: 5 });
        const { store, sessions, runs } = world;
        const id = await running(world);
        await runs.write(id, 1, 'end', { kind: 'completeTurn', outcome: 'deadline_exceeded' });
        const head = await store.journal.head(id);
        expect(head).toBe(4);

        expect(await sessions.cancel(id, ME, 'k')).toMatchObject({ head, session: { status: 'idle' } });
        expect(await store.journal.head(id)).toBe(head);
      });
    });

    describe('updateSession', () => {
      const change = { limits: { turns: 5, tokens: null }, actor: ME, idempotencyKey: 'once' };

      it('proves REPLAY-1: with a key it does not undo what was changed since, on an archived session too', async () => {
        const world = await begin();
        const { sessions } = world;
        const sessionId = await running(world);
        const first = await sessions.changeLimits({ sessionId, ...change });
        await sessions.changeLimits({ sessionId, limits: { turns: 7 }, actor: ME });
        const again = await sessions.changeLimits({ sessionId, ...change });
        await sessions.archive(sessionId, ME);
        const last = await sessions.changeLimits({ sessionId, ...change });

        expect([first, again, last].map(({ replayed }) => replayed)).toEqual([false, true, true]);
        expect([first, again, last].map(({ session }) => limitsInForce(session))).toEqual([
          { turns: 5 },
          { turns: 7 },
          { turns: 7 },
        ]);
        for (const limits of [{ turns: 6, tokens: null }, { turns: 5 }, { turns: 0 }, {}])
          await expect(sessions.changeLimits({ sessionId, ...change, limits })).rejects.toMatchObject({
            code: 'IDEMPOTENCY_CONFLICT',
          });
        await expect(
          sessions.changeLimits({ sessionId, limits: { turns: 9 }, actor: ME }),
        ).rejects.toMatchObject({ code: 'SESSION_ARCHIVED' });
      });

      it('remembers a key also when nothing differed, and writes nothing of the kind without one', async () => {
        const world = await begin();
        const { store, sessions } = world;
        const sessionId = await running(world);
        const none = { limits: { tokens: null }, actor: ME };
        const head = await store.journal.head(sessionId);

        expect(await sessions.changeLimits({ sessionId, ...none })).toMatchObject({ head, replayed: false });
        expect(await sessions.changeLimits({ sessionId, ...none, idempotencyKey: 'k' })).toMatchObject({
          head: head + 1,
          replayed: false,
        });
        await sessions.changeLimits({ sessionId, limits: { tokens: 9 }, actor: ME });
        const again = await sessions.changeLimits({ sessionId, ...none, idempotencyKey: 'k' });
        expect([limitsInForce(again.session), again.replayed]).toEqual([{ tokens: 9 }, true]);
      });

      it('refuses what is no limit, and changes nothing', async () => {
        const world = await begin();
        const { store, sessions } = world;
        const sessionId = await running(world);
        const head = await store.journal.head(sessionId);

        for (const costMicroUsd of [0, -1, 1.5])
          await expect(
            sessions.changeLimits({ sessionId, ...change, limits: { costMicroUsd } }),
          ).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'limits.costMicroUsd' });
        expect(await store.journal.head(sessionId)).toBe(head);
      });
    });

    definitionReplays(begin);
  });
}
