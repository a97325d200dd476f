/** Another organisation beside the first one of a world: made in its store while the server is down, and its key. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { KEY_SCOPES } from '../../src/access/principal.ts';
import { Organisations } from '../../src/access/organisations.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/id.ts';
import { openMongo } from '../../src/platform/mongo/store.ts';
import { openSqlite } from '../../src/platform/sqlite/store.ts';
import type { World } from './world.ts';

/** Starts the server again. Answers an API key of the new organisation. */
export async function secondOrganisation(world: World): Promise<string> {
  await world.stop();
  const { DATABASE_URL: uri } = world.store;
  const store =
    uri === undefined
      ? openSqlite({ path: join(world.folder, 'data', 'holdfast.db') })
      : await openMongo({ uri });
  try {
    const organisations = new Organisations({ organisations: store.organisations, clock: systemClock });
    const { organisation } = await organisations.create({ name: 'second' });
    const key = 'key-of-the-second-organisation-0';
    const hash = createHash('sha256').update(key).digest('hex');
    const id = newId('apiKey');
    const ours = { organisationId: organisation.id, name: 'second', scopes: KEY_SCOPES };
    await store.keys.add({ id, ...ours, hash, createdAt: 1 });
    return key;
  } finally {
    await store.close();
    await world.start();
  }
}
