/** The embedded store keeps every port's contract: in memory, and in a file that is closed and opened again. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqlite, type SqliteOptions } from '../../../src/platform/sqlite/store.ts';
import { agentDeletionContract } from '../../contracts/agent-deletion.ts';
import { agentStoreContract } from '../../contracts/agent-store.ts';
import { auditStoreContract } from '../../contracts/audit-store.ts';
import { credentialStoreContract } from '../../contracts/credential-store.ts';
import { type DeletionPlatform, deletionStoreContract } from '../../contracts/deletion-store.ts';
import { followContract } from '../../contracts/follow.ts';
import { journalContract } from '../../contracts/journal.ts';
import { keyStoreContract } from '../../contracts/key-store.ts';
import { organisationStoreContract } from '../../contracts/organisation-store.ts';
import { ownershipContract } from '../../contracts/ownership.ts';
import { ownerStoreContract } from '../../contracts/owner-store.ts';
import { queueContract } from '../../contracts/queue.ts';
import { replayContract } from '../../contracts/replays.ts';
import { dueStoreContract } from '../../contracts/due-store.ts';
import { retentionStoreContract } from '../../contracts/retention-store.ts';
import { inboxFollowContract } from '../../contracts/inbox-follow.ts';
import { inboxStoreContract } from '../../contracts/inbox-store.ts';
import { sessionStoreContract } from '../../contracts/session-store.ts';
import { tokenGenerationStoreContract } from '../../contracts/token-generation-store.ts';
import { OURS } from '../../support/organisation.ts';
import { storedJsonContract } from '../../contracts/stored-json.ts';

async function inMemory(options: Omit<SqliteOptions, 'path'> = {}) {
  const store = openSqlite({ ...options, path: ':memory:' });
  return { ...store, close: async () => store.close() };
}

async function inFile(options: Omit<SqliteOptions, 'path'> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
  const openAgain = async () => {
    const store = openSqlite({ ...options, path: join(folder, 'test.db') });
    return {
      ...store,
      folder,
      close: async () => {
        store.close();
        rmSync(folder, { recursive: true });
      },
      reopen: async () => {
        store.close();
        return openAgain();
      },
    };
  };
  return openAgain();
}

/** The bytes of all files: nothing that was deleted is left in any of them. */
const stored: DeletionPlatform['stored'] = async (store) => {
  const { folder } = store as Awaited<ReturnType<typeof inFile>>; // what the platform opened
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('\n');
};

const forgetful = {
  name: 'sqlite with hardly any memory',
  lasting: true,
  open: (options: Omit<SqliteOptions, 'path'>) => inFile({ ...options, loadedMax: 1 }),
};
journalContract(forgetful);
followContract(forgetful);
sessionStoreContract(forgetful);
deletionStoreContract({ ...forgetful, stored });
inboxStoreContract(forgetful);

for (const platform of [
  { name: 'sqlite in memory', lasting: false, open: inMemory },
  { name: 'sqlite in a file', lasting: true, open: inFile },
]) {
  journalContract(platform);
  followContract(platform);
  sessionStoreContract(platform);
  deletionStoreContract(platform.lasting ? { ...platform, stored } : platform);
  inboxStoreContract(platform);
  storedJsonContract(platform);
  agentStoreContract(platform);
  auditStoreContract(platform);
  credentialStoreContract(platform);
  replayContract(platform);
  keyStoreContract(platform);
  tokenGenerationStoreContract(platform);
  ownerStoreContract(platform);
  organisationStoreContract(platform);
  ownershipContract(platform);
  retentionStoreContract(platform);
  dueStoreContract(platform);
  agentDeletionContract({
    name: platform.name,
    async open() {
      const store = await platform.open();
      return { servers: [store, store], close: () => store.close() };
    },
  });
  queueContract({ ...platform, knowsLonger: true });
}

inboxFollowContract('sqlite in memory', async () => {
  const store = await inMemory();
  return { stores: [store], organisationId: OURS.id, close: store.close };
});
