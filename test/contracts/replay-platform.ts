/** What the replay contracts run on: the use cases over the stores of one platform. */
import { systemClock } from '../../src/kernel/clock.ts';
import type { Sealed } from '../../src/kernel/sealed.ts';
import type { CredentialStore } from '../../src/secrets/credential-store.ts';
import { Credentials } from '../../src/secrets/credentials.ts';
import type { AgentStore } from '../../src/sessions/agent-store.ts';
import { Agents } from '../../src/sessions/agents.ts';
import type { DeletionStore } from '../../src/sessions/deletion-store.ts';
import type { InboxStore } from '../../src/sessions/inbox-store.ts';
import type { RetentionStore } from '../../src/sessions/retention-store.ts';
import type { SessionJournal, SessionStore } from '../../src/sessions/session-store.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import { type SessionPorts, Sessions } from '../../src/sessions/sessions.ts';
import { OURS } from '../support/organisation.ts';

export interface ReplayPlatform {
  readonly name: string;
  open(options: { readonly caps?: { readonly eventsMax?: number } }): Promise<{
    readonly journal: SessionJournal;
    readonly sessions: SessionStore;
    readonly deletions: DeletionStore;
    readonly agents: AgentStore;
    readonly credentials: CredentialStore;
    readonly retention: RetentionStore;
    readonly inbox: InboxStore;
    close(): Promise<void>;
  }>;
}

export type Caps = { readonly eventsMax?: number };
export type ReplayWorld = Awaited<ReturnType<typeof worldOn>>;
export type Begin = (caps?: Caps) => Promise<ReplayWorld>;

export function memorySecrets() {
  const kept = new Map<string, Sealed>();
  return {
    put: async (name: string, value: Sealed) => void kept.set(name, value),
    create: async (name: string, value: Sealed) => !kept.has(name) && kept.set(name, value) !== undefined,
    get: async (name: string) => kept.get(name),
    delete: async (name: string) => void kept.delete(name),
  };
}

/** `store.close()` ends it. */
export async function worldOn(platform: ReplayPlatform, caps?: Caps) {
  const store = await platform.open(caps === undefined ? {} : { caps });
  const clock = systemClock;
  const own = { clock, organisation: OURS };
  const credentials = new Credentials({
    ...own,
    credentials: store.credentials,
    secrets: memorySecrets(),
  });
  const agents = new Agents({ ...own, agents: store.agents, credentials });
  const serverKeys: SessionPorts['serverKeys'] = new Set();
  const { journal, sessions: records, deletions } = store;
  const ports = { journal, sessions: records, deletions, ...own, credentials, serverKeys };
  const sessions = new Sessions({ ...ports, agents });
  return { store, credentials, agents, ports, sessions, runs: new SessionRuns(store) };
}
