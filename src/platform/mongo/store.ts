/** The production store: every record port of Holdfast over one MongoDB database, which any number of servers share. */
import type { KeyStore } from '../../access/key-store.ts';
import type { OrganisationStore } from '../../access/organisation-store.ts';
import type { AuditStore } from '../../audit/audit-store.ts';
import type { TokenGenerationStore } from '../../access/token-generation-store.ts';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { LOG_BYTES_MAX, LOG_EVENTS_MAX } from '../../kernel/limit.ts';
import { type Logger, silentLogger } from '../../kernel/logger.ts';
import type { CredentialStore } from '../../secrets/credential-store.ts';
import type { LogCaps } from '../../sessions/append-plan.ts';
import type { AgentStore } from '../../sessions/agent-store.ts';
import type { DeletionStore } from '../../sessions/deletion-store.ts';
import type { DueStore } from '../../sessions/due-store.ts';
import type { InboxStore } from '../../sessions/inbox-store.ts';
import type { RetentionStore } from '../../sessions/retention-store.ts';
import type { SessionJournal, SessionStore } from '../../sessions/session-store.ts';
import type { OwnerStore } from '../../supervisor/owner-store.ts';
import { MongoAgentStore } from './stores/agent-store.ts';
import { MongoAuditStore } from './stores/audit-store.ts';
import { MongoCredentialStore } from './stores/credential-store.ts';
import { MongoDatabase } from './database.ts';
import { MongoDeletions } from './journal/deletions.ts';
import { MongoJournal } from './journal/journal.ts';
import { MongoInboxStore } from './stores/inbox-store.ts';
import { MongoKeyStore } from './stores/key-store.ts';
import { Ownership } from './ownership.ts';
import { LiveChannel } from './live/live-channel.ts';
import { MongoOrganisationStore } from './stores/organisation-store.ts';
import { MongoDueStore } from './stores/due-store.ts';
import { MongoRetentionStore } from './stores/retention-store.ts';
import { MongoOwnerStore } from './stores/owner-store.ts';
import { MongoTokenGenerationStore } from './stores/token-generation-store.ts';

export interface MongoOptions {
  readonly uri: string;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** JOURNAL-6; smaller in tests. */
  readonly caps?: Partial<LogCaps> | undefined;
}

export interface MongoStore {
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
  /** What the other processes on the database tell. */
  readonly channel: LiveChannel;
  readonly database: MongoDatabase;
  /** Ends what is under way, then lets go of the connections. */
  close(): Promise<void>;
}

/** Throws DatabaseUnusable. */
export async function openMongo(options: MongoOptions): Promise<MongoStore> {
  const { uri, clock = systemClock, logger = silentLogger, caps } = options;
  const database = await MongoDatabase.open({ uri, logger });
  const channel = new LiveChannel({ database, logger });
  const ownership = new Ownership(database.firstOrganisation);
  const journal = new MongoJournal({
    db: database.db,
    ownership,
    clock,
    logger,
    channel,
    caps: { eventsMax: LOG_EVENTS_MAX, bytesMax: LOG_BYTES_MAX, ...caps },
  });
  return {
    journal,
    sessions: journal,
    deletions: new MongoDeletions({
      db: database.db,
      ownership,
      clock,
      gone: (sessionId, head) => journal.gone(sessionId, head),
    }),
    inbox: new MongoInboxStore({ db: database.db, ownership, clock }),
    agents: new MongoAgentStore(database),
    credentials: new MongoCredentialStore(database),
    keys: new MongoKeyStore(database),
    tokenGenerations: new MongoTokenGenerationStore(database),
    owners: new MongoOwnerStore(database, clock),
    organisations: new MongoOrganisationStore(database),
    audit: new MongoAuditStore(database),
    retention: new MongoRetentionStore(database),
    due: new MongoDueStore(database),
    channel,
    database,
    async close() {
      await journal.close();
      await channel.close();
      await database.close();
    },
  };
}
