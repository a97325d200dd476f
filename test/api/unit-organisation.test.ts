/** The unit endpoint and a unit token of another organisation than its session's: there is no such session. */
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createUnitDoor, type UnitDoorPorts } from '../../src/api/unit/unit-endpoint.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { Door } from '../support/door.ts';

let door: Door;
let server: ReturnType<typeof createUnitDoor>;
beforeEach(async () => {
  door = await Door.open();
  const { access, runs: sessions, useCasesOf, live, store } = door;
  const never = (): never => {
    throw new Error('Nobody asked for it.');
  };
  const tools: UnitDoorPorts['tools'] = { call: never, cancel: never, checkpoint: never };
  const ports = { access, sessions, useCasesOf, live, journal: store.journal, tools, model: never };
  server = createUnitDoor({ ...ports, logger: silentLogger });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await door.close();
});

async function ask(method: string, path: string, token: string, body = ''): Promise<string> {
  const { port } = server.address() as AddressInfo; // as: it listens on a port
  const headers = { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const asked = request({ port, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(`${response.statusCode} ${text}`));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

it('proves ORGANISATION-1: it is told what a token of a session is told that there never was, and nothing is written', async () => {
  const id = await door.session();
  await door.beginTurn(id);
  const { session, head } = await door.runs.get(id);
  const other = { organisationId: newId('organisation') };
  const command = { kind: 'completeTurn', outcome: 'canceled' };
  const all = async (
    by: { readonly organisationId: typeof session.organisationId },
    sessionId: SessionId,
  ) => {
    const token = door.access.mintUnitToken(by, sessionId, session.epoch);
    const answers = [
      await ask('GET', '/unit/assignment', token),
      await ask('GET', '/unit/events?after=0&to=1', token),
      await ask('POST', '/unit/append', token, JSON.stringify({ key: 'k', command: { kind: 'beginTurn' } })),
      await ask('POST', '/unit/append', token, JSON.stringify({ key: 'k', command })),
      await ask('POST', '/unit/deltas', token, JSON.stringify({ callId: 't1m1', offset: 0, text: 'x' })),
      await ask('POST', '/v1/messages', token),
    ];
    return answers.map((answer) => answer.replaceAll(sessionId, '<id>'));
  };

  const foreign = await all(other, id);
  const absent = await all(other, newId('session'));

  expect(foreign).toEqual(absent);
  for (const answer of foreign) expect(answer).toContain('404 {"error":{"code":"SESSION_NOT_FOUND"');
  expect((await door.runs.get(id)).head).toBe(head);
  const own = door.access.mintUnitToken(session, id, session.epoch);
  expect(await ask('GET', '/unit/assignment', own)).toContain(`200 {"sessionId":"${id}"`);
});
