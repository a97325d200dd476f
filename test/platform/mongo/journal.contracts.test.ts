/** The journal and the session records on MongoDB keep their contracts. */
import { type MongoOptions, type MongoStore, openMongo } from '../../../src/platform/mongo/store.ts';
import { deletionStoreContract } from '../../contracts/deletion-store.ts';
import { agentDeletionContract } from '../../contracts/agent-deletion.ts';
import { auditStoreContract } from '../../contracts/audit-store.ts';
import { followContract } from '../../contracts/follow.ts';
import { OURS } from '../../support/organisation.ts';
import { inboxFollowContract } from '../../contracts/inbox-follow.ts';
import { inboxStoreContract } from '../../contracts/inbox-store.ts';
import { journalContract } from '../../contracts/journal.ts';
import { organisationStoreContract } from '../../contracts/organisation-store.ts';
import { ownershipContract } from '../../contracts/ownership.ts';
import { replayContract } from '../../contracts/replays.ts';
import { dueStoreContract } from '../../contracts/due-store.ts';
import { retentionStoreContract } from '../../contracts/retention-store.ts';
import { sessionStoreContract } from '../../contracts/session-store.ts';
import { storedJsonContract } from '../../contracts/stored-json.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';

await mongoSuite('on a server of MongoDB', (server) => {
  async function openAt(options: MongoOptions) {
    const store = await openMongo(options);
    return {
      ...store,
      reopen: async () => {
        await store.close();
        return openAt(options);
      },
    };
  }
  const platform = {
    name: 'mongo',
    lasting: true,
    open: (options: Omit<MongoOptions, 'uri'>) => openAt({ ...options, uri: server.uri() }),
  };
  journalContract(platform);
  followContract(platform);
  sessionStoreContract(platform);
  deletionStoreContract({
    ...platform,
    stored: async (store) => {
      const { db } = (store as unknown as MongoStore).database; // what the platform opened
      const collections = await db.collections();
      const all = await Promise.all(collections.map((one) => one.find().toArray()));
      return JSON.stringify(all);
    },
  });
  inboxStoreContract(platform);
  inboxFollowContract('two servers on one MongoDB', async () => {
    const uri = server.uri();
    const stores = [await openMongo({ uri }), await openMongo({ uri })];
    const close = async (): Promise<void> => {
      for (const store of stores) await store.close();
    };
    return { stores, organisationId: OURS.id, close };
  });
  replayContract(platform);
  storedJsonContract(platform);
  organisationStoreContract(platform);
  auditStoreContract(platform);
  ownershipContract(platform);
  retentionStoreContract(platform);
  dueStoreContract(platform);
  agentDeletionContract({
    name: 'mongo',
    async open() {
      const uri = server.uri();
      const servers = [await openMongo({ uri }), await openMongo({ uri })] as const;
      const close = async (): Promise<void> => void (await Promise.all(servers.map((it) => it.close())));
      return { servers, close };
    },
  });
});
