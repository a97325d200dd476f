/** What every DueStore must keep: it shows for which sessions something is due, in order, as their records say it. */
import { afterEach, describe, expect, it } from 'vitest';
import { must } from '../../src/kernel/assert.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { DeletionStore } from '../../src/sessions/deletion-store.ts';
import { dueAt } from '../../src/sessions/due.ts';
import type { Due, DueStore } from '../../src/sessions/due-store.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import type { SessionJournal, SessionStore } from '../../src/sessions/session-store.ts';
import { DueSweep } from '../../src/supervisor/due-sweep.ts';
import { OURS } from '../support/organisation.ts';
import { ManualClock, originOf } from '../support/session-log.ts';

interface Opened {
  readonly due: DueStore;
  readonly sessions: SessionStore;
  readonly journal: SessionJournal;
  readonly deletions: DeletionStore;
  /** Where the platform is lasting. */
  reopen?(): Promise<Opened>;
  close(): Promise<void>;
}

export interface DuePlatform {
  readonly name: string;
  /** Whether what is stored is there when it is opened again. */
  readonly lasting: boolean;
  open(options: { readonly clock: ManualClock }): Promise<Opened>;
}

const ME = { kind: 'human' } as const;
const CLIENT_TOOLS = [
  { name: 'quick', timeoutSeconds: 10 },
  { name: 'slow', timeoutSeconds: 60 },
  { name: 'patient' },
];

export function dueStoreContract(platform: DuePlatform): void {
  describe(`the due store contract on ${platform.name}`, () => {
    const open: Opened[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin() {
      const clock = new ManualClock(1_000_000);
      const store = await platform.open({ clock });
      open.push(store);
      const { sessions, journal } = store;
      const tell = (id: SessionId, ...commands: readonly Command[]): Promise<unknown> =>
        commands.reduce<Promise<unknown>>(
          (before, command) =>
            before.then(() => journal.append(id, { decide: (session) => decide(session, command) })),
          Promise.resolve(),
        );
      /** A session whose turn waits for one call of each of these tools. */
      const waiting = async (...tools: readonly string[]): Promise<SessionId> => {
        const origin = originOf({ createdAt: clock.now(), clientTools: CLIENT_TOOLS });
        const send: Command = { kind: 'send', text: 'go', mode: 'steer', actor: ME };
        await sessions.create(origin, (session) => decide(session, send));
        await tell(origin.id, { kind: 'takeLease', owner: 'test' }, { kind: 'beginTurn' });
        const turnId = (await sessions.get(origin.id))?.session.turn?.id;
        const events = tools.map((tool) => ({
          type: 'tool.call' as const,
          actor: { kind: 'agent' as const },
          turnId,
          body: { callId: tool, modelCallId: 't1m1', toolUseId: tool, tool, input: {} },
        }));
        await tell(origin.id, { kind: 'record', events });
        return origin.id;
      };
      const sweepOf = ({ due, journal: log, sessions: records }: Opened): DueSweep =>
        new DueSweep({
          due,
          sessions: new SessionRuns({ journal: log, sessions: records }),
          clock,
          logger: silentLogger,
        });
      return { ...store, store, clock, waiting, tell, sweepOf };
    }
    const answer = (callId: string): Command => ({
      kind: 'resolveTool',
      callId,
      answer: { kind: 'answer', output: 'here' },
      actor: ME,
    });
    const NEVER = new AbortController().signal;

    it('shows what is due by a time, the first before, in pages', async () => {
      const { due, waiting, clock } = await begin();
      const later = await waiting('slow');
      const first = await waiting('slow', 'quick');
      clock.set(1_000_500);
      const second = await waiting('quick');
      await waiting('patient');

      expect(await due.due({ limit: 9, until: 1_009_999 })).toEqual([]);
      expect(await due.due({ limit: 9, until: 1_010_000 })).toEqual([{ id: first, dueAt: 1_010_000 }]);
      const page = await due.due({ limit: 2, until: 9_000_000 });
      expect(page.map(({ id }) => id)).toEqual([first, second]);
      const rest = await due.due({ limit: 2, until: 9_000_000, after: page.at(-1) });
      expect(rest).toEqual([{ id: later, dueAt: 1_060_000 }]);
    });

    it('has several that are due at one moment in an order of its own, each once', async () => {
      const { due, waiting } = await begin();
      const ids = [await waiting('quick'), await waiting('quick'), await waiting('quick')];

      const met: Due[] = [];
      for (;;) {
        const [next] = await due.due({ limit: 1, until: 1_010_000, after: met.at(-1) });
        if (next === undefined) break;
        met.push(next);
      }

      expect(met.map(({ id }) => id)).toEqual(ids.toSorted());
    });

    it('goes with the record: an answer, the end of the turn and a deletion leave nothing that is due', async () => {
      const { due, waiting, tell, deletions, sessions } = await begin();
      const [answered, canceled, deleted, half] = [
        await waiting('quick'),
        await waiting('quick'),
        await waiting('quick'),
        await waiting('quick', 'slow'),
      ];

      await tell(answered, answer('quick'));
      await tell(canceled, { kind: 'cancel', actor: ME });
      await deletions.begin({ id: deleted, organisationId: OURS.id, deletedAt: 1, deletedBy: ME });
      await tell(half, answer('quick'));

      expect(await due.due({ limit: 9, until: 9_000_000 })).toEqual([{ id: half, dueAt: 1_060_000 }]);
      const entry = await sessions.get(half);
      expect(entry && dueAt(entry.session)).toBe(1_060_000);
    });

    it('proves DUE-1: what is due is done once, by two sweeps at a time, and nothing before its time', async () => {
      const { store, waiting, clock, sweepOf, sessions, journal } = await begin();
      const ids = await Promise.all(Array.from({ length: 5 }, () => waiting('quick', 'patient')));
      const typesOf = async (id: SessionId) =>
        (await journal.read(id, { after: 0, limit: 99 })).map(({ type }) => type);
      clock.set(1_009_999);
      await sweepOf(store).round(NEVER);
      expect(await typesOf(ids[0] as SessionId)).not.toContain('tool.resolved');

      clock.set(1_010_000);
      await Promise.all([sweepOf(store).round(NEVER), sweepOf(store).round(NEVER)]);
      await sweepOf(store).round(NEVER);

      for (const id of ids) {
        const types = await typesOf(id);
        expect(types.slice(-2)).toEqual(['tool.resolved', 'tool.result']);
        expect(types.filter((type) => type === 'tool.resolved')).toHaveLength(1);
        const left = (await sessions.get(id))?.session.turn?.openTools;
        expect(
          left?.map(({ callId }) => callId),
          'who waits for as long as it takes',
        ).toEqual(['patient']);
      }
      expect(await store.due.due({ limit: 9, until: 9_000_000 })).toEqual([]);
    });

    it.skipIf(!platform.lasting)('is found again after the store was closed and opened', async () => {
      const { store, waiting, clock, sweepOf } = await begin();
      const id = await waiting('quick');
      const again = must(await store.reopen?.(), 'a lasting one is opened again');
      open[open.indexOf(store)] = again;

      clock.set(2_000_000);
      await sweepOf(again).round(NEVER);

      const entry = await again.sessions.get(id);
      expect(entry?.session).toMatchObject({ status: 'running', clientTools: CLIENT_TOOLS });
      expect(entry?.session.turn?.openTools).toBeUndefined();
    });
  });
}
