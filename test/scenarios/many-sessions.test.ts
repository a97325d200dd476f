/**
 * Many sessions on two processes that share one database: every follower gets its session whole, wherever it is appended to, and
 * what the processes hold does not grow with the sessions. The figures are printed for whoever measures; no time is judged.
 */
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { afterEach, expect, it } from 'vitest';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { BEAT_MS } from '../../src/supervisor/limit.ts';
import { Child } from '../bench/child.ts';
import { quantile } from '../bench/statistics.ts';
import { eventually } from '../support/eventually.ts';
import { mongoSuite } from '../support/mongo-suite.ts';
import type { Holding, MemberCommands, Received } from '../support/mongo-member.ts';

type Member = Child<MemberCommands>;

const MEMBER = join(import.meta.dirname, '../support/mongo-member.ts');
/** HOLDFAST_TEST_MANY_SESSIONS=10000 makes it larger where there is a real server. */
const SESSIONS = Number(process.env['HOLDFAST_TEST_MANY_SESSIONS'] ?? 1_000);
const SESSIONS_FEW = 10;
const IDLE_SESSIONS = 10_000;
const APPENDS_EACH = 2;
/** Of one process: the batches of the adapter, the live channel and the driver's own, together (docs/adr/0011-mongo-layout.md). */
const CONNECTIONS_MAX = 32;
/** Documents in one message. */
const INSERTS = 1_000;
/** What may fall into one look and not into the other: heartbeats, the end of a wait. */
const COMMANDS_APART_MAX = 6;
/** Of connections and timers: what the driver keeps a while after a moment with two questions at once. */
const APART_MAX = 4;
/** Ten thousand times a kilobyte would be seen; what garbage has not been collected yet is not. */
const RSS_APART_MIB_MAX = 48;
const MINUTES_5 = 300_000;

const running: Member[] = [];
afterEach(stopAll);

async function stopAll(): Promise<void> {
  await Promise.all(running.splice(0).map((member) => member.stop()));
}

async function start(uri: string): Promise<Member> {
  const member = await Child.start<MemberCommands>(MEMBER, [uri]);
  running.push(member);
  await eventually('it hears the others', () => member.ask('isHearing'));
  return member;
}

await mongoSuite('many sessions', (server) => {
  it(
    'on two processes reach every follower whole and in order, and cost no connection each',
    async () => {
      const uri = server.uri();
      const [a, b] = [await start(uri), await start(uri)];
      const few = await exchange(a, b, await a.ask('create', SESSIONS_FEW));
      await a.ask('create', 1);
      const many = await exchange(a, b, await copies(uri, SESSIONS));

      say(told(server.name, SESSIONS, many));
      for (const { received, sessions } of [few, many].flatMap(({ sides }) => sides)) {
        expect(received.disorder).toEqual([]);
        expect(received.complete).toBe(sessions);
      }
      for (const { held } of many.sides) expect(held.connections).toBeLessThanOrEqual(CONNECTIONS_MAX);
    },
    MINUTES_5,
  );

  it(
    'that are idle cost no connection, no cursor, no timer and no question each',
    async () => {
      const uri = server.uri();
      const followed = await (await start(uri)).ask('create', SESSIONS_FEW);
      await stopAll();
      const few = await idle(uri, followed);
      await copies(uri, IDLE_SESSIONS - SESSIONS_FEW);
      const many = await idle(uri, followed);

      say(
        `idle on ${server.name}, ${SESSIONS_FEW} followed: of ${SESSIONS_FEW} sessions ${brief(few)}; ` +
          `of ${IDLE_SESSIONS.toLocaleString('en')} ${brief(many)}`,
      );
      expect(many.held.connections).toBeLessThanOrEqual(few.held.connections + APART_MAX);
      expect(many.held.cursors).toBe(few.held.cursors);
      expect(many.held.timers).toBeLessThanOrEqual(few.held.timers + APART_MAX);
      expect(many.asked - many.heard).toBeLessThanOrEqual(few.asked - few.heard + COMMANDS_APART_MAX);
      // SecantusDB answers a change stream's question at any write of anybody, mongod only at its own
      if (server.isMongod) expect(many.heard).toBeLessThanOrEqual(few.heard + COMMANDS_APART_MAX);
      expect(many.held.rssMib).toBeLessThan(few.held.rssMib + RSS_APART_MIB_MAX);
    },
    MINUTES_5,
  );
});

interface Exchange {
  readonly seconds: number;
  readonly latenciesMs: readonly number[];
  readonly commands: Readonly<Record<string, number>>;
  readonly sides: readonly {
    readonly received: Received;
    readonly held: Holding;
    readonly sessions: number;
    readonly cpuMs: number;
  }[];
}

