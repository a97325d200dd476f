/**
 * The database dies, stalls, loses answers and steps down while two processes append to it and follow it: nothing that was acknowledged
 * is lost, nothing is doubled, and everybody goes on without being started again. HOLDFAST_TEST_LONG=1 does more of each.
 */
import { MongoClient, MongoServerError } from 'mongodb';
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { expectKept, figuresOf, tell } from '../support/log-load-check.ts';
import { LogLoad } from '../support/log-load.ts';
import { mongoSuite } from '../support/mongo-suite.ts';
import type { MongoServer } from '../support/mongo.ts';
import { type Random, randomOf } from '../support/random.ts';
import { type Fate, TcpProxy } from '../support/tcp-proxy.ts';

const TIMES = process.env['HOLDFAST_TEST_LONG'] === '1' ? 20 : 1;
/** Of whole outages. */
const ROUNDS = TIMES * 2;
const TIMEOUT_MS = 60_000 + TIMES * 60_000;
/** An outage that is felt: connections fail and are tried again several times. */
const OUTAGE_MS = 1_000;

const outage = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));

async function underLoad(
  { what, server, through }: { what: string; server: MongoServer; through?: (uri: string) => string },
  faults: (load: LogLoad) => Promise<void>,
): Promise<void> {
  const uri = server.uri();
  const way = through?.(uri) ?? uri;
  const load = await LogLoad.start(uri, [way, way]);
  try {
    await faults(load);
    await expectKept(load, uri);
    tell(`${what}, ${server.name}: ${figuresOf(load)}`);
  } finally {
    load.kill();
  }
}

await mongoSuite(
  'two processes go on without loss while the database',
  (server) => {
    it(
      'is killed and started again',
      async () => {
        await underLoad({ what: 'killed', server }, async (load) => {
          for (let round = 0; round < ROUNDS; round += 1) {
            await server.kill();
            if (round % 2 === 1) await outage();
            await server.start();
            await load.goesOn();
          }
        });
      },
      TIMEOUT_MS,
    );
  },
  { own: true },
);

await mongoSuite('two processes go on without loss while their connections', (server) => {
  async function behindProxy(
    what: string,
    faults: (proxy: TcpProxy, load: LogLoad) => Promise<void>,
  ): Promise<void> {
    const proxy = await TcpProxy.open(server.base);
    try {
      await underLoad({ what, server, through: (uri) => proxy.through(uri) }, (load) => faults(proxy, load));
    } finally {
      await proxy.close();
    }
  }

  it(
    'are cut, refused and stalled',
    async () => {
      await behindProxy('cut, refused, stalled', async (proxy, load) => {
        for (let round = 0; round < TIMES; round += 1) {
          proxy.cut();
          await load.goesOn();
          proxy.refuse();
          await outage();
          proxy.accept();
          await load.goesOn();
          proxy.stall();
          await outage();
          proxy.flow(); // late, and nothing was closed
          await load.goesOn();
          proxy.stall();
          await outage();
          proxy.cut();
          proxy.flow();
          await load.goesOn();
        }
      });
    },
    TIMEOUT_MS,
  );

  it(
    'lose requests and answers by chance',
    async () => {
      const random = randomOf(Number(process.env['SEED'] ?? Date.now()));
      await behindProxy(`lost by chance (seed ${random.seed})`, async (proxy, load) => {
        for (let round = 0; round < TIMES; round += 1) {
          for (const oneIn of [30, 8]) {
            proxy.decide(() => fateByChance(random, oneIn));
            await load.goesOn();
          }
        }
        proxy.decide(() => 'pass');
        expect(proxy.lost['lose answer']).toBeGreaterThan(0);
        tell(`${proxy.lost['lose request']} requests and ${proxy.lost['lose answer']} answers were lost`);
      });
    },
    TIMEOUT_MS,
  );
});

