/** What every SessionStore must keep: records and turns beside their logs. */
import { afterEach, describe, expect, it } from 'vitest';
import { EVENTS } from '../../src/journal/event-catalog.ts';
import { type NewEvent } from '../../src/journal/event.ts';
import { isEventType } from '../../src/journal/codec.ts';
import { must } from '../../src/kernel/assert.ts';
import { newId, type SessionId, turnIdOf } from '../../src/kernel/id.ts';
import { TurnOver } from '../../src/sessions/faults.ts';
import { costOf } from '../../src/sessions/cost.ts';
import { fold, type FoldEvent } from '../../src/sessions/fold.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import { limitsInForce, newSession, type Session, type SessionOrigin } from '../../src/sessions/session.ts';
import { appending, ManualClock, nothing, originOf, spoken } from '../support/session-log.ts';
import type { JournalPlatform, OpenJournal } from './journal.ts';
import { sessionQueueContract, wantedOf } from './session-queue.ts';
import { OURS } from '../support/organisation.ts';
import type { SessionFilter, SessionPage } from '../../src/sessions/session-store.ts';

const HUMAN = { kind: 'human' } as const;
const AGENT = { kind: 'agent' } as const;
const HELLO: Command = { kind: 'send', text: 'hello', mode: 'steer', actor: HUMAN };

