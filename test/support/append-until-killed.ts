/** A process that appends to five sessions of the database it is given, texts of so many more characters, and prints each seq once it is acknowledged. */
import { writeSync } from 'node:fs';
import { openSqlite } from '../../src/platform/sqlite/store.ts';
import { appending, nothing, originOf, spoken } from './session-log.ts';

const SESSIONS = 5;

const [, , path = '', chars = '0'] = process.argv;
const more = ' '.repeat(Number(chars));

const { journal, sessions } = openSqlite({ path });

async function appendForEver(): Promise<never> {
  const { session } = await sessions.create(originOf(), nothing);
  for (let step = 1; ; step += 1) {
    const { firstSeq, lastSeq } = await journal.append(session.id, {
      key: `step/${step}`,
      decide: appending(spoken(`${step} first${more}`), spoken(`${step} second${more}`)),
    });
    writeSync(1, `${session.id} ${step} ${firstSeq} ${lastSeq}\n`);
  }
}

await Promise.all(Array.from({ length: SESSIONS }, appendForEver));
