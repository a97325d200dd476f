/**
 * What an idempotency key promises on every store: the same request with the same key is answered as it was the first time, whatever was
 * deleted, changed or upgraded since, and does nothing again.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { must } from '../../src/kernel/assert.ts';
import { derivedId, newId } from '../../src/kernel/id.ts';
import { MESSAGE_BYTES_MAX } from '../../src/kernel/limit.ts';
import { remembered } from '../../src/kernel/answered-requests.ts';
import { requestHash } from '../../src/kernel/request-hash.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import type { CredentialStore } from '../../src/secrets/credential-store.ts';
import { Credentials } from '../../src/secrets/credentials.ts';
import type { AgentStore } from '../../src/sessions/agent-store.ts';
import { Agents } from '../../src/sessions/agents.ts';
import { decide } from '../../src/sessions/lifecycle.ts';
import type { SessionOrigin } from '../../src/sessions/session.ts';
import type { SessionJournal, SessionStore } from '../../src/sessions/session-store.ts';
import { type SessionPorts, Sessions } from '../../src/sessions/sessions.ts';
import { nothing, originOf } from '../support/session-log.ts';

export interface ReplayPlatform {
  readonly name: string;
  open(options: { readonly caps?: { readonly eventsMax?: number } }): Promise<{
    readonly journal: SessionJournal;
    readonly sessions: SessionStore;
    readonly agents: AgentStore;
    readonly credentials: CredentialStore;
    close(): Promise<void>;
  }>;
}

const ME = { kind: 'human' } as const;
const MODEL = 'anthropic/claude-sonnet-5';
const KEY = 'sk-ant-0123456789abcdef';

function memorySecrets() {
  const kept = new Map<string, Sealed>();
  return {
    put: async (name: string, value: Sealed) => void kept.set(name, value),
    create: async (name: string, value: Sealed) => !kept.has(name) && kept.set(name, value) !== undefined,
    get: async (name: string) => kept.get(name),
    delete: async (name: string) => void kept.delete(name),
  };
}

export function replayContract(platform: ReplayPlatform): void {
  describe(`replays on ${platform.name}`, () => {
    const open: { close(): Promise<void> }[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin(caps?: { readonly eventsMax?: number }) {
      const store = await platform.open(caps === undefined ? {} : { caps });
      open.push(store);
      const clock = systemClock;
      const credentials = new Credentials({
        credentials: store.credentials,
        secrets: memorySecrets(),
        clock,
      });
      const agents = new Agents({ agents: store.agents, credentials, clock });
      const serverKeys: SessionPorts['serverKeys'] = new Set();
      const ports = { journal: store.journal, sessions: store.sessions, credentials, clock, serverKeys };
      return { store, credentials, agents, ports, sessions: new Sessions({ ...ports, agents }) };
    }

    /** A session whose first turn runs. */
    async function running(sessions: Sessions, agents: Agents) {
      await agents.create({ name: 'runner', model: 'rehearsal/echo', prompt: 'p' });
      const { session } = await sessions.start({ agent: 'runner', input: 'hi', actor: ME });
      await sessions.supervise(session.id, { kind: 'takeLease', owner: 'o' });
      await sessions.write(session.id, 1, 'begin', { kind: 'beginTurn' });
      return session.id;
    }

    /** The running turn ends, and the next one begins. */
    async function nextTurn(sessions: Sessions, id: Awaited<ReturnType<typeof running>>) {
      await sessions.write(id, 1, 'end', { kind: 'completeTurn', outcome: 'deadline_exceeded' });
      await sessions.send({ sessionId: id, text: 'next', actor: ME });
      await sessions.write(id, 1, 'begin next', { kind: 'beginTurn' });
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
          const withoutAgents = new Agents({ agents: gone, credentials, clock: systemClock });
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
        const { sessions, agents } = await begin();
        const id = await running(sessions, agents);
        await sessions.write(id, 1, 'end', { kind: 'completeTurn', outcome: 'deadline_exceeded' });
        const first = await sessions.cancel(id, ME, 'once');
        await sessions.send({ sessionId: id, text: 'next', actor: ME });
        await sessions.write(id, 1, 'begin next', { kind: 'beginTurn' });
        const again = await sessions.cancel(id, ME, 'once');

        expect([first.replayed, again.replayed]).toEqual([false, true]);
        expect(again.session.turn).toMatchObject({ number: 2, state: 'running' });
        expect(again.session.turn?.stopping).toBeUndefined();
        expect((await sessions.cancel(id, ME, 'another')).session.turn?.stopping).toBe('canceled');
      });

      it('proves REPLAY-2: with a key that met a turn which was ending already it cancels no later turn', async () => {
        const { sessions, agents } = await begin();
        const id = await running(sessions, agents);
        await sessions.cancel(id, ME, 'first');
        const late = await sessions.cancel(id, ME, 'once');
        await nextTurn(sessions, id);
        const again = [await sessions.cancel(id, ME, 'once'), await sessions.cancel(id, ME, 'first')];

        expect(late.replayed).toBe(false);
        for (const { session, replayed } of again)
          expect([session.turn?.number, session.turn?.stopping, replayed]).toEqual([2, undefined, true]);
      });

      it('leaves nothing in the log without a key, and answers at one place of it', async () => {
        const { store, sessions, agents } = await begin();
        const id = await running(sessions, agents);
        await sessions.write(id, 1, 'end', { kind: 'completeTurn', outcome: 'deadline_exceeded' });
        const before = await store.journal.head(id);

        expect(await sessions.cancel(id, ME)).toMatchObject({ head: before, replayed: false });
        expect(await sessions.cancel(id, ME, 'k')).toMatchObject({ head: before + 1, replayed: false });
        expect(await sessions.archive(id, ME, 'k')).toMatchObject({ head: before + 2, replayed: false });
        expect(await sessions.archive(id, ME, 'k')).toMatchObject({ head: before + 2, replayed: true });
        expect(await sessions.cancel(id, ME, 'k2')).toMatchObject({ head: before + 2, replayed: false });
      });

      it('and archiveSession on a log without room close the session, as was asked', async () => {
        const { store, sessions, agents } = await begin({ eventsMax: 4 });
        const id = await running(sessions, agents);

        expect(await sessions.cancel(id, ME, 'once')).toMatchObject({
          session: { status: 'archived', turn: { state: 'completed' } },
          head: 4,
        });
        expect((await store.journal.read(id, { after: 3, limit: 1 }))[0]?.type).toBe('log.limit_reached');
        expect(await sessions.archive(id, ME, 'once')).toMatchObject({ session: { status: 'archived' } });
      });

      it('a log that has ended takes one archive, which says that what the session has left may go', async () => {
        const { store, sessions, agents } = await begin({ eventsMax: 4 });
        const id = await running(sessions, agents);
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
        const { store, sessions, agents } = await begin({ eventsMax: 5 });
        const id = await running(sessions, agents);
        expect(await sessions.archive(id, ME, 'k')).toMatchObject({ head: 5, replayed: false });

        const last = await store.journal.read(id, { after: 3, limit: 9 });
        expect(last.map(({ type }) => type)).toEqual(['log.limit_reached', 'session.archived']);
      });

      it('a message with a key that met the end of the log is answered so again', async () => {
        const { sessions, agents } = await begin({ eventsMax: 4 });
        const id = await running(sessions, agents);
        const message = { sessionId: id, text: 'more', actor: ME, idempotencyKey: 'k' };

        for (let n = 0; n < 2; n += 1)
          await expect(sessions.send(message)).rejects.toMatchObject({ code: 'LOG_FULL' });
      });

      it('a cancel with a key that has nothing to do does not end the log, whatever room it has', async () => {
        const { store, sessions, agents } = await begin({ eventsMax: 5 });
        const id = await running(sessions, agents);
        await sessions.write(id, 1, 'end', { kind: 'completeTurn', outcome: 'deadline_exceeded' });
        const head = await store.journal.head(id);
        expect(head).toBe(4);

        expect(await sessions.cancel(id, ME, 'k')).toMatchObject({ head, session: { status: 'idle' } });
        expect(await store.journal.head(id)).toBe(head);
      });
    });

    describe('createAgent', () => {
      const one = { name: 'a', model: 'rehearsal/echo', prompt: 'one' };

      it('compares with the agent as it is', async () => {
        const { agents } = await begin();
        const { agent } = await agents.create(one);
        await agents.update(agent.id, { prompt: 'two', limits: { turns: 1 }, settings: { effort: 'low' } });
        const now = { ...one, prompt: 'two', limits: { turns: 1 }, settings: { effort: 'low' } };

        for (const other of [
          one,
          { ...one, prompt: 'two' },
          { ...now, limits: {} },
          { ...now, settings: {} },
        ])
          await expect(agents.create(other)).rejects.toMatchObject({ code: 'AGENT_NAME_TAKEN' });
        expect(await agents.create(now)).toMatchObject({ agent: { id: agent.id }, replayed: true });
      });

      it('compares the model key with the one that the agent has', async () => {
        const { agents } = await begin();
        const keyed = (key: string) => ({ ...one, model: MODEL, key: new Sealed(key) });
        const { agent } = await agents.create(keyed(KEY));
        expect((await agents.create(keyed(KEY))).replayed).toBe(true);
        await agents.update(agent.id, { key: new Sealed(`${KEY}-2`) });

        await expect(agents.create(keyed(KEY))).rejects.toMatchObject({ code: 'AGENT_NAME_TAKEN' });
        await expect(agents.create({ ...one, model: MODEL })).rejects.toMatchObject({
          code: 'AGENT_NAME_TAKEN',
        });
        expect((await agents.create(keyed(`${KEY}-2`))).agent.id).toBe(agent.id);
        await agents.update(agent.id, { credentialId: null });
        expect((await agents.create({ ...one, model: MODEL })).replayed).toBe(true);
      });

      it('proves REPLAY-1: with a key it is answered after any change, also the key that found the agent there', async () => {
        const { agents, credentials } = await begin();
        const { credential } = await credentials.create({ provider: 'anthropic', key: new Sealed(KEY) });
        const keyed = { ...one, model: MODEL, credentialId: credential.id };
        const { agent } = await agents.create({ ...keyed, idempotencyKey: 'made' });
        expect((await agents.create({ ...keyed, idempotencyKey: 'found' })).replayed).toBe(true);
        await agents.update(agent.id, { model: 'rehearsal/echo', prompt: 'two', credentialId: null });
        await credentials.delete(credential.id);

        for (const idempotencyKey of ['made', 'found']) {
          const again = await agents.create({ ...keyed, idempotencyKey });
          expect([again.agent.id, again.agent.revision.prompt, again.replayed]).toEqual([
            agent.id,
            'two',
            true,
          ]);
          await expect(agents.create({ ...keyed, prompt: 'other', idempotencyKey })).rejects.toMatchObject({
            code: 'IDEMPOTENCY_CONFLICT',
          });
        }
        expect((await agents.create({ ...keyed, runtime: 'claude', idempotencyKey: 'made' })).replayed).toBe(
          true,
        );
      });

      it('knows an agent of a version that hashed requests by the places of their fields', async () => {
        const { agents, store } = await begin();
        const settings = { effort: 'low', maxOutputTokens: 5 } as const;
        const asked = ['a', 'claude', 'one', 'rehearsal/echo', {}, undefined, undefined];
        for (const [key, hash] of [
          ['plain', requestHash(asked)],
          ['set', requestHash([...asked, settings])],
        ] as const) {
          const id = derivedId('agent', key);
          const revision = {
            agentId: id,
            number: 2,
            prompt: 'changed',
            model: 'rehearsal/echo',
            createdAt: 1,
          };
          const times = { createdAt: 1, updatedAt: 2 };
          await store.agents.create({
            ...{ id, name: `${key} then`, runtime: 'claude', revision, limits: {}, requestHash: hash },
            ...times,
          });
        }

        expect((await agents.create({ ...one, idempotencyKey: 'plain' })).replayed).toBe(true);
        expect((await agents.create({ ...one, settings, idempotencyKey: 'set' })).replayed).toBe(true);
        await expect(agents.create({ ...one, settings, idempotencyKey: 'plain' })).rejects.toMatchObject({
          code: 'IDEMPOTENCY_CONFLICT',
        });
      });
    });

    describe('updateAgent', () => {
      it('proves REPLAY-1: with a key it does not undo what was changed since', async () => {
        const { agents } = await begin();
        const { agent } = await agents.create({ name: 'a', model: MODEL, prompt: 'one' });
        const asked = { prompt: 'two', key: new Sealed(KEY), idempotencyKey: 'once' };
        const first = await agents.update(agent.id, asked);
        await agents.update(agent.id, { prompt: 'three' });
        const again = await agents.update(agent.id, asked);

        expect([first.replayed, again.replayed]).toEqual([false, true]);
        expect(again.agent.revision).toMatchObject({ number: 3, prompt: 'three' });
        await expect(agents.update(agent.id, { ...asked, prompt: 'four' })).rejects.toMatchObject({
          code: 'IDEMPOTENCY_CONFLICT',
        });
      });

      it('remembers a key also when nothing differed, and many of them', async () => {
        const { agents } = await begin();
        const { agent } = await agents.create({ name: 'a', model: 'rehearsal/echo', prompt: 'one' });
        const same = { prompt: 'one', idempotencyKey: 'same' };
        expect((await agents.update(agent.id, same)).replayed).toBe(true);
        await agents.update(agent.id, { prompt: 'two' });
        for (let count = 0; count < 20; count += 1)
          await agents.update(agent.id, { limits: { turns: count + 1 }, idempotencyKey: `n ${count}` });

        expect((await agents.update(agent.id, same)).agent.revision.prompt).toBe('two');
        const back = await agents.update(agent.id, { limits: { turns: 1 }, idempotencyKey: 'n 0' });
        expect([back.agent.limits, back.replayed]).toEqual([{ turns: 20 }, true]);
      });
    });

    describe('credentials', () => {
      const wanted = { provider: 'anthropic', key: new Sealed(KEY), name: 'mine', idempotencyKey: 'once' };

      it('proves REPLAY-1: created once, also when they were renamed, rotated or deleted since', async () => {
        const { credentials } = await begin();
        const { credential } = await credentials.create(wanted);
        await credentials.update(credential.id, { name: 'renamed', key: new Sealed(`${KEY}-2`) });
        expect(await credentials.create({ ...wanted, isDefault: false })).toMatchObject({
          credential: { id: credential.id, name: 'renamed' },
          replayed: true,
        });
        await credentials.delete(credential.id);
        const again = await credentials.create(wanted);

        expect(again).toMatchObject({
          credential: { id: credential.id, isDefault: false },
          replayed: true,
        });
        expect(await credentials.has(credential.id)).toBe(false);
        expect(await credentials.open(credential.id)).toBeUndefined();
        expect(await credentials.defaultOf('anthropic')).toBeUndefined();
        expect(await credentials.list({ limit: 9 })).toEqual([]);
        await expect(credentials.delete(credential.id)).rejects.toMatchObject({
          code: 'CREDENTIAL_NOT_FOUND',
        });
        await expect(credentials.create({ ...wanted, name: 'other' })).rejects.toMatchObject({
          code: 'IDEMPOTENCY_CONFLICT',
        });
      });

      it('know a record of a version that hashed requests by the places of their fields', async () => {
        const { credentials, store } = await begin();
        const id = derivedId('credential', 'once');
        await store.credentials.create({
          ...{ id, provider: 'anthropic', last4: 'cdef', isDefault: true, createdAt: 1, rotatedAt: 1 },
          ...{ requestHash: requestHash(['anthropic', KEY, 'mine', undefined]), secret: 's' },
        });

        expect((await credentials.create(wanted)).replayed).toBe(true);
      });

      it('know what versions did that hashed the key itself', async () => {
        const { credentials, agents, store } = await begin();
        const asked = { provider: 'anthropic', key: KEY, name: 'mine' };
        const change = { key: new Sealed(`${KEY}-2`), idempotencyKey: 'change' };
        const requests = remembered(undefined, 'change', requestHash({ key: `${KEY}-2` }));
        const id = derivedId('credential', 'once');
        await store.credentials.create({
          ...{ id, provider: 'anthropic', last4: 'cdef', isDefault: true, createdAt: 1, rotatedAt: 1 },
          ...{ requestHash: requestHash(asked), secret: 's' },
        });
        await store.credentials.update(id, (before) => ({ ...before, requests }));
        const agent = { name: 'then', model: MODEL, prompt: 'p' };
        const { agent: made } = await agents.create({ ...agent, idempotencyKey: 'agent' });
        const hash = requestHash({ key: `${KEY}-2` });
        const was = {
          ...made,
          updatedAt: made.updatedAt + 1,
          requests: remembered(undefined, 'change', hash),
        };
        await store.agents.update(was, made.updatedAt);

        expect((await credentials.create(wanted)).replayed).toBe(true);
        expect((await credentials.update(id, change)).replayed).toBe(true);
        expect((await agents.update(made.id, change)).replayed).toBe(true);
      });

      it('proves FINGERPRINT-1: and agents keep nothing of a key that it could be tried against', async () => {
        const { credentials, agents, store } = await begin();
        const key = new Sealed(KEY);
        const { credential } = await credentials.create(wanted);
        await credentials.update(credential.id, { key, idempotencyKey: 'change' });
        const asked = { name: 'a', model: MODEL, prompt: 'p', key, idempotencyKey: 'agent' };
        const { agent } = await agents.create(asked);
        await agents.update(agent.id, { key, idempotencyKey: 'change' });

        const kept = JSON.stringify([
          await store.credentials.made(credential.id),
          await store.agents.get(agent.id),
        ]);
        const { idempotencyKey: _, ...definition } = asked;
        const guesses = [{ provider: 'anthropic', name: 'mine' }, {}, definition];
        for (const one of guesses) expect(kept).not.toContain(requestHash({ ...one, key: KEY }));
        expect((await credentials.create(wanted)).replayed).toBe(true);
        const again = await credentials.update(credential.id, { key, idempotencyKey: 'change' });
        expect(again.replayed).toBe(true);
        expect((await agents.create(asked)).replayed).toBe(true);
        expect((await agents.update(agent.id, { key, idempotencyKey: 'change' })).replayed).toBe(true);
      });

      it('proves REPLAY-1: changed with a key do not lose what was changed since, also when they are gone', async () => {
        const { credentials } = await begin();
        const { credential } = await credentials.create(wanted);
        const change = { name: 'second', key: new Sealed(`${KEY}-2`), idempotencyKey: 'change' };
        expect((await credentials.update(credential.id, change)).replayed).toBe(false);
        await credentials.update(credential.id, { name: 'third', key: new Sealed(`${KEY}-3`) });

        expect(await credentials.update(credential.id, change)).toMatchObject({
          credential: { name: 'third' },
          replayed: true,
        });
        expect((await credentials.open(credential.id))?.open()).toBe(`${KEY}-3`);
        await expect(credentials.update(credential.id, { ...change, name: 'other' })).rejects.toMatchObject({
          code: 'IDEMPOTENCY_CONFLICT',
        });
        await credentials.delete(credential.id);
        expect((await credentials.update(credential.id, change)).replayed).toBe(true);
        await expect(
          credentials.update(credential.id, { ...change, idempotencyKey: 'new' }),
        ).rejects.toMatchObject({ code: 'CREDENTIAL_NOT_FOUND' });
        await expect(credentials.update(newId('credential'), change)).rejects.toMatchObject({
          code: 'CREDENTIAL_NOT_FOUND',
        });
      });

      it('that an agent was to have, and that were deleted since, are made anew for it', async () => {
        const { credentials, agents, store } = await begin();
        const asked = { name: 'a', model: MODEL, prompt: 'p', key: new Sealed(KEY), idempotencyKey: 'once' };
        const cut = { ...store.agents, byName: async () => undefined, get: async () => undefined };
        const crashing = new Agents({
          agents: { ...cut, create: () => Promise.reject(new Error('the server dies')) },
          credentials,
          clock: systemClock,
        });
        await expect(crashing.create(asked)).rejects.toThrow('dies');
        const [orphan] = await credentials.list({ limit: 9 });
        await credentials.delete(must(orphan, 'it was left behind').id);
        const { agent } = await agents.create(asked);

        expect(agent.credentialId).not.toBe(orphan?.id);
        const own = must(agent.credentialId, 'it has a key of its own');
        expect((await credentials.open(own))?.open()).toBe(KEY);
      });
    });
  });
}
