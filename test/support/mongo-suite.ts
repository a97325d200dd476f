/**
 * Suites that need a MongoDB server. With none to be had they fail where CI is set, and are reported as skipped elsewhere,
 * with the line that mends it: never a silent skip, never a green that ran nothing.
 */
import { afterAll, describe } from 'vitest';
import { isCi, type Needs, NoMongo } from './mongo-ladder.ts';
import { type MongoServer, mongoServer } from './mongo.ts';

/** describe() of what needs a server; `body` gets it, and it is closed after the last test. Await it at the top of a file. */
export async function mongoSuite(
  name: string,
  body: (server: MongoServer) => void,
  needs: Needs = {},
): Promise<void> {
  const found = await serverOrReason(needs);
  const isThere = typeof found !== 'string';
  describe.skipIf(!isThere)(`${name}${isThere ? '' : ` (skipped: ${found})`}`, () => {
    if (isThere) afterAll(() => found.close());
    body(isThere ? found : ABSENT);
  });
}

async function serverOrReason(needs: Needs): Promise<MongoServer | string> {
  try {
    return await mongoServer(needs);
  } catch (error) {
    if (!mayBeSkipped(error, needs, process.env)) throw error;
    return error.message;
  }
}

/** Three members are more than the last rung can give, so their suites may be skipped in CI as well. */
export function mayBeSkipped(error: unknown, needs: Needs, env: NodeJS.ProcessEnv): error is NoMongo {
  return error instanceof NoMongo && (!isCi(env) || needs.members === 3);
}

function absent(): never {
  throw new Error('This suite is skipped: there is no MongoDB server.');
}

/** For the body of a skipped suite, which is read but not run. */
const ABSENT: MongoServer = {
  name: 'none',
  isMongod: false,
  uri: (database = 'none') => `mongodb://127.0.0.1:1/${database}`,
  base: 'mongodb://127.0.0.1:1/',
  pid: undefined,
  kill: absent,
  start: absent,
  close: absent,
};
