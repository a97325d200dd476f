/** What every Journal must keep at its ends: JOURNAL-5 (the same append again), JOURNAL-6 (a full log), large bodies, a new start. */
import { describe, expect, it } from 'vitest';
import { parseBody } from '../../src/journal/codec.ts';
import { LogFull } from '../../src/journal/faults.ts';
import { BODY_INLINE_BYTES_MAX } from '../../src/kernel/limit.ts';
import { TurnOver } from '../../src/sessions/faults.ts';
import { appending, nothing, originOf, spoken } from '../support/session-log.ts';
import { type JournalPlatform, journals } from './journal.ts';

export function journalEndsContract(platform: JournalPlatform): void {
  describe(`the journal contract at its ends on ${platform.name}`, () => {
    const { begin } = journals(platform);

    it('JOURNAL-5 answers a repeated key with the first seqs, also after the epoch and the record have moved on', async () => {
      const { journal, id } = await begin();
      const refusing = () => ({ kind: 'refuse', fault: new TurnOver() }) as const;
      await journal.append(id, { decide: appending(spoken('before')) });
      await journal.append(id, { key: 'step', epoch: 0, decide: appending(spoken('a'), spoken('b')) });
      await journal.append(id, {
        decide: appending({
          type: 'brain.started',
          actor: { kind: 'system' },
          body: { epoch: 1, owner: 'other' },
        }),
      });

      const again = await journal.append(id, { key: 'step', epoch: 0, decide: refusing });

      expect(again).toMatchObject({ firstSeq: 2, lastSeq: 3, replayed: true, state: { epoch: 1 } });
      expect(await journal.head(id)).toBe(4);
    });

    it('JOURNAL-5 writes once when the same key arrives many times at once; a refused key may be used again', async () => {
      const { journal, sessions, id } = await begin();
      const other = (await sessions.create(originOf(), nothing)).session.id;
      const fault = new TurnOver();
      await expect(journal.append(id, { key: 'k', decide: () => ({ kind: 'refuse', fault }) })).rejects.toBe(
        fault,
      );

      const all = await Promise.all(
        Array.from({ length: 10 }, () => journal.append(id, { key: 'k', decide: appending(spoken('once')) })),
      );
      const elsewhere = await journal.append(other, {
        key: 'k',
        decide: appending(spoken('another session')),
      });

      expect(all.map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq])).toEqual(
        Array.from({ length: 10 }, () => [1, 1]),
      );
      expect(all.filter(({ replayed }) => !replayed)).toHaveLength(1);
      expect(elsewhere.replayed).toBe(false);
      expect(await journal.head(id)).toBe(1);
    });

    it('JOURNAL-6 ends a log at its number of events with log.limit_reached, and refuses from then on', async () => {
      const { journal, sessions, id } = await begin({ eventsMax: 4 });
      await journal.append(id, { decide: appending(spoken('1'), spoken('2'), spoken('3')) });

      await expect(journal.append(id, { key: 'k', decide: appending(spoken('4')) })).rejects.toBeInstanceOf(
        LogFull,
      );
      await expect(journal.append(id, { key: 'k', decide: appending(spoken('4')) })).rejects.toBeInstanceOf(
        LogFull,
      );

      const events = await journal.read(id, { after: 2, limit: 10 });
      expect(events.map(({ seq, type }) => [seq, type])).toEqual([
        [3, 'agent.message'],
        [4, 'log.limit_reached'],
      ]);
      expect(JSON.parse(events[1]?.body ?? '')).toEqual({ limit: 'events' });
      expect((await sessions.get(id))?.session.status).toBe('archived');
    });

    it('JOURNAL-6 ends a log at its bytes, counting whole bodies', async () => {
      const { journal, id } = await begin({ bytesMax: 100_000 });
      await journal.append(id, { decide: appending(spoken('x'.repeat(60_000))) });

      await expect(
        journal.append(id, { decide: appending(spoken('x'.repeat(50_000))) }),
      ).rejects.toBeInstanceOf(LogFull);

      expect(JSON.parse((await journal.readBody(id, 2)) ?? '')).toEqual({ limit: 'bytes' });
      expect(await journal.head(id)).toBe(2);
    });

    it('keeps a large body beside its event: a small preview of the same shape, and the whole on request', async () => {
      const { journal, id } = await begin();
      const input = {
        path: 'a.txt',
        lines: Array.from({ length: 5_000 }, (_, index) => `line ${index} é`),
        big: '𝄞'.repeat(9_000),
      };
      const body = { callId: 'c1', modelCallId: 'm1', toolUseId: 'u1', tool: 'write', input };
      await journal.append(id, {
        decide: appending({ type: 'tool.call', actor: { kind: 'agent' }, body }, spoken('small')),
      });

      const [spilled, small] = await journal.read(id, { after: 0, limit: 2 });

      const whole = JSON.stringify(body);
      expect(spilled?.spilledBytes).toBe(Buffer.byteLength(whole));
      expect(Buffer.byteLength(spilled?.body ?? '')).toBeLessThan(BODY_INLINE_BYTES_MAX);
      expect(parseBody('tool.call', JSON.parse(spilled?.body ?? ''))).toMatchObject({
        callId: 'c1',
        tool: 'write',
        input: { path: 'a.txt' },
      });
      expect(await journal.readBody(id, 1)).toBe(whole);
      expect(small?.spilledBytes).toBeUndefined();
      expect(await journal.readBody(id, 2)).toBe(small?.body);
      expect(await journal.readBody(id, 3)).toBeUndefined();
    });

    if (!platform.lasting) return;
    it('is the same after it was closed and opened again: events, keys, heads, full logs', async () => {
      const { journal, sessions, id, reopen } = await begin({ eventsMax: 4 });
      await journal.append(id, { key: 'k', decide: appending(spoken('a'), spoken('b'), spoken('c')) });
      await expect(journal.append(id, { decide: appending(spoken('d')) })).rejects.toBeInstanceOf(LogFull);
      const before = await journal.read(id, { after: 0, limit: 10 });
      const record = await sessions.get(id);

      const again = await reopen();

      expect(await again.journal.read(id, { after: 0, limit: 10 })).toEqual(before);
      expect(await again.sessions.get(id)).toEqual(record);
      expect(await again.journal.append(id, { key: 'k', decide: nothing })).toMatchObject({
        firstSeq: 1,
        lastSeq: 3,
        replayed: true,
      });
      await expect(again.journal.append(id, { decide: appending(spoken('e')) })).rejects.toBeInstanceOf(
        LogFull,
      );
      expect(await again.journal.head(id)).toBe(4);
    });
  });
}
