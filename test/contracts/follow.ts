/** FOLLOW-1 over every Journal: whatever readers, writers and hints do, a follower gets every event after its cursor once and in order. */
import { afterEach, describe, expect, it } from 'vitest';
import { follow } from '../../src/journal/follow.ts';
import { Live } from '../../src/journal/live.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { nothing, appending, originOf, spoken } from '../support/session-log.ts';
import { type Random, randomOf } from '../support/random.ts';
import { HINTS, type Hints, unreliable } from '../support/unreliable-hints.ts';
import { type JournalPlatform, journals } from './journal.ts';

/** Without hints this is how soon the next events are seen: small, so that the test is quick. */
const POLL_MS = 5;

export function followContract(platform: JournalPlatform): void {
  describe.each(HINTS)(`following on ${platform.name} with hints %s`, (hints) => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
    const { begin } = journals(platform);
    const lives: Live[] = [];
    afterEach(() => {
      for (const live of lives.splice(0)) live.close();
    });

    async function open(how: Hints, random: Random) {
      const { journal, sessions, id } = await begin();
      const live = new Live({ journal: unreliable(journal, how, random), pollMs: POLL_MS });
      lives.push(live);
      const other = (await sessions.create(originOf(), nothing)).session.id;
      const write = async (to: SessionId, count: number) => {
        const events = Array.from({ length: count }, (_, index) => spoken(`event ${index}`, newId('event')));
        return (await journal.append(to, { decide: appending(...events) })).lastSeq;
      };
      return { ports: { journal, live }, ids: [id, other], write };
    }

    // proves CHANNEL-1, LIVE-1 and FOLLOW-1
    it(`gives everybody everything once and in order, over random appends and readers (SEED=${seed})`, async () => {
      const random = randomOf(seed);
      const { ports, ids, write } = await open(hints, random);
      for (const id of ids) for (let burst = 0; burst < 4; burst += 1) await write(id, 1 + random.below(90));

      const all = ids.map(async (id) => {
        const bursts = Array.from({ length: 40 }, () => 1 + random.below(12));
        const until = bursts.reduce((sum, count) => sum + count, await ports.journal.head(id));
        const writing = (async () => {
          for (const count of bursts) {
            await write(id, count);
            if (random.below(3) === 0) await new Promise((resolve) => setTimeout(resolve, random.below(4)));
          }
        })();
        const readers = Array.from({ length: 8 }, async () => {
          const after = random.below(300);
          const seqs = await readOn(ports, id, { after, until, random });
          expect(seqs).toEqual(range(after + 1, until));
        });
        await Promise.all([writing, ...readers]);
      });

      await Promise.all(all);
    });

    it('goes on from every cursor of a log that grows meanwhile', async () => {
      const { ports, ids, write } = await open(hints, randomOf(seed));
      const [id] = ids as [SessionId, SessionId]; // the two that were made
      await write(id, 120);

      const readers = range(0, 120).map(async (after) => {
        const seqs: number[] = [];
        for await (const frame of follow(ports, { sessionId: id, after, deltas: true })) {
          if (frame.kind === 'events') seqs.push(...frame.events.map(({ seq }) => seq));
          if (seqs.at(-1) === 160) break;
        }
        expect(seqs).toEqual(range(after + 1, 160));
      });
      for (let burst = 0; burst < 20; burst += 1) await write(id, 2);

      await Promise.all(readers);
    });
  });
}

/** Follows from `after` to `until`, dropping out and coming back at its cursor as chance will; answers the seqs it got. */
async function readOn(
  ports: Parameters<typeof follow>[0],
  sessionId: SessionId,
  { after, until, random }: { after: number; until: number; random: Random },
): Promise<readonly number[]> {
  const seqs: number[] = [];
  let cursor = after;
  while (cursor < until) {
    let caughtUp = 0;
    const stop = new AbortController();
    const following = follow(ports, { sessionId, after: cursor, deltas: false }, stop.signal);
    const steps = 1 + random.below(6);
    for (let step = 0; step < steps && cursor < until; step += 1) {
      const { value: frame } = await following.next();
      if (frame === undefined) throw new Error('A follow ended by itself.');
      if (frame.kind === 'caughtUp') {
        expect(frame.seq).toBe(cursor);
        caughtUp += 1;
        expect(caughtUp).toBe(1);
      }
      if (frame.kind !== 'events') continue;
      expect(frame.head).toBeGreaterThanOrEqual(frame.events.at(-1)?.seq ?? Number.POSITIVE_INFINITY);
      seqs.push(...frame.events.map(({ seq }) => seq));
      cursor = seqs.at(-1) ?? cursor;
    }
    if (random.below(2) === 0) stop.abort();
    await following.return?.();
  }
  return seqs;
}

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}
