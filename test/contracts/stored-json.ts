/** Every store gives back the text and JSON that it was given, whatever is in them, also to a process that comes later. */
import { afterEach, describe, expect, it } from 'vitest';
import type { NewEvent } from '../../src/journal/event.ts';
import { turnIdOf } from '../../src/kernel/id.ts';
import { wellFormedJson } from '../../src/kernel/well-formed.ts';
import { decide } from '../../src/sessions/lifecycle.ts';
import { ODD_TEXTS, oddJson, oddObject } from '../support/odd-json.ts';
import { randomOf } from '../support/random.ts';
import { appending, ManualClock, originOf } from '../support/session-log.ts';
import type { JournalPlatform, OpenJournal } from './journal.ts';
import { OURS } from '../support/organisation.ts';

const HUMAN = { kind: 'human' } as const;
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8] as const;

export function storedJsonContract(platform: JournalPlatform): void {
  describe(`what is stored on ${platform.name}`, () => {
    const open: OpenJournal[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    it.each(SEEDS)('comes back as it was given (seed %i)', async (seed) => {
      const random = randomOf(seed);
      const first = await platform.open({ clock: new ManualClock() });
      open.push(first);
      const text = (): string => random.pick(ODD_TEXTS).toWellFormed();
      const metadata = wellFormedJson(oddObject(random)) as Readonly<Record<string, unknown>>; // of an object, an object
      const origin = originOf({ metadata, key: `key ${text()}` });
      const raw = wellFormedJson(oddJson(random));
      await first.sessions.create(origin, (session) =>
        decide(session, {
          kind: 'send',
          text: text(),
          mode: 'steer',
          actor: { ...HUMAN, display: text() },
          raw,
        }),
      );
      const events = Array.from({ length: 20 }, (_, at) =>
        toolCall(`t${at}`, wellFormedJson(oddJson(random))),
      );
      const failed: NewEvent = {
        type: 'error.model',
        actor: { kind: 'system' },
        body: { code: 'X', message: ODD_TEXTS.join('|').toWellFormed(), retriable: false },
        turnId: turnIdOf(origin.id, 1),
      };
      const key = `append ${text()}`;
      await first.journal.append(origin.id, { key, decide: appending(...events, failed) });
      const again = await first.journal.append(origin.id, { key, decide: appending(failed) });
      const before = await first.sessions.get(origin.id);

      const later = first.reopen === undefined ? first : await first.reopen();
      if (later !== first) open.splice(0, 1, later);

      expect(again.replayed).toBe(true);
      const after = await later.sessions.get(origin.id);
      expect(after).toEqual(before);
      expect(after?.session.key).toBe(origin.key);
      expect(after?.session.failure?.message).toBe(failed.body.message);
      expect(JSON.stringify(after?.session.metadata)).toBe(JSON.stringify(metadata));
      const log = await later.journal.read(origin.id, { after: 0, limit: 100 });
      const said = JSON.parse(log[0]?.body ?? '');
      expect(JSON.stringify(said.raw)).toBe(JSON.stringify(raw));
      expect(log.slice(1).map(({ body }) => body)).toEqual(
        [...events, failed].map(({ body }) => JSON.stringify(body)),
      );
      const [found] = await later.sessions.list(OURS.id, { key: origin.key }, { limit: 9 });
      expect(found?.session.id).toBe(origin.id);
    });
  });
}

function toolCall(callId: string, input: unknown): NewEvent {
  return {
    type: 'tool.call',
    actor: { kind: 'agent' },
    body: { callId, modelCallId: 'm', toolUseId: 'u', tool: 'bash', input },
  };
}
