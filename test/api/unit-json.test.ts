/** The unit endpoint looks through JSON before it parses it: a brain that is somebody else's holds up nobody with brackets. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Access } from '../../src/access/access.ts';
import { createUnitDoor, type UnitDoorPorts } from '../../src/api/unit/unit-endpoint.ts';
import { systemClock as clock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/id.ts';
import { silentLogger as logger } from '../../src/kernel/logger.ts';
import { openSqlite } from '../../src/platform/sqlite/store.ts';
import { OURS, OWNED } from '../support/organisation.ts';

it.each([
  ['levels', '['.repeat(200)],
  ['values', `[${'{},'.repeat(300_000)}1]`],
])('too many %s are refused', async (named, json) => {
  const store = openSqlite({ path: ':memory:' });
  const access = new Access({
    ...store,
    clock,
    signingKey: randomBytes(32),
    firstOrganisation: OURS.id,
  });
  const server = createUnitDoor({ access, logger } as UnitDoorPorts); // as: no more is asked for before the JSON is read
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-door-'));
  const socketPath = join(folder, 'unit.sock');
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));

  const headers = {
    authorization: `Bearer ${access.mintUnitToken(OWNED, newId('session'), 1)}`,
  };
  const answer = await new Promise<string>((resolve, reject) => {
    const options = { socketPath, method: 'POST', path: '/unit/append', headers, agent: false };
    const request = httpRequest(options, (response) => {
      let text = `${response.statusCode} `;
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
    request.end(json);
  });
  await new Promise((resolve) => server.close(resolve));
  store.close();
  await rm(folder, { recursive: true });

  expect(answer).toMatch(new RegExp(`^400 .*INVALID_INPUT.*too many ${named}`));
});
