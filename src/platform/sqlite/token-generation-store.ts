/** What revokes client tokens (access/token-generation-store.ts). */
import type { StatementSync } from 'node:sqlite';
import type { TokenGenerationStore, TokenSubject } from '../../access/token-generation-store.ts';
import type { OrganisationId } from '../../kernel/id.ts';
import { type Database, rowOf } from './database.ts';
import { translated } from './translate-error.ts';

export class SqliteTokenGenerationStore implements TokenGenerationStore {
  readonly #database: Database;
  readonly #find: StatementSync;
  readonly #raise: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#find = database.prepare('SELECT generation FROM token_generation WHERE subject = ?');
    this.#raise = database.prepare(
      `INSERT INTO token_generation (subject, organisation_id, generation) VALUES (?, ?, 1)
       ON CONFLICT (subject) DO UPDATE SET generation = generation + 1`,
    );
  }

  async generationsOf(subjects: readonly TokenSubject[]): Promise<readonly number[]> {
    return translated(() => subjects.map((subject) => Number(rowOf(this.#find, subject)?.[0] ?? 0)));
  }

  async raise(organisationId: OrganisationId, subject: TokenSubject): Promise<void> {
    await this.#database.write(() => this.#raise.run(subject, organisationId));
  }
}
