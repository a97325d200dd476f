/** The embedded default: every record port of Holdfast over one SQLite file, or in memory for tests. */
import { type Clock, systemClock } from '../../kernel/clock.ts';
import type { Scheduler } from '../../kernel/scheduler.ts';
import { LOG_BYTES_MAX, LOG_EVENTS_MAX } from '../../kernel/limit.ts';
import type { AgentStore } from '../../sessions/agent-store.ts';
import type { DeletionStore } from '../../sessions/deletion-store.ts';
import type { DueStore } from '../../sessions/due-store.ts';
import type { InboxStore } from '../../sessions/inbox-store.ts';
import type { RetentionStore } from '../../sessions/retention-store.ts';
import type { SessionJournal, SessionStore } from '../../sessions/session-store.ts';
import type { KeyStore } from '../../access/key-store.ts';
import type { AuditStore } from '../../audit/audit-store.ts';
import type { OrganisationStore } from '../../access/organisation-store.ts';
import type { TokenGenerationStore } from '../../access/token-generation-store.ts';
import type { CredentialStore } from '../../secrets/credential-store.ts';
import type { OwnerStore } from '../../supervisor/owner-store.ts';
import type { Queue } from '../../webhooks/queue.ts';
import { SqliteAgentStore } from './agent-store.ts';
import { SqliteAuditStore } from './audit-store.ts';
import type { LogCaps } from '../../sessions/append-plan.ts';
import { SqliteCredentialStore } from './credential-store.ts';
import { Database } from './database.ts';
import { SqliteDueStore } from './due-store.ts';
import { SqliteJournal } from './journal.ts';
import { SqliteKeyStore } from './key-store.ts';
import { SqliteOrganisationStore } from './organisation-store.ts';
import { SqliteOwnerStore } from './owner-store.ts';
import { SqliteRetentionStore } from './retention-store.ts';
import { SqliteQueue } from './queue.ts';
import { SqliteTokenGenerationStore } from './token-generation-store.ts';

export interface SqliteOptions {
  /** A file, made with its folder when it is not there; or `:memory:`. */
  readonly path: string;
  readonly clock?: Clock | undefined;
  /** JOURNAL-6; smaller in tests. */
  readonly caps?: Partial<LogCaps> | undefined;
  /** Sessions kept in memory; fewer only in tests. */
  readonly loadedMax?: number | undefined;
  /** Receives of a message before it is a dead letter (webhooks/queue.ts, QUEUE-6). */
  readonly receiveCountMax?: number | undefined;
  /** Default: the system's. */
  readonly scheduler?: Scheduler | undefined;
}

export interface SqliteStore {
  readonly journal: SessionJournal;
  readonly sessions: SessionStore;
  readonly deletions: DeletionStore;
  readonly inbox: InboxStore;
  readonly agents: AgentStore;
  readonly credentials: CredentialStore;
  readonly keys: KeyStore;
  readonly tokenGenerations: TokenGenerationStore;
  readonly owners: OwnerStore;
  readonly organisations: OrganisationStore;
  readonly audit: AuditStore;
  readonly retention: RetentionStore;
  readonly due: DueStore;
  readonly queue: Queue;
  /** Throws Outage when nothing can be written. */
  ready(): Promise<void>;
  /** Commits the appends that wait, then lets go of the file. */
  close(): void;
}

/** Throws DatabaseInUse or DatabaseUnusable. */
export function openSqlite({
  path,
  clock = systemClock,
  caps,
  loadedMax,
  receiveCountMax,
  scheduler,
}: SqliteOptions): SqliteStore {
  const database = Database.open(path);
  const journal = new SqliteJournal({
    database,
    clock,
    loadedMax,
    scheduler,
    caps: { eventsMax: LOG_EVENTS_MAX, bytesMax: LOG_BYTES_MAX, ...caps },
  });
  return {
    journal,
    sessions: journal,
    deletions: journal.deletions,
    inbox: journal.inbox,
    agents: new SqliteAgentStore(database),
    credentials: new SqliteCredentialStore(database),
    keys: new SqliteKeyStore(database),
    tokenGenerations: new SqliteTokenGenerationStore(database),
    owners: new SqliteOwnerStore(database),
    organisations: new SqliteOrganisationStore(database),
    audit: new SqliteAuditStore(database),
    retention: new SqliteRetentionStore(database),
    due: new SqliteDueStore(database),
    queue: new SqliteQueue({ database, clock, receiveCountMax }),
    ready: () => database.ready(),
    close() {
      journal.close();
      database.close();
    },
  };
}
