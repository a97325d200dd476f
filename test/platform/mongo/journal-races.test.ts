/** Two servers' worth of stores on one database: what only happens when somebody else writes, and when logs grow past their documents. */
import { afterEach, describe, expect, it } from 'vitest';
import { EpochStale } from '../../../src/journal/faults.ts';
import { turnIdOf } from '../../../src/kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../../../src/kernel/limit.ts';
import { type MongoStore, openMongo } from '../../../src/platform/mongo/store.ts';
import { TurnOver } from '../../../src/sessions/faults.ts';
import { decide, type Command } from '../../../src/sessions/lifecycle.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { randomOf } from '../../support/random.ts';
import { appending, nothing, originOf, spoken } from '../../support/session-log.ts';
import { OURS } from '../../support/organisation.ts';

/** Appends that one document surely does not hold any more (tail.ts). */
const MANY = 50;

await mongoSuite('two servers on one database', (server) => {
  const open: MongoStore[] = [];
  afterEach(async () => {
    for (const store of open.splice(0)) await store.close();
  });

  async function two() {
    const uri = server.uri();
    const one = await openMongo({ uri });
    const other = await openMongo({ uri });
    open.push(one, other);
    const { session } = await one.sessions.create(originOf(), nothing);
    return { one, other, id: session.id };
  }

  describe('the log', () => {
    const random = randomOf(Number(process.env['SEED'] ?? Date.now() % 1_000_000_000));
    it(`JOURNAL-1 JOURNAL-5 WRITER-1 stays dense and has each key once when both append at once, and answers each append with its own events (SEED=${random.seed})`, async () => {
      const { one, other, id } = await two();
      const answers = new Map<string, Set<string>>();
      const told: { text: string; firstSeq: number }[] = [];

      const writer = async (store: MongoStore, name: string): Promise<void> => {
        for (let step = 0; step < MANY; step += 1) {
          const key = random.below(2) === 0 ? `k${step}` : undefined; // the other one uses the same keys
          const text = key ?? `${name}${step}`;
          const { firstSeq, lastSeq } = await store.journal.append(id, {
            key,
            decide: appending(spoken(text), spoken('end')),
          });
          if (key !== undefined)
            answers.set(key, (answers.get(key) ?? new Set()).add(`${firstSeq}-${lastSeq}`));
          told.push({ text, firstSeq });
        }
      };
      await Promise.all([writer(one, 'a'), writer(one, 'b'), writer(other, 'c'), writer(other, 'd')]);

      const texts = (await wholeLog(other, id)).map(({ body }) => JSON.parse(body).text);
      for (const { text, firstSeq } of told) expect(texts[firstSeq - 1]).toBe(text);
      for (const [key, places] of answers) {
        expect([...places], `places of ${key}`).toHaveLength(1);
        expect(texts.filter((text) => text === key)).toHaveLength(1);
      }
      expect(await wholeLog(one, id)).toEqual(await wholeLog(other, id));
    });

    it('JOURNAL-5 knows a key long after, also where its append is not in the session’s document any more', async () => {
      const { one, other, id } = await two();
      await one.journal.append(id, { key: 'early', decide: appending(spoken('early')) });
      for (let step = 0; step < MANY; step += 1)
        await one.journal.append(id, { decide: appending(spoken(`${step}`)) });

      const again = await other.journal.append(id, { key: 'early', decide: appending(spoken('again')) });

      expect(again).toMatchObject({ firstSeq: 1, lastSeq: 1, replayed: true });
      expect(await one.journal.head(id)).toBe(MANY + 1);
    });

    it('is read whole from any place in it, whatever lies where', async () => {
      const { one, other, id } = await two();
      for (let step = 0; step < MANY; step += 1) {
        await one.journal.append(id, {
          decide: appending(...Array.from({ length: 1 + (step % 4) }, () => spoken(`${step}`))),
        });
      }
      const head = await other.journal.head(id);
      const whole = await wholeLog(other, id);

      for (let after = 0; after <= head; after += 7) {
        for (const limit of [1, 3, 20]) {
          const page = await other.journal.read(id, { after, limit });
          expect(page).toEqual(whole.slice(after, after + limit));
        }
      }
      expect(await other.journal.readBody(id, 3)).toBe(whole[2]?.body);
    });
  });

  describe('what one server has in mind', () => {
    it('refuses nothing because of a record that has moved on elsewhere (WRITER-1)', async () => {
      const { one, other, id } = await two();
      const whenIdle: Command = { kind: 'send', text: 'hello', mode: 'steer', actor: { kind: 'human' } };
      await one.journal.append(id, { decide: nothing }); // it knows the session now, as idle
      await other.journal.append(id, { decide: (session) => decide(session, whenIdle) });

      const { state } = await one.journal.append(id, {
        decide: (session) => {
          if (session.status === 'idle') return { kind: 'refuse', fault: new TurnOver() };
          return { kind: 'nothing' };
        },
      });

      expect(state.status).toBe('queued');
    });

    it('JOURNAL-4 does not take a lease that has been replaced elsewhere for its own', async () => {
      const { one, other, id } = await two();
      const lease = (epoch: number) =>
        appending({ type: 'brain.started', actor: { kind: 'system' }, body: { epoch, owner: 'owner' } });
      await one.journal.append(id, { decide: lease(1) });
      await other.journal.append(id, { decide: lease(2) });

      await expect(
        one.journal.append(id, { epoch: 1, decide: appending(spoken('late')) }),
      ).rejects.toBeInstanceOf(EpochStale);
      await expect(
        one.journal.append(id, { epoch: 2, decide: appending(spoken('new')) }),
      ).resolves.toMatchObject({ lastSeq: 3 });
    });

    it('is not what it reads: records, heads and lists are as the other server left them', async () => {
      const { one, other, id } = await two();
      await one.journal.append(id, { decide: appending(spoken('a')) });

      await other.journal.append(id, {
        decide: (session) =>
          decide(session, { kind: 'send', text: 'x', mode: 'steer', actor: { kind: 'human' } }),
      });

      expect(await one.sessions.get(id)).toEqual(await other.sessions.get(id));
      expect(await one.journal.head(id)).toBe(2);
      expect(
        (await one.sessions.list(OURS.id, { status: 'queued' }, { limit: 5 })).map(
          ({ session }) => session.id,
        ),
      ).toEqual([id]);
      expect((await one.sessions.wanted({ limit: 5 })).sessionIds).toEqual([id]);
    });
  });

  it('keeps every turn of a session that has had many', async () => {
    const { one, other, id } = await two();
    const turns = 25;
    const apply = (command: Command) =>
      one.journal.append(id, { decide: (session) => decide(session, command) });
    for (let number = 1; number <= turns; number += 1) {
      await apply({ kind: 'send', text: `${number}`, mode: 'queue', actor: { kind: 'human' } });
      await apply({ kind: 'beginTurn' });
      await apply({ kind: 'completeTurn', outcome: 'canceled' });
    }

    const listed = await other.sessions.turns(id, { limit: 100 });

    expect(listed.map(({ number, state }) => [number, state])).toEqual(
      Array.from({ length: turns }, (_, index) => [turns - index, 'completed']),
    );
    expect(await other.sessions.turns(id, { limit: 2, before: 10 })).toEqual(listed.slice(16, 18));
    expect(await other.sessions.turn(id, turnIdOf(id, 3))).toEqual(listed[turns - 3]);
    const stranger = (await one.sessions.create(originOf(), nothing)).session.id;
    expect(await other.sessions.turn(stranger, turnIdOf(id, 3))).toBeUndefined();
  });
});

async function wholeLog({ journal }: MongoStore, id: Parameters<MongoStore['journal']['head']>[0]) {
  const head = await journal.head(id);
  const events = [];
  while (events.length < head) {
    const page = await journal.read(id, { after: events.length, limit: PAGE_EVENTS_MAX });
    expect(page[0]?.seq).toBe(events.length + 1);
    events.push(...page);
  }
  expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: head }, (_, index) => index + 1));
  return events;
}
