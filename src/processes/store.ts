/** The store that DATABASE_URL names: the same ports, embedded or shared. */
import { randomUUID } from 'node:crypto';
import type { KeyStore } from '../access/key-store.ts';
import type { OrganisationStore } from '../access/organisation-store.ts';
import type { AuditStore } from '../audit/audit-store.ts';
import type { TokenGenerationStore } from '../access/token-generation-store.ts';
import type { LiveWire } from '../journal/live-wire.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Scope } from '../kernel/scope.ts';
import { setOnce } from '../platform/mongo/stores/set-once.ts';
import { openMongo } from '../platform/mongo/store.ts';
import { translated } from '../platform/mongo/translate-error.ts';
import { MongoWorkspaceArchive } from '../platform/mongo/workspace/workspace-archive.ts';
import { openSqlite } from '../platform/sqlite/store.ts';
import type { CredentialStore } from '../secrets/credential-store.ts';
import type { AgentStore } from '../sessions/agent-store.ts';
import type { DeletionStore } from '../sessions/deletion-store.ts';
import type { DueStore } from '../sessions/due-store.ts';
import type { InboxStore } from '../sessions/inbox-store.ts';
import type { RetentionStore } from '../sessions/retention-store.ts';
import type { SessionJournal, SessionStore } from '../sessions/session-store.ts';
import type { OwnerStore } from '../supervisor/owner-store.ts';
import type { Owners } from '../supervisor/owners.ts';
import type { WorkspaceArchive } from '../hands/workspace-archive.ts';
import type { DatabaseChoice } from './variable-form.ts';

export interface Store {
  /** Where it is, for people: without user and password. */
  readonly place: string;
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
  /** Throws Outage when nothing can be written, or a shared store does not answer. */
  ready(): Promise<void>;
  /** What only a store has that several servers share; absent where this server is the only one. */
  readonly shared?: SharedStore | undefined;
}

export interface SharedStore {
  /** Tells the database from any other. */
  readonly identity: string;
  /** Carries deltas between the servers. */
  readonly wire: LiveWire;
  /** For the workspaces of the server whose heartbeat is under this name. */
  archiveFor(owner: string, owners: Owners): WorkspaceArchive;
  /** Whether this is the fingerprint that the first server on the database left: a hash that tells its secrets from others. */
  ownsSecrets(fingerprint: string): Promise<boolean>;
}

/** Throws DatabaseInUse, DatabaseUnusable. */
export async function openStore(
  database: DatabaseChoice,
  { clock, logger }: { clock: Clock; logger: Logger },
  scope: Scope,
): Promise<Store> {
  if (database.kind === 'sqlite') {
    const { path } = database;
    const store = scope.add('store', openSqlite({ path, clock }), (it) => it.close());
    return { ...store, place: path };
  }
  const opened = await openMongo({ uri: database.uri.open(), clock, logger });
  const store = scope.add('store', opened, (it) => it.close());
  const shared: SharedStore = {
    identity: await setOnce(store.database, 'identity', randomUUID()),
    wire: store.channel,
    archiveFor: (owner, owners) =>
      new MongoWorkspaceArchive({ database: store.database, owners, owner, clock }),
    ownsSecrets: async (fingerprint) =>
      (await setOnce(store.database, 'secrets', fingerprint)) === fingerprint,
  };
  const { address, version } = store.database.server;
  const ready = async (): Promise<void> => {
    await translated(() => store.database.db.command({ ping: 1 }));
  };
  return { ...store, place: `${address} (MongoDB ${version})`, ready, shared };
}
