/** INBOX-4 on a store, or on several servers of one: whatever happens, and wherever a follower is cut off, its list is the truth in the end. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import type { OrganisationId, SessionId } from '../../src/kernel/id.ts';
import { systemScheduler } from '../../src/kernel/scheduler.ts';
import { Inbox } from '../../src/sessions/inbox.ts';
import { type InboxCursor, inboxCursorText, parseInboxCursor } from '../../src/sessions/inbox-cursor.ts';
import { InboxFollow } from '../../src/sessions/inbox-follow.ts';
import type { InboxStore } from '../../src/sessions/inbox-store.ts';
import { InboxWatch } from '../../src/sessions/inbox-watch.ts';
import { eventually } from '../support/eventually.ts';
import { InboxLife, type LifeStores, shown } from '../support/inbox-life.ts';
import { randomOf } from '../support/random.ts';

export type FollowedStore = LifeStores & { readonly inbox: InboxStore };

const SEEDS = [1, 2, 3];
const STEPS = 120;

/** A list as clients keep it. */
export class FollowedList {
  readonly bySession = new Map<SessionId, readonly string[]>();
  cursor: string | undefined;
  frames = 0;
  readonly #inbox: Inbox;
  #running: Promise<void> | undefined;
  #abort = new AbortController();

  constructor(store: FollowedStore, organisationId: OrganisationId) {
    const watch = new InboxWatch({ ...store, scheduler: systemScheduler });
    const organisation = { id: organisationId, isFirst: false };
    this.#inbox = new Inbox({ ...store, organisation, watch, clock: systemClock });
  }

  get shown(): Readonly<Record<string, readonly string[]>> {
    const filled = [...this.bySession].filter(([, requests]) => requests.length > 0);
    return Object.fromEntries(filled.toSorted(([one], [other]) => (one < other ? -1 : 1)));
  }

  /** From where it was cut off. */
  begin(): void {
    this.#abort = new AbortController();
    const after: InboxCursor | undefined =
      this.cursor === undefined ? undefined : parseInboxCursor(this.cursor);
    const follow = new InboxFollow({ inbox: this.#inbox, filter: {}, after, turn: () => Promise.resolve() });
    this.#running = this.#take(follow, this.#abort.signal).finally(() => follow.end());
  }

  async cut(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #take(follow: InboxFollow, signal: AbortSignal): Promise<void> {
    for (;;) {
      const frame = await follow.next(signal);
      if (frame === undefined || signal.aborted) return;
      this.frames += 1;
      this.cursor = inboxCursorText(frame.cursor);
      for (const { sessionId, requests } of frame.changes)
        this.bySession.set(
          sessionId,
          requests.map(({ wait }) => shown(wait)),
        );
    }
  }
}

export function inboxFollowContract(
  name: string,
  open: () => Promise<{
    readonly stores: readonly FollowedStore[];
    readonly organisationId: OrganisationId;
    close(): Promise<void>;
  }>,
): void {
  describe(`followers of an inbox on ${name}`, () => {
    it.each(SEEDS)(
      'proves INBOX-4: have the list as it is at every quiet point (seed %s)',
      async (seed) => {
        const chance = randomOf(seed);
        const { stores, organisationId, close } = await open();
        try {
          const life = new InboxLife(stores, chance, organisationId);
          const list = (): FollowedList =>
            new FollowedList(stores[chance.below(stores.length)] as FollowedStore, organisationId);
          for (let step = 0; step < 10; step += 1) await life.step();
          const lists = [list(), list()];
          for (const one of lists) one.begin();
          for (let step = 1; step <= STEPS; step += 1) {
            await life.step();
            const one = lists[chance.below(2)];
            if (chance.below(12) === 0) {
              await one?.cut();
              for (let missed = chance.below(6); missed > 0; missed -= 1) await life.step();
              one?.begin();
            }
            if (step % 30 > 0) continue;
            const truth = JSON.stringify(await life.truth());
            for (const each of lists)
              await eventually('the list is the truth', () => JSON.stringify(each.shown) === truth);
          }
          const late = list();
          late.begin();
          const truth = JSON.stringify(await life.truth());
          await eventually('a late list is the truth', () => JSON.stringify(late.shown) === truth);
          for (const one of [...lists, late]) await one.cut();
          expect(lists[0]?.frames).toBeGreaterThan(1);
        } finally {
          await close();
        }
      },
      60_000,
    );
  });
}
