/** The ladder of MongoDB servers, and what tests count on from the server they are given. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from './eventually.ts';
import { holding } from './folder-lock.ts';
import { climb, NoMongo, type Surroundings } from './mongo-ladder.ts';
import { downloadedMongod } from './mongod-download.ts';
import { mayBeSkipped, mongoSuite } from './mongo-suite.ts';
import { databaseUri } from './mongo-uri.ts';
import { mongoServer } from './mongo.ts';
import { isAlive, kill } from './processes.ts';
import { storesOfRun } from './stores.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-ladder-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the ladder', () => {
  const everything: Surroundings = {
    uri: 'mongodb://given/',
    installed: () => '/bin/mongod',
    download: () => Promise.resolve({ program: '/cache/mongod' }),
    secantus: () => Promise.resolve({ program: '/cache/secantusd-py' }),
  };
  const refusal = (why: string) => () => Promise.resolve({ refusal: why });
  const nothing: Surroundings = {
    uri: undefined,
    installed: () => undefined,
    download: refusal('no download'),
    secantus: refusal('no python'),
  };

  it('takes the first rung that holds', async () => {
    const { uri: _, ...noUri } = everything;
    const noMongod = { ...noUri, uri: undefined, installed: nothing.installed };

    expect(await climb({}, everything)).toEqual({ kind: 'given', uri: 'mongodb://given/' });
    expect(await climb({}, { ...noUri, uri: undefined })).toEqual({ kind: 'mongod', program: '/bin/mongod' });
    expect(await climb({}, noMongod)).toEqual({ kind: 'mongod', program: '/cache/mongod' });
    expect(await climb({}, { ...noMongod, download: nothing.download })).toEqual({
      kind: 'secantus',
      program: '/cache/secantusd-py',
    });
  });

  it.each([{ own: true }, { testCommands: true }, { members: 3 as const }])(
    'never gives away a server that belongs to somebody: %o',
    async (needs) => {
      expect(await climb(needs, everything)).toEqual({ kind: 'mongod', program: '/bin/mongod' });
    },
  );

  it('has three members on mongod only', async () => {
    const secantus = { ...nothing, secantus: everything.secantus };

    await expect(climb({ members: 3 }, secantus)).rejects.toThrow('SecantusDB has one member only');
  });

  it('says all that it tried, and what mends it', async () => {
    await expect(climb({}, nothing)).rejects.toThrow(
      'No MongoDB server: MONGODB_URI is not set; there is no mongod on PATH; no download; no python. ' +
        'To mend it: install mongod, or python3 with venv (Debian: apt-get install python3 python3-venv), or set MONGODB_URI=mongodb://…',
    );
  });
});

describe('without a server', () => {
  it('suites may be skipped, but not in CI, and not because a server is broken', () => {
    expect(mayBeSkipped(new NoMongo('none'), {}, {})).toBe(true);
    expect(mayBeSkipped(new NoMongo('none'), {}, { CI: '1' })).toBe(false);
    expect(mayBeSkipped(new NoMongo('none'), { members: 3 }, { CI: '1' })).toBe(true);
    expect(mayBeSkipped(new Error('does not start'), {}, {})).toBe(false);
  });
});

describe('the download of mongod', () => {
  const script = (body: string) => [process.execPath, '--eval', body] as const;
  const ask = (question: readonly [string, ...string[]]) =>
    downloadedMongod({ cache: folder, inCi: true, say: () => undefined, ask: question });

  it('is asked for once, and a refusal is remembered', async () => {
    const refused = await ask(script(`console.error('no route'); process.exit(1)`));
    const again = await ask(script(`console.log('program /mongod')`));

    expect(refused).toEqual({ refusal: 'no mongod was downloaded: no route' });
    expect(again).toEqual({ refusal: expect.stringContaining('no route (asked not long ago') });
  });

  it('is asked for again when the refusal is old', async () => {
    writeFileSync(join(folder, 'mongod-refused.txt'), '1\nno route');

    expect(await ask(script(`console.log('program /mongod')`))).toEqual({ program: '/mongod' });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('the lock of an installation', () => {
  it('lets one at a time do the work', async () => {
    let [inside, most] = [0, 0];
    const work = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 5 }, () => holding(join(folder, 'lock'), work)));

    expect(most).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is taken over from a holder that was killed', async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'lock'), '1\n');
    utimesSync(join(folder, 'lock'), 1, 1);

    expect(await holding(join(folder, 'lock'), () => Promise.resolve('done'))).toBe('done');
  });
});

describe('a URI with the name of a database', () => {
  it.each([
    ['mongodb://h:1/', 'mongodb://h:1/x'],
    ['mongodb://h:1', 'mongodb://h:1/x'],
    ['mongodb://h:1,i:2/old?replicaSet=r', 'mongodb://h:1,i:2/x?replicaSet=r'],
    ['mongodb+srv://h?w=1', 'mongodb+srv://h/x?w=1'],
    ['mongodb://u:p@h/', 'mongodb://u:p@h/x?authSource=admin'],
    ['mongodb://u:p@h/old', 'mongodb://u:p@h/x?authSource=old'],
    ['mongodb://u:p@h/old?authSource=y', 'mongodb://u:p@h/x?authSource=y'],
  ])('%s becomes %s', (uri, expected) => {
    expect(databaseUri(uri, 'x')).toBe(expected);
  });
});

describe('the stores of scenarios', () => {
  it('are switched by one variable', () => {
    expect(storesOfRun({})).toEqual({ default: 'sqlite', each: ['sqlite', 'mongo'] });
    expect(storesOfRun({ HOLDFAST_TEST_STORE: 'mongo' })).toEqual({ default: 'mongo', each: ['mongo'] });
    expect(() => storesOfRun({ HOLDFAST_TEST_STORE: 'postgres' })).toThrow('expected sqlite or mongo');
  });
});

await mongoSuite("the run's server", (server) => {
  it('is the same for all who ask, with a fresh database for each question', async () => {
    const other = await mongoServer();

    expect(other.base).toBe(server.base);
    expect(other.uri()).not.toBe(other.uri());
    await other.close();
  });

  it('is nobody’s to kill', async () => {
    await expect(server.kill()).rejects.toThrow('own: true');
  });

  it('drops the fresh databases of a handle when that is closed', async () => {
    const handle = await mongoServer();
    await using client = new MongoClient(handle.uri());
    await client.db().collection('thing').insertOne({ there: true });
    const databases = async (): Promise<readonly string[]> =>
      (await client.db('admin').admin().listDatabases({ nameOnly: true })).databases.map(({ name }) => name);
    expect(await databases()).toContain(client.db().databaseName);

    await handle.close();

    expect(await databases()).not.toContain(client.db().databaseName);
  });
});

await mongoSuite(
  'a server of its own',
  (server) => {
    it('comes back on the same port with what was acknowledged', async () => {
      const uri = server.uri();
      const [{ pid }, written] = [server, { _id: 'kept' as never, at: 1 }]; // as: the driver's default id is another type
      await using client = new MongoClient(uri);
      await client
        .db()
        .collection('thing', { writeConcern: { w: 'majority', journal: true } })
        .insertOne(written);
      await server.kill();
      expect(isAlive(pid)).toBe(false);
      await server.start();

      expect(server.pid).not.toBe(pid);
      expect(await client.db().collection('thing').findOne()).toEqual(written);
    });
  },
  { own: true },
);

await mongoSuite('the life of a server', () => {
  it('ends, and its files go, when the process that started it is killed', async () => {
    const module = JSON.stringify(join(import.meta.dirname, 'mongo.ts'));
    const parent = spawn(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `const { mongoServer } = await import(${module});
         console.log('pid', (await mongoServer({ own: true })).pid);
         setInterval(() => undefined, 1000);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TMPDIR: folder } },
    );
    let said = '';
    parent.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const pid = Number(await eventually('it started a server', () => /pid (\d+)/.exec(said)?.[1]));
    const [files = ''] = readdirSync(folder);
    expect(existsSync(join(folder, files))).toBe(true);

    kill(parent.pid);

    await eventually('the server has ended', () => !isAlive(pid));
    await eventually('its files are gone', () => readdirSync(folder).length === 0);
  });
});
