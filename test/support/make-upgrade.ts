/**
 * Makes the databases of test/fixtures/upgrade with a checkout of the version that is to be upgraded from:
 *
 *   git worktree add --detach ../then <commit> && (cd ../then && npm ci)
 *   npx node test/support/make-upgrade.ts ../then sqlite; npx node test/support/make-upgrade.ts ../then mongo
 *
 * Its server runs four sessions on a script, and is killed in the middle of one: of a fixture that is made again, all ids and times differ.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { BSON, MongoClient } from 'mongodb';
import { eventually } from './eventually.ts';
import { mongoServer } from './mongo.ts';
import type { Store } from './stores.ts';
import { type Fixture, SCRIPTS, type Then, UPGRADE } from './upgrade.ts';
import type { World } from './world.ts';

/** What git would be asked to keep: the fixture is small. */
const BYTES_MAX = 200 * 1024;
/** Half a surrogate pair: older versions let it into the log. */
const HALF = '\ud83d';
/** Collections whose documents mean nothing to a later server. */
const PASSING: ReadonlySet<string> = new Set(['live']);

const CREATE = `mutation ($input: CreateAgentInput!, $key: String) { createAgent(input: $input, idempotencyKey: $key) {
  __typename ... on CreateAgentPayload { agent { id name model prompt } } ... on Fault { code message } } }`;
const UPDATE = `mutation ($input: UpdateAgentInput!) { updateAgent(input: $input) {
  __typename ... on UpdateAgentPayload { agent { revision prompt } } ... on Fault { code message } } }`;
const START = `mutation ($input: StartSessionInput!, $key: String) { startSession(input: $input, idempotencyKey: $key) {
  __typename ... on StartSessionPayload { session { id agentRevision } turnId } ... on Fault { code message } } }`;
const SEND = `mutation ($input: SendMessageInput!, $key: String) { sendMessage(input: $input, idempotencyKey: $key) {
  __typename ... on SendMessagePayload { eventId turnId } ... on Fault { code message } } }`;
const TOKEN = `mutation ($id: ID!) { createClientToken(sessionId: $id) {
  __typename ... on CreateClientTokenPayload { clientToken { token } } ... on Fault { code message } } }`;

const [checkout = '', store = ''] = process.argv.slice(2);
if (store !== 'sqlite' && store !== 'mongo')
  throw new Error('usage: make-upgrade.ts <checkout of the older version> sqlite|mongo');
await make(resolve(checkout), store);

async function make(older: string, kind: Store): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-make-'));
  const mongo = kind === 'mongo' ? await mongoServer() : undefined;
  const uri = mongo?.uri();
  const env = {
    HOLDFAST_DATA: folder,
    HOLDFAST_REHEARSAL: SCRIPTS,
    ...(uri === undefined ? {} : { DATABASE_URL: uri }),
  };
  // as: the older World has had the same methods since there is one
  const module = (await import(join(older, 'test/support/world.ts'))) as { World: typeof World };
  const story = await tell(module.World, env, folder);
  const told: Then = { commit: commitOf(older), at: Date.now(), ...story };
  const files = filesOf(folder);
  const collections = uri === undefined ? undefined : await dump(uri);
  const made = join(UPGRADE, told.commit);
  await mkdir(made, { recursive: true });
  if (kind === 'sqlite') await compact(join(folder, 'holdfast.db'), join(made, 'sqlite.db'));
  const fixture: Fixture = { told, files, ...(collections === undefined ? {} : { collections }) };
  await writeFile(
    join(made, `${kind}.json`),
    `${BSON.EJSON.stringify(fixture, undefined, 1, { relaxed: true })}\n`,
  );
  const { size } = await stat(join(made, `${kind}.json`));
  if (size > BYTES_MAX) throw new Error(`the fixture has ${size} bytes; ${BYTES_MAX} are enough`);
  await mongo?.close();
  await rm(folder, { recursive: true, force: true });
}

