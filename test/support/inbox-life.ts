/** Sessions that ask, are answered, claimed and deleted at random, and what their inbox is then: the truth that followers are compared with. */
import type { NewEvent } from '../../src/journal/event.ts';
import type { OrganisationId, SessionId } from '../../src/kernel/id.ts';
import type { DeletionStore } from '../../src/sessions/deletion-store.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import type { SessionJournal, SessionStore } from '../../src/sessions/session-store.ts';
import { waitsOf } from '../../src/sessions/waits.ts';
import type { Random } from './random.ts';
import { nothing, originOf } from './session-log.ts';
import { called, requested } from './waiting.ts';

const ACTORS = ['key_ann', 'key_bob'].map((id) => ({ kind: 'human' as const, id }));

export interface LifeStores {
  readonly journal: SessionJournal;
  readonly sessions: SessionStore;
  readonly deletions: DeletionStore;
}

export class InboxLife {
  readonly #stores: readonly LifeStores[];
  readonly #random: Random;
  readonly #organisationId: OrganisationId;
  readonly ids: SessionId[] = [];
  #calls = 0;

  /** Of one database: each step is done by one of the servers. */
  constructor(stores: readonly LifeStores[], random: Random, organisationId: OrganisationId) {
    this.#stores = stores;
    this.#random = random;
    this.#organisationId = organisationId;
  }

  async step(): Promise<void> {
    const { journal, sessions, deletions } = this.#store();
    const id = this.ids[this.#random.below(Math.max(1, this.ids.length))];
    const chance = this.#random.below(10);
    if (id === undefined || (chance === 0 && this.ids.length < 8)) {
      const { session } = await sessions.create(originOf({ organisationId: this.#organisationId }), nothing);
      this.ids.push(session.id);
      return this.#do(session.id, {
        kind: 'send',
        text: 'go',
        mode: 'steer',
        actor: ACTORS[0] ?? { kind: 'human' },
      });
    }
    if (chance === 1 && this.#random.below(3) === 0) {
      const [gone] = this.ids.splice(this.ids.indexOf(id), 1);
      const by = { kind: 'system' } as const;
      if (gone !== undefined)
        await deletions.begin({
          id: gone,
          organisationId: this.#organisationId,
          deletedAt: 1,
          deletedBy: by,
        });
      return;
    }
    const { session } = (await sessions.get(id)) ?? {};
    if (session === undefined) return;
    const waits = waitsOf(session);
    const wait = waits[this.#random.below(Math.max(1, waits.length))];
    const actor = ACTORS[this.#random.below(2)] ?? { kind: 'human' };
    if (session.status === 'queued') return this.#do(id, { kind: 'beginTurn' });
    if (wait?.kind === 'question' && chance < 6)
      return this.#do(id, { kind: 'send', text: 'yes', mode: 'steer', actor });
    if (wait !== undefined && chance < 4) {
      const claim = {
        kind: 'claimRequest',
        requestId: wait.id,
        seconds: 60,
        now: Date.now(),
        actor,
      } as const;
      return this.#do(id, claim);
    }
    if (wait !== undefined && chance < 5)
      return this.#do(id, { kind: 'releaseRequest', requestId: wait.id, now: Date.now(), actor });
    if (wait !== undefined && chance < 8) {
      const kind = wait.kind === 'approval' ? 'deny' : 'answer';
      const answer = kind === 'deny' ? ({ kind } as const) : ({ kind, output: 'x' } as const);
      return this.#do(id, { kind: 'resolveTool', callId: wait.id, answer, actor });
    }
    if (session.turn?.state !== 'running')
      return this.#do(id, { kind: 'send', text: 'more', mode: 'steer', actor });
    this.#calls += 1;
    const callId = `call-${this.#calls}`;
    const turnId = session.turn.id;
    const events: readonly NewEvent[] =
      chance === 8 && waits.length === 0
        ? [
            {
              type: 'turn.completed',
              actor,
              turnId,
              body: { number: session.turn.number, outcome: 'needs_input' },
            },
          ]
        : [called(callId, turnId), requested(callId, turnId, chance % 2 === 0 ? 'approval' : 'client')];
    await journal.append(id, { decide: () => ({ kind: 'append', events }) });
  }

  /** As the records say. */
  async truth(): Promise<Readonly<Record<string, readonly string[]>>> {
    const { sessions } = this.#store();
    const all = await Promise.all(this.ids.map((id) => sessions.get(id)));
    const waiting = all.flatMap((entry) => {
      const waits = entry === undefined ? [] : waitsOf(entry.session);
      return entry === undefined || waits.length === 0 ? [] : [[entry.session.id, waits.map(shown)] as const];
    });
    return Object.fromEntries(waiting.toSorted(([one], [other]) => (one < other ? -1 : 1)));
  }

  #do(id: SessionId, command: Command): Promise<void> {
    return this.#store()
      .journal.append(id, {
        decide: (session) => {
          const decision = decide(session, command);
          return decision.kind === 'refuse' ? { kind: 'nothing' } : decision;
        },
      })
      .then(() => undefined);
  }

  #store(): LifeStores {
    return this.#stores[this.#random.below(this.#stores.length)] as LifeStores; // there is one
  }
}

/** What is compared of a request. */
export function shown({
  id,
  kind,
  claim,
}: {
  readonly id: string;
  readonly kind: string;
  readonly claim?: { readonly by: { readonly id?: string | undefined } } | undefined;
}): string {
  return `${id} ${kind} ${claim?.by.id ?? ''}`;
}