/** Each process appends to half of the sessions and follows the half that the other appends to. */
async function exchange(a: Member, b: Member, ids: readonly SessionId[]): Promise<Exchange> {
  const halves = [ids.slice(0, ids.length / 2), ids.slice(ids.length / 2)] as const;
  await Promise.all([a.ask('follow', halves[1]), b.ask('follow', halves[0])]);
  const before = await Promise.all([a.ask('holding'), b.ask('holding')]);
  const complete = await Promise.all([a.ask('received', APPENDS_EACH), b.ask('received', APPENDS_EACH)]);
  const seconds = await Promise.all([
    a.ask('append', { ids: halves[0], each: APPENDS_EACH }),
    b.ask('append', { ids: halves[1], each: APPENDS_EACH }),
  ]);
  const sides = await Promise.all(
    [a, b].map(async (member, index) => {
      const followers = halves[index === 0 ? 1 : 0].length;
      const wanted = (complete[index]?.complete ?? 0) + followers;
      await eventually(
        'every follower has all',
        async () => {
          const { complete: now, disorder } = await member.ask('received', APPENDS_EACH);
          return now === wanted || disorder.length > 0;
        },
        MINUTES_5,
      );
      const received = await member.ask('received', APPENDS_EACH);
      const held = await member.ask('holding');
      return { received, held, sessions: wanted, cpuMs: held.cpuMs - (before[index]?.cpuMs ?? 0) };
    }),
  );
  const latenciesMs = (await Promise.all([a.ask('latenciesMs'), b.ask('latenciesMs')])).flat();
  const commands = sumOf(
    sides.map(({ held }, index) => difference(held.commands, before[index]?.commands ?? {})),
  );
  return { seconds: Math.max(...seconds), latenciesMs, commands, sides };
}

interface Idle {
  readonly held: Holding;
  /** Commands between one heartbeat and the next. */
  readonly asked: number;
  /** Those of them that wait at the change stream. */
  readonly heard: number;
}

/** A process alone, which follows some sessions to which nobody appends. */
async function idle(uri: string, followed: readonly SessionId[]): Promise<Idle> {
  const member = await start(uri);
  await member.ask('follow', followed);
  const first = await nextHeartbeat(member);
  const held = await nextHeartbeat(member);
  await stopAll();
  const commands = difference(held.commands, first.commands);
  const asked = Object.values(commands).reduce((sum, count) => sum + count, 0);
  return { held, asked, heard: commands['getMore live'] ?? 0 };
}

async function nextHeartbeat(member: Member): Promise<Holding> {
  const before = heartbeatsIn(await member.ask('holding'));
  return eventually('a heartbeat', async () => {
    const held = await member.ask('holding');
    return heartbeatsIn(held) > before && held;
  });
}

function heartbeatsIn({ commands }: Holding): number {
  return commands['update owner'] ?? 0;
}

/** Copies of one that a store has made: the same documents in a second instead of a minute. */
async function copies(uri: string, count: number): Promise<readonly SessionId[]> {
  await using client = new MongoClient(uri);
  const sessions = client.db().collection<{ _id: string; head: number }>('session');
  const pattern = await sessions.findOne({ head: 0 });
  if (pattern === null) throw new Error('There is no empty session to copy.');
  const ids = Array.from({ length: count }, () => newId('session'));
  for (let from = 0; from < count; from += INSERTS)
    await sessions.insertMany(ids.slice(from, from + INSERTS).map((_id) => ({ ...pattern, _id })));
  return ids;
}

function sumOf(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const [name, count] of counts.flatMap((one) => Object.entries(one)))
    sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

function difference(
  after: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Record<string, number> {
  const changes = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)] as const);
  return Object.fromEntries(changes.filter(([, count]) => count > 0));
}

function told(server: string, sessions: number, { seconds, latenciesMs, commands, sides }: Exchange): string {
  const appends = sessions * APPENDS_EACH;
  const sorted = latenciesMs.toSorted((x, y) => x - y);
  const perAppend = Object.entries(commands).map(
    ([name, count]) => `${name} ${(count / appends).toFixed(3)}`,
  );
  const held = sides.map(
    ({ held: now, cpuMs }) =>
      `${now.connections} connections, ${now.cursors} cursors, ${now.timers} timers, RSS ${now.rssMib} MiB, ` +
      `CPU ${((cpuMs * 1_000) / appends).toFixed(0)} µs per append`,
  );
  return (
    `${sessions.toLocaleString('en')} sessions and followers on two processes, ${server}: ` +
    `${Math.round(appends / seconds).toLocaleString('en')} appends/s, append to the other process's follower ` +
    `p50 ${quantile(sorted, 0.5).toFixed(0)} ms, p99 ${quantile(sorted, 0.99).toFixed(0)} ms (all sessions at once)\n` +
    `  commands per append: ${perAppend.join(', ')}\n  one: ${held[0]}\n  other: ${held[1]}`
  );
}

function brief({ held, asked, heard }: Idle): string {
  const { connections, cursors, timers, rssMib } = held;
  return (
    `${connections} connections, ${cursors} cursors, ${timers} timers, RSS ${rssMib} MiB, ` +
    `${asked} commands in ${BEAT_MS / 1_000} s, ${heard} of them at the change stream`
  );
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