/** Two lives of the server: in the first sessions sleep as soon as they can, in the second they stay awake until it is killed. */
async function tell(
  OlderWorld: typeof World,
  env: Readonly<Record<string, string>>,
  folder: string,
): Promise<Omit<Then, 'commit' | 'at'>> {
  const asked: Then['asked'][number][] = [];
  const world = await OlderWorld.open({ ...env, HOLDFAST_IDLE_SECONDS: '1' }, 'sqlite');
  const ask = async (one: World, query: string, variables: object) => {
    const answer = await one.graphql(query, { ...variables });
    asked.push({ query, variables, answer });
    return Object.values(answer)[0] as any; // oxlint-disable-line typescript/no-explicit-any -- of the query just above
  };
  const input = { name: 'then', model: 'rehearsal/then', prompt: 'You are of then.' };
  const { agent } = await ask(world, CREATE, { input, key: 'create' });
  await ask(world, CREATE, { input: { ...input, name: 'half', prompt: `half ${HALF}` }, key: 'create half' });
  const start = async (one: World, name: string, text: string): Promise<string> => {
    const session = {
      agent: 'then',
      input: text,
      key: `key of ${name}`,
      metadata: { name, list: [1, { 'a.b': null }] },
    };
    return (await ask(one, START, { input: session, key: `start ${name}` })).session.id;
  };
  const hibernated = await start(world, 'hibernated', 'work, then sleep');
  await world.sees(hibernated, 'session.hibernated');
  const failed = await start(world, 'failed', 'fail');
  await world.status(failed, 'FAILED');
  await world.graphql(UPDATE, { input: { id: agent.id, prompt: 'You are of then, revised.' } });
  await world.stop();

  const second = await OlderWorld.open({ ...env, HOLDFAST_IDLE_SECONDS: '3600' }, 'sqlite');
  const idle = await start(second, 'idle', 'work');
  await second.status(idle, 'IDLE');
  await ask(second, SEND, { input: { sessionId: idle, text: 'and now?', raw: { a: [1] } }, key: 'send' });
  await second.sees(idle, 'turn.completed', 2);
  const half = { sessionId: idle, text: `half ${HALF}`, raw: { [HALF]: [HALF] } };
  await ask(second, SEND, { input: half, key: 'half' });
  await second.sees(idle, 'turn.completed', 3);
  const killed = await start(second, 'killed', 'wait');
  const mark = join(folder, 'workspaces', killed, 'files', 'waiting');
  await eventually('the command runs', () => existsSync(mark));
  const { createClientToken } = await second.graphql(TOKEN, { id: idle });
  const sessions = { hibernated, failed, idle, killed };
  const logs: Record<string, readonly unknown[]> = {};
  for (const id of Object.values(sessions)) logs[id] = await second.events(id);
  await second.crash();
  await world.close();
  await second.close();
  const { token: clientToken } = createClientToken.clientToken;
  return { clientToken, agentId: agent.id, sessions, asked, logs };
}

function commitOf(older: string): string {
  return execFileSync('git', ['-C', older, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
}

/** Secrets and workspaces; what a server makes anew when it starts is left out. */
function filesOf(folder: string): Record<string, string> {
  const paths = globSync('**/*', { cwd: folder, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.startsWith('holdfast.db'),
  );
  const names = paths.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  return Object.fromEntries(
    names
      .filter((name) => !name.startsWith('run/'))
      .toSorted()
      .map((name) => [name, readFileSync(join(folder, name)).toString('base64')]),
  );
}

/** One file, with what the killed server had only in its write-ahead log. */
async function compact(from: string, to: string): Promise<void> {
  await rm(to, { force: true });
  const database = new DatabaseSync(from);
  database.prepare('VACUUM INTO ?').run(to);
  database.close();
}

async function dump(uri: string): Promise<Fixture['collections']> {
  await using client = new MongoClient(uri);
  const db = client.db();
  const names = (await db.listCollections().toArray()).map(({ name }) => name).toSorted();
  const collections: NonNullable<Fixture['collections']>[number][] = [];
  for (const name of names) {
    const collection = db.collection(name);
    const indexes = (await collection.indexes()).filter((index) => index.name !== '_id_');
    collections.push({
      name,
      indexes,
      documents: PASSING.has(name) ? [] : await collection.find().toArray(),
    });
  }
  return collections;
}