function fateByChance(random: Random, oneIn: number): Fate {
  return random.below(oneIn) === 0 ? random.pick(['lose request', 'lose answer']) : 'pass';
}

await mongoSuite(
  'two processes go on without loss while the database',
  (server) => {
    it(
      'acknowledges late, or never, or with an error',
      async () => {
        await using client = new MongoClient(server.base);
        await underLoad({ what: 'fail points', server, through: askingOften }, async (load) => {
          for (let round = 0; round < TIMES; round += 1) {
            for (const [times, data] of FAIL_POINTS) {
              await client.db('admin').command({ configureFailPoint: 'failCommand', mode: { times }, data });
              await load.goesOn();
            }
            await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
          }
        });
      },
      TIMEOUT_MS,
    );

    it(
      'steps down',
      async () => {
        await using client = new MongoClient(server.base);
        await underLoad({ what: 'stepped down', server, through: askingOften }, async (load) => {
          for (let round = 0; round < ROUNDS; round += 1) {
            await stepDown(client);
            await load.goesOn();
          }
        });
      },
      TIMEOUT_MS,
    );
  },
  { own: true, testCommands: true },
);

/**
 * mongod greets at once when it becomes primary or stops to be; behind a fail point, and in SecantusDB, the greeting comes in its
 * usual time only, ten seconds, for which the driver would wait.
 */
function askingOften(uri: string): string {
  return `${uri}?serverMonitoringMode=poll&heartbeatFrequencyMS=500`;
}

const WRITES = ['update', 'insert', 'bulkWrite'];
const ALL = [...WRITES, 'find', 'getMore'];

/** How often, and what. More than one in a row, since the driver tries once more by itself. */
const FAIL_POINTS: readonly (readonly [times: number, data: object])[] = [
  [8, { failCommands: ALL, closeConnection: true }],
  ...[10_107, 91, 262].map((errorCode) => [6, { failCommands: ALL, errorCode }] as const),
  [6, { failCommands: WRITES, errorCode: 10_107, errorLabels: [] }],
  [6, { failCommands: WRITES, errorCode: 6, errorLabels: ['RetryableWriteError'] }],
  [6, { failCommands: WRITES, blockConnection: true, blockTimeMS: OUTAGE_MS / 2 }],
  [6, { failCommands: WRITES, blockConnection: true, blockTimeMS: OUTAGE_MS / 2, closeConnection: true }],
  [6, { failCommands: WRITES, writeConcernError: { code: 64, errmsg: 'waiting for replication timed out' } }],
  [6, { failCommands: WRITES, writeConcernError: { code: 91, errmsg: 'shutting down' } }],
];

/** A member that steps down may close the connection on which it was asked. */
async function stepDown(client: MongoClient): Promise<void> {
  try {
    await client.db('admin').command({ replSetStepDown: 1, secondaryCatchUpPeriodSecs: 0, force: true });
  } catch (error) {
    if (error instanceof MongoServerError) throw error;
  }
}

await mongoSuite(
  'two processes go on without loss while, of three members,',
  (server) => {
    it(
      'the primary is killed',
      async () => {
        await underLoad({ what: 'primary killed', server }, async (load) => {
          for (let round = 0; round < ROUNDS; round += 1) {
            await server.kill();
            await load.goesOn(); // the other two elect one of them
            await server.start();
            await load.goesOn();
          }
        });
      },
      TIMEOUT_MS,
    );

    it(
      'the primary steps down',
      async () => {
        await using client = new MongoClient(server.base);
        await underLoad({ what: 'primary stepped down', server }, async (load) => {
          for (let round = 0; round < ROUNDS; round += 1) {
            await eventually('there is a primary to step down', async () => {
              const { isWritablePrimary } = await client.db('admin').command({ hello: 1 });
              return isWritablePrimary === true;
            });
            await stepDown(client);
            await load.goesOn();
          }
        });
      },
      TIMEOUT_MS,
    );
  },
  { members: 3 },
);
