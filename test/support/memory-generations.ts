/** What revokes client tokens, in memory, for tests of what asks for it. */
import type { TokenGenerationStore, TokenSubject } from '../../src/access/token-generation-store.ts';
import type { OrganisationId } from '../../src/kernel/id.ts';

export class MemoryGenerations implements TokenGenerationStore {
  readonly #generations = new Map<TokenSubject, number>();
  /** What was looked up, look-up by look-up. */
  readonly asked: (readonly TokenSubject[])[] = [];

  async generationsOf(subjects: readonly TokenSubject[]): Promise<readonly number[]> {
    this.asked.push(subjects);
    return subjects.map((subject) => this.#generations.get(subject) ?? 0);
  }

  async raise(_organisationId: OrganisationId, subject: TokenSubject): Promise<void> {
    this.#generations.set(subject, (this.#generations.get(subject) ?? 0) + 1);
  }

  async forget(_organisationId: OrganisationId, subject: TokenSubject): Promise<void> {
    this.#generations.delete(subject);
  }
}
