/** What every Journal must keep of looking through a log for what passes a filter (SCAN-1). */
import { describe, expect, it } from 'vitest';
import { EVENTS } from '../../src/journal/event-catalog.ts';
import { type EventFilter, passes } from '../../src/journal/event-filter.ts';
import type { NewEvent, RecordedEvent } from '../../src/journal/event.ts';
import { SessionNotFound } from '../../src/journal/faults.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import {
  APPEND_EVENTS_MAX,
  PAGE_BYTES_MAX,
  PAGE_EVENTS_MAX,
  SCAN_EVENTS_MAX,
} from '../../src/kernel/limit.ts';
import type { SessionJournal } from '../../src/sessions/session-store.ts';
import { randomOf } from '../support/random.ts';
import { appending, spoken } from '../support/session-log.ts';

interface Begun {
  readonly journal: SessionJournal;
  readonly id: SessionId;
}

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

export function journalScanContract(name: string, begin: () => Promise<Begun>): void {
  describe(`looking through a log on ${name}`, () => {
    it(`proves SCAN-1: finds what passes, wherever it begins and ends, and nothing else (SEED=${SEED})`, async () => {
      const random = randomOf(SEED);
      const { journal, id } = await begin();
      const turns = [newId('turn'), newId('turn')] as const;
      for (let written = 0; written < 400; ) {
        const events = Array.from({ length: 1 + random.below(12) }, (_, at): NewEvent => {
          const turnId = random.pick([...turns, undefined]);
          const level = random.pick(['user', 'progress', 'internal', undefined]);
          const text = random.below(9) === 0 ? 'x'.repeat(40_000) : `${written + at}`;
          return random.below(3) === 0
            ? { ...spoken(text), turnId, level }
            : {
                type: 'brain.started',
                actor: { kind: 'system' },
                body: { epoch: 1, owner: text.slice(0, 9) },
                turnId,
                level,
              };
        });
        await journal.append(id, { decide: appending(...events) });
        written += events.length;
      }
      const head = await journal.head(id);
      const all: RecordedEvent[] = [];
      while (all.length < head)
        all.push(...(await journal.read(id, { after: all.length, limit: PAGE_EVENTS_MAX })));

      for (let count = 0; count < 60; count += 1) {
        const filter: EventFilter = {
          level: random.pick([undefined, null, 'user', 'progress', 'internal'] as const),
          types: random.pick([
            undefined,
            ['agent.message'],
            ['brain.started', 'agent.message'],
            ['turn.started'],
            [],
          ]),
          turnId: random.pick([undefined, ...turns]),
          without: random.pick([undefined, ['brain.started'], ['agent.message', 'turn.started']]),
        };
        const [after, to, limit] = [
          random.below(head),
          1 + random.below(head + 5),
          1 + random.below(PAGE_EVENTS_MAX),
        ];
        const found: RecordedEvent[] = [];
        let seq = after;
        for (let pages = 0; seq < Math.min(head, to) && pages < head; pages += 1) {
          const page = await journal.scan(id, { after: seq, to, limit, filter });
          expect(page.seq).toBeGreaterThan(seq);
          expect(page.events.length).toBeLessThanOrEqual(limit);
          found.push(...page.events);
          seq = page.seq;
        }
        expect(found).toEqual(
          all.filter((event) => event.seq > after && event.seq <= to && passes(filter, event)),
        );
      }
    });

    it('SCAN-1 looks at so many events at a time and says how far it came; a page ends at its bytes', async () => {
      const { journal, id } = await begin();
      for (let left = SCAN_EVENTS_MAX + 100; left > 0; left -= APPEND_EVENTS_MAX) {
        const count = Math.min(left, APPEND_EVENTS_MAX);
        await journal.append(id, { decide: appending(...Array.from({ length: count }, () => spoken('a'))) });
      }
      const large = Array.from({ length: 60 }, () => ({
        ...spoken('x'.repeat(30_000)),
        level: 'user' as const,
      }));
      await journal.append(id, { decide: appending(...large) });
      const head = await journal.head(id);
      const none = { types: Object.keys(EVENTS).filter((type) => type !== 'agent.message') };

      const first = await journal.scan(id, { after: 0, to: head, limit: 1, filter: none });
      expect(first).toEqual({ events: [], seq: SCAN_EVENTS_MAX });
      const rest = await journal.scan(id, { after: first.seq, to: head, limit: 1, filter: none });
      expect(rest).toEqual({ events: [], seq: head });
      const page = await journal.scan(id, {
        after: head - 60,
        to: head,
        limit: 100,
        filter: { types: ['agent.message'] },
      });
      expect(page.events.reduce((sum, { body }) => sum + body.length, 0)).toBeLessThanOrEqual(PAGE_BYTES_MAX);
      expect(page.events.length).toBeGreaterThan(30);
      expect(page.seq).toBe(page.events.at(-1)?.seq);
    });

    it('SCAN-1 answers where it stands when there is nothing behind it, and knows which sessions there are', async () => {
      const { journal, id } = await begin();
      await journal.append(id, { decide: appending(spoken('a')) });
      const filter = { types: ['agent.message'] };

      expect(await journal.scan(id, { after: 1, to: 9, limit: 5, filter })).toEqual({ events: [], seq: 1 });
      expect(await journal.scan(id, { after: 7, to: 9, limit: 5, filter })).toEqual({ events: [], seq: 7 });
      await expect(
        journal.scan(newId('session'), { after: 0, to: 9, limit: 5, filter }),
      ).rejects.toBeInstanceOf(SessionNotFound);
    });
  });
}