export function sessionStoreContract(platform: JournalPlatform): void {
  sessionQueueContract(platform);
  describe(`the session store contract on ${platform.name}`, () => {
    const open: OpenJournal[] = [];
    const clock = new ManualClock();
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin() {
      const store = await platform.open({ clock });
      open.push(store);
      const create = (given: Partial<SessionOrigin> = {}) => store.sessions.create(originOf(given), nothing);
      const command = (id: SessionId, ...commands: readonly Command[]) =>
        commands.reduce<Promise<unknown>>(
          (before, one) =>
            before.then(() => store.journal.append(id, { decide: (session) => decide(session, one) })),
          Promise.resolve(),
        );
      return { ...store, store, create, command };
    }

    it('creates a session with the first events of its log, and keeps all that it was started with', async () => {
      const { sessions, journal } = await begin();
      const origin = originOf({
        credentialId: newId('credential'),
        limits: { tokens: 5, turnSeconds: 60 },
        metadata: { team: 'é', deep: { list: [1, null] } },
        key: 'natural',
      });

      const created = await sessions.create(origin, (session) => decide(session, HELLO));

      expect(created).toMatchObject({ created: true, head: 1, session: { ...origin, status: 'queued' } });
      expect(await sessions.get(origin.id)).toEqual({ session: created.session, head: 1 });
      expect((await journal.read(origin.id, { after: 0, limit: 9 })).map(({ type }) => type)).toEqual([
        'user.message',
      ]);
      expect(await sessions.get(newId('session'))).toBeUndefined();
    });

    it('answers the session that is there when the id or the key is taken, and writes nothing', async () => {
      const { sessions, create } = await begin();
      const first = await create({ key: 'natural', requestHash: 'first' });

      const sameId = await sessions.create(
        { ...originOf(), id: first.session.id, requestHash: 'x' },
        appending(spoken('no')),
      );
      const sameKey = await sessions.create(
        originOf({ key: 'natural', requestHash: 'y' }),
        appending(spoken('no')),
      );

      expect(sameId).toEqual({ created: false, session: first.session, head: 0 });
      expect(sameKey).toEqual(sameId);
      expect(await sessions.list(OURS.id, {}, { limit: 10 })).toHaveLength(1);
    });

    it('creates one session when the same key arrives many times at once', async () => {
      const { create } = await begin();

      const all = await Promise.all(Array.from({ length: 10 }, () => create({ key: 'natural' })));

      expect(all.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(all.map(({ session }) => session.id)).size).toBe(1);
    });

    it('creates nothing when the first events are refused', async () => {
      const { sessions } = await begin();
      const origin = originOf();

      const refused = sessions.create(origin, () => ({ kind: 'refuse', fault: new TurnOver() }));

      await expect(refused).rejects.toBeInstanceOf(TurnOver);
      expect(await sessions.get(origin.id)).toBeUndefined();
      expect((await sessions.create(origin, nothing)).created).toBe(true);
    });

    it('lists newest first, page by page, also where many have the same time', async () => {
      const { sessions, create } = await begin();
      for (let index = 0; index < 25; index += 1) await create({ createdAt: 1_000 + Math.floor(index / 10) });

      const seen: Session[] = [];
      for (;;) {
        const last = seen.at(-1);
        const before = last === undefined ? undefined : { createdAt: last.createdAt, id: last.id };
        const page = await sessions.list(OURS.id, {}, { limit: 4, before });
        if (page.length === 0) break;
        seen.push(...page.map(({ session }) => session));
      }

      const places = seen.map(({ createdAt, id }) => `${createdAt} ${id}`);
      expect(new Set(places).size).toBe(25);
      expect(places).toEqual(places.toSorted().toReversed());
    });

    it('filters by status, agent and key, and tells each head', async () => {
      const { sessions, create, command } = await begin();
      const agentId = newId('agent');
      const a = (await create({ agentId, createdAt: 1 })).session.id;
      const b = (await create({ agentId, createdAt: 2, key: 'b' })).session.id;
      const c = (await create({ createdAt: 3 })).session.id;
      await command(a, HELLO);
      await command(c, HELLO, HELLO);
      const ids = async (filter: SessionFilter, page: SessionPage) =>
        (await sessions.list(OURS.id, filter, page)).map(({ session }) => session.id);

      expect(await ids({ status: 'queued' }, { limit: 9 })).toEqual([c, a]);
      expect(await ids({ agentId }, { limit: 9 })).toEqual([b, a]);
      expect(await ids({ agentId, status: 'queued' }, { limit: 9 })).toEqual([a]);
      expect(await ids({ key: 'b' }, { limit: 9 })).toEqual([b]);
      expect(await ids({ key: 'b', status: 'queued' }, { limit: 9 })).toEqual([]);
      expect(await ids({ status: 'queued' }, { limit: 9, before: { createdAt: 3, id: c } })).toEqual([a]);
      expect((await sessions.list(OURS.id, {}, { limit: 9 })).map(({ head }) => head)).toEqual([2, 0, 1]);
    });

    it('keeps every turn, newest first, the running one as of the last append', async () => {
      const { sessions, create, command } = await begin();
      const { id } = (await create()).session;
      for (let number = 1; number <= 3; number += 1) {
        await command(id, HELLO, { kind: 'beginTurn' }, { kind: 'completeTurn', outcome: 'canceled' });
      }
      await command(id, HELLO, { kind: 'beginTurn' }, HELLO);

      const turns = await sessions.turns(id, { limit: 10 });

      expect(turns.map(({ number, state }) => [number, state])).toEqual([
        [4, 'running'],
        [3, 'completed'],
        [2, 'completed'],
        [1, 'completed'],
      ]);
      expect(turns[0]).toEqual((await sessions.get(id))?.session.turn);
      expect(turns[0]?.inputToSeq).toBe(await sessions.get(id).then((entry) => entry?.head));
      expect((await sessions.turns(id, { limit: 1, before: 3 })).map(({ number }) => number)).toEqual([2]);
      expect(await sessions.turn(id, turnIdOf(id, 2))).toEqual(turns[2]);
      expect(await sessions.turn(id, turnIdOf(id, 4))).toEqual(turns[0]);
      expect(await sessions.turn(id, turnIdOf(id, 9))).toBeUndefined();
      expect(await sessions.turn(newId('session'), turnIdOf(id, 2))).toBeUndefined();
      expect(await sessions.turns(newId('session'), { limit: 1 })).toEqual([]);
    });

    it('adds what a call used to the turn that made it, however late it comes', async () => {
      const { sessions, create, command, store } = await begin();
      const { id } = (await create()).session;
      const used = (callId: string, outputTokens: number): Command => ({
        kind: 'meter',
        usage: {
          callId,
          model: 'm',
          inputTokens: 1,
          outputTokens,
          cacheCreationInputTokens: 0,
          cacheReadInputTokens: 0,
          complete: outputTokens !== 4,
        },
      });
      const turn: readonly Command[] = [
        HELLO,
        { kind: 'beginTurn' },
        { kind: 'completeTurn', outcome: 'canceled' },
      ];
      const outputs = async (from: typeof sessions) => {
        const turns = await from.turns(id, { limit: 9 });
        for (const one of turns) expect(await from.turn(id, one.id)).toEqual(one);
        return turns.map(({ usage }) => [usage.outputTokens, usage.complete]);
      };

      await command(id, ...turn, used('t1m1', 2), ...turn, used('t1m2', 4), used('t2m1', 8));
      const early = await outputs(sessions);
      // more than a store keeps at hand, so that the turns lie where they stay
      for (let count = 0; count < 40; count += 1) await command(id, HELLO, { kind: 'cancel', actor: HUMAN });
      await command(id, used('t1c3', 16), used('t2m2', 32), used('t42m1', 64), used('t99m1', 128));
      const late = async (from: typeof sessions) => {
        expect((await from.turn(id, turnIdOf(id, 1)))?.usage).toMatchObject({
          outputTokens: 22,
          inputTokens: 3,
          complete: false,
        });
        expect((await from.turn(id, turnIdOf(id, 2)))?.usage.outputTokens).toBe(40);
        expect(
          (await from.turns(id, { limit: 3, before: 4 })).map(({ usage }) => usage.outputTokens),
        ).toEqual([0, 40, 22]);
        // the last turn; and what names no turn of the session counts to the last one
        expect((await from.turn(id, turnIdOf(id, 42)))?.usage.outputTokens).toBe(192);
        expect((await from.get(id))?.session.usage.outputTokens).toBe(254);
      };

      expect(early).toEqual([
        [8, true],
        [6, false],
      ]);
      await late(sessions);
      // until the usage itself lies where it stays, and on the way there may be in two places
      for (let count = 0; count < 20; count += 1) {
        await command(id, HELLO);
        expect((await sessions.turn(id, turnIdOf(id, 1)))?.usage.outputTokens).toBe(22);
      }
      await late(sessions);
      if (!platform.lasting) return;
      const again = must(await store.reopen?.(), 'a lasting platform can be opened again');
      open.splice(open.indexOf(store), 1, again);
      await late(again.sessions);
    });

    it('adds late usage that lands together with what ends its turn', async () => {
      const { sessions, journal, create } = await begin();
      const { id } = (await create()).session;
      const usage = {
        callId: 't1m1',
        model: 'm',
        inputTokens: 1,
        outputTokens: 2,
        cacheCreationInputTokens: 0,
        cacheReadInputTokens: 0,
        complete: true,
      };
      const commands: readonly Command[] = [
        HELLO,
        { kind: 'beginTurn' },
        { kind: 'completeTurn', outcome: 'canceled' },
        HELLO,
        { kind: 'beginTurn' },
        { kind: 'meter', usage },
        { kind: 'meter', usage },
      ];

      await Promise.all(
        commands.map((one) => journal.append(id, { decide: (session) => decide(session, one) })),
      );

      const turns = await sessions.turns(id, { limit: 9 });
      expect(turns.map((turn) => turn.usage.outputTokens)).toEqual([0, 4]);
    });

    it('keeps what calls cost beside their tokens, of turns that are long over too', async () => {
      const { sessions, create, command, store } = await begin();
      const { id } = (await create({ limits: { costMicroUsd: 1_000 } })).session;
      const used = (callId: string, costMicroUsd?: number): Command => ({
        kind: 'meter',
        usage: {
          callId,
          model: 'm',
          inputTokens: 1,
          outputTokens: 1,
          cacheCreationInputTokens: 0,
          cacheReadInputTokens: 0,
          complete: true,
          ...(costMicroUsd === undefined
            ? {}
            : { costMicroUsd, price: { model: 'm', 'input.x': 0.000_001 } }),
        },
      });
      const turn: readonly Command[] = [
        HELLO,
        { kind: 'beginTurn' },
        { kind: 'completeTurn', outcome: 'canceled' },
      ];
      const most = Number.MAX_SAFE_INTEGER - 900;

      await command(id, ...turn, used('t1m1', 300), ...turn, used('t2m1', 500), used('t1m2'));
      await command(id, { kind: 'changeLimits', given: { costMicroUsd: most, turns: null }, actor: HUMAN });
      // more than a store keeps at hand, so that the turns lie where they stay
      for (let count = 0; count < 40; count += 1) await command(id, HELLO, { kind: 'cancel', actor: HUMAN });
      await command(id, used('t2m2', most));
      const check = async (from: typeof sessions) => {
        const first = (await from.turn(id, turnIdOf(id, 1)))?.usage;
        const second = (await from.turn(id, turnIdOf(id, 2)))?.usage;
        const session = must((await from.get(id))?.session, 'it was created');
        expect([first?.costMicroUsd, second?.costMicroUsd]).toEqual([300, most + 500]);
        expect([first, second].map((usage) => usage && costOf(usage))).toEqual([undefined, most + 500]);
        expect(session.usage).toMatchObject({ costMicroUsd: most + 800, pricedTokens: 6, inputTokens: 4 });
        expect(limitsInForce(session)).toEqual({ costMicroUsd: most });
        expect(session.limits).toEqual({ costMicroUsd: 1_000 });
      };

      await check(sessions);
      if (!platform.lasting) return;
      const again = must(await store.reopen?.(), 'a lasting platform can be opened again');
      open.splice(open.indexOf(store), 1, again);
      await check(again.sessions);
    });

    it('knows which sessions want a brain, the longest waiting first', async () => {
      const { sessions, create, command } = await begin();
      const start = clock.now();
      const ids: SessionId[] = [];
      for (let index = 0; index < 4; index += 1) ids.push((await create()).session.id);
      const [a, b, c, d] = ids as [SessionId, SessionId, SessionId, SessionId]; // four were made
      for (const [wait, id] of [
        [3, a],
        [1, b],
        [2, c],
      ] as const) {
        clock.set(start + wait * 1_000);
        await command(id, HELLO, { kind: 'takeLease', owner: id === a ? 'other' : 'owner' });
      }

      expect(await wantedOf(sessions, { limit: 9 })).toEqual([b, c, a]);
      expect(await wantedOf(sessions, { limit: 1 })).toEqual([b]);
      await command(b, { kind: 'cancel', actor: HUMAN }, { kind: 'hibernate' });
      await command(c, { kind: 'archive', actor: HUMAN });
      expect(await wantedOf(sessions, { limit: 9 })).toEqual([a]);
      expect((await sessions.get(d))?.session.lease).toBeUndefined();
    });

    it('leaves out those whom others look after, however many, and tells of leases that nobody has ended', async () => {
      const { sessions, create, command } = await begin();
      const start = clock.now();
      const ids: SessionId[] = [];
      for (let index = 0; index < 5; index += 1) ids.push((await create()).session.id);
      const [a, b, c, d, e] = ids as [SessionId, SessionId, SessionId, SessionId, SessionId]; // five were made
      for (const [wait, id] of [a, b, c, d].entries()) {
        clock.set(start + wait * 1_000);
        const owner = id === d ? 'mine' : 'others';
        await command(id, HELLO, ...(id === c ? [] : [{ kind: 'takeLease', owner } as const]));
      }
      await command(e, HELLO);
      await command(e, { kind: 'archive', actor: HUMAN });

      const free = { limit: 2, heldByNoneOf: ['others', 'nobody'] };
      expect(await wantedOf(sessions, free)).toEqual([c, d]);
      await command(d, { kind: 'cancel', actor: HUMAN });
      await command(c, { kind: 'cancel', actor: HUMAN });
      expect((await sessions.get(d))?.session.status).toBe('idle');
      expect(await wantedOf(sessions, free)).toEqual([d]);
      await command(d, { kind: 'releaseLease', owner: 'another' });
      expect(await wantedOf(sessions, free)).toEqual([d]);
      await command(d, { kind: 'releaseLease', owner: 'mine' });
      expect(await wantedOf(sessions, free)).toEqual([]);
      expect(await wantedOf(sessions, { limit: 9 })).toEqual([a, b]);
    });

    it('keeps a record that can be rebuilt from the log', async () => {
      const { journal, sessions, store, command } = await begin();
      const origin = originOf({ metadata: { a: 1 } });
      const { id } = (await sessions.create(origin, (session) => decide(session, HELLO))).session;
      await command(id, { kind: 'takeLease', owner: 'o' }, { kind: 'beginTurn' });
      const turnId = (await sessions.get(id))?.session.turn?.id;
      const usage = {
        callId: 'm1',
        model: 'm',
        inputTokens: 5,
        outputTokens: 7,
        cacheCreationInputTokens: 1,
        cacheReadInputTokens: 2,
        complete: true,
        costMicroUsd: 11,
      };
      const events: readonly NewEvent[] = [
        { type: 'model.started', actor: AGENT, turnId, body: { callId: 'm1', inputToSeq: 1 } },
        {
          type: 'model.retried',
          actor: AGENT,
          turnId,
          body: {
            callId: 'm1',
            attempt: 1,
            attemptMax: 3,
            waitMs: 9,
            code: 'overloaded_error',
            message: 'x',
          },
        },
        { type: 'model.usage', actor: { kind: 'system' }, turnId, body: usage },
        {
          type: 'tool.call',
          actor: AGENT,
          turnId,
          body: {
            callId: 't',
            modelCallId: 'm1',
            toolUseId: 'u',
            tool: 'write',
            input: { text: 'x'.repeat(40_000) },
          },
        },
        { type: 'model.completed', actor: AGENT, turnId, body: { callId: 'm1', stopReason: 'tool_use' } },
        {
          type: 'error.model',
          actor: AGENT,
          turnId,
          body: { code: 'bad', message: 'y'.repeat(40_000), retriable: false },
        },
      ];
      await command(
        id,
        { kind: 'record', events },
        { kind: 'changeLimits', given: { costMicroUsd: 12, turns: 9 }, actor: HUMAN },
        { kind: 'loseBrain', reason: 'killed', attemptMax: 3, retryInMs: 10 },
      );
      await command(id, { kind: 'takeLease', owner: 'p' }, HELLO, {
        kind: 'completeTurn',
        outcome: 'error',
        failure: { code: 'bad', message: 'y' },
      });

      let rebuilt = newSession(origin);
      for (const event of await journal.read(id, { after: 0, limit: 100 })) {
        const { type } = event;
        if (!isEventType(type)) throw new Error(`${type} is not one of ${Object.keys(EVENTS).join(', ')}`);
        const body = JSON.parse((await journal.readBody(id, event.seq)) ?? '');
        rebuilt = fold(rebuilt, { ...event, type, body } as FoldEvent); // as: they belong together
      }

      const stored = await sessions.get(id);
      expect(stored?.session).toEqual(rebuilt);
      expect(await sessions.turns(id, { limit: 9 })).toEqual([rebuilt.turn]);
      expect((await sessions.list(OURS.id, {}, { limit: 9 }))[0]).toEqual(stored);
      if (!platform.lasting) return;
      const again = must(await store.reopen?.(), 'a lasting platform can be opened again');
      open.splice(open.indexOf(store), 1, again);
      expect(await again.sessions.get(id)).toEqual(stored);
    });
  });
}
