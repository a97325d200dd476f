/**
 * Which client tokens are revoked, as every request of a token asks it: with a memory that lives for a moment.
 *
 * TOKEN-6 A revocation holds here as soon as it is stored, and on every other server GENERATION_MS_MAX later: what is remembered was asked
 *    for no longer ago. What is asked for together is one look-up, and a thousand requests of one session are a few in a second.
 */
import { must } from '../kernel/assert.ts';
import type { Clock } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/id.ts';
import type { TokenGenerationStore, TokenSubject } from './token-generation-store.ts';

/** With the half second in which what is open is looked through (bearer-watch.ts) it stays within a second. */
export const GENERATION_MS_MAX = 250;
/** Sessions and keys that are remembered at once, some 200 bytes each; beyond it the oldest is asked for again. */
const REMEMBERED_MAX = 10_000;

interface Remembered {
  readonly askedAt: number;
  readonly generation: Promise<number>;
}

export class TokenGenerations {
  readonly #store: TokenGenerationStore;
  readonly #clock: Clock;
  /** The oldest first. */
  readonly #remembered = new Map<TokenSubject, Remembered>();

  constructor(store: TokenGenerationStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** In the order that they are asked for. */
  async of(subjects: readonly TokenSubject[]): Promise<readonly number[]> {
    const now = this.#clock.monotonicNow();
    for (const [subject, { askedAt }] of this.#remembered) {
      if (now - askedAt < GENERATION_MS_MAX && this.#remembered.size < REMEMBERED_MAX) break;
      this.#remembered.delete(subject); // TOKEN-6
    }
    const unknown = [...new Set(subjects)].filter((subject) => !this.#remembered.has(subject));
    if (unknown.length > 0) this.#ask(unknown, now);
    return Promise.all(
      subjects.map((subject) => must(this.#remembered.get(subject), 'it was asked for').generation),
    );
  }

  /** As they are stored now: a token that is minted after a revocation is not ended by it. */
  current(subjects: readonly TokenSubject[]): Promise<readonly number[]> {
    return this.#store.generationsOf(subjects);
  }

  async raise(organisationId: OrganisationId, subject: TokenSubject): Promise<void> {
    await this.#store.raise(organisationId, subject);
    this.#remembered.delete(subject); // TOKEN-6
  }

  #ask(subjects: readonly TokenSubject[], askedAt: number): void {
    const answer = this.#store.generationsOf(subjects);
    for (const [at, subject] of subjects.entries()) {
      const generation = answer.then((generations) => generations[at] ?? 0);
      const remembered = { askedAt, generation };
      this.#remembered.set(subject, remembered);
      generation.catch(() => {
        // whoever waits is told; whoever comes next asks again
        if (this.#remembered.get(subject) === remembered) this.#remembered.delete(subject);
      });
    }
  }
}
