/**
 * A canary as the model key: while a session works with it and afterwards, it is in no environment, command line or
 * memory of brain and hands, in no event, no log line, no answer, and in no file.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BSON, MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Rehearsal, startRehearsal } from '../../src/rehearsal/rehearsal.ts';
import { loadScripts } from '../../src/rehearsal/script-folder.ts';
import { eventually } from '../support/eventually.ts';
import { commandLine, descendants, holds } from '../support/processes.ts';
import { World } from '../support/world.ts';

const CANARY = 'sk-ant-canary-5f2e8c0d9b71';
let service: Rehearsal;
let world: World;
beforeAll(async () => {
  const scripts = await loadScripts(`${import.meta.dirname}/scripts`);
  service = await startRehearsal({ port: 0, host: '127.0.0.1', scripts, fallback: 'wait' });
  world = await World.open({ ANTHROPIC_BASE_URL: service.url });
});
afterAll(async () => {
  await world.close();
  await service.close();
});

it('is known to the control plane and the model service alone', async () => {
  await world.createAgent({ name: 'keyed', model: 'anthropic/some-model', key: CANARY });
  const sessionId = await world.startSession({ agent: 'keyed', input: 'Wait.' });
  const workspace = join(world.folder, 'data', 'workspaces', sessionId, 'files');
  await eventually('the command runs', () => existsSync(join(workspace, 'waiting')));

  const units = descendants(world.serverPid);
  const lines = units.map(commandLine);
  expect(lines.some((line) => line.includes('processes/brain.ts'))).toBe(true);
  expect(lines.some((line) => line.includes('processes/hands.ts'))).toBe(true);
  expect(
    units.map((pid) => [commandLine(pid), holds(pid, CANARY)]).filter(([, places]) => places?.length !== 0),
  ).toEqual([]);
  expect(holds(world.serverPid, CANARY)).toEqual(['memory']); // the look does find what is there

  writeFileSync(join(workspace, 'go'), '');
  await world.sees(sessionId, 'turn.completed');
  expect(service.requests.every(({ headers }) => headers['x-api-key'] === CANARY)).toBe(true);
  expect(service.requests.length).toBeGreaterThan(1);

  const shown = JSON.stringify(await world.events(sessionId)) + world.logs + world.output;
  expect(shown).not.toContain(CANARY);
  await world.stop();
  const files = readdirSync(world.folder, { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  const telling = files
    .map((file) => join(file.parentPath, file.name))
    .filter((path) => readFileSync(path).includes(CANARY));
  expect(telling).toEqual([]);
  expect(await documentsOf(world.store['DATABASE_URL'])).not.toContain(CANARY);
});

/** All that is in the database, where that is not among the files. */
async function documentsOf(uri: string | undefined): Promise<string> {
  if (uri === undefined) return '';
  await using client = new MongoClient(uri);
  const collections = await client.db().collections();
  const documents = await Promise.all(collections.map((collection) => collection.find().toArray()));
  expect(documents.flat().length).toBeGreaterThan(0);
  return documents
    .flat()
    .map((document) => BSON.serialize(document))
    .map((bytes) => Buffer.from(bytes).toString('latin1'))
    .join('');
}
