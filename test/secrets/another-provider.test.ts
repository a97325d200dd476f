/** A second provider is one entry in the table: with it, its models, its credentials, its variables and its gateway are there. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { printedDocs } from '../../scripts/print-docs.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { Scope } from '../../src/kernel/scope.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { Prices } from '../../src/models/prices.ts';
import { readConfig } from '../../src/processes/config.ts';
import { createModelDoor } from '../../src/processes/model-door.ts';
import { isSecret } from '../../src/secrets/secret-key.ts';
import { parseModel } from '../../src/sessions/model-name.ts';
import { Door } from '../support/door.ts';

vi.mock(import('../../src/secrets/provider-table.ts'), async (original) => {
  const module = await original();
  Object.assign(module.PROVIDER_TABLE, {
    acme: {
      title: 'Acme',
      protocol: 'anthropic-messages',
      baseUrl: 'https://models.acme.example',
      baseUrlVariable: 'ACME_BASE_URL',
      keyVariable: 'ACME_API_KEY',
      keyShape: /^acme-/,
      auth: (key: string) => ({ authorization: `Bearer ${key}` }),
    },
  });
  return module;
});

let door: Door;
let scope: Scope;
beforeEach(async () => {
  door = await Door.open({ serverKey: false });
  scope = new Scope();
});
afterEach(async () => {
  await scope.close();
  await door.close();
});

it('is known in names, variables and their page', () => {
  expect(parseModel('acme/some/model@2').provider).toBe('acme');
  expect(isSecret('acme-words-and-nothing-else')).toBe(true);
  expect(printedDocs()['configuration.md']).toMatch(/`ACME_BASE_URL` \| https:\/\/models\.acme\.example/);
  const { providers } = readConfig({ ACME_API_KEY: 'acme-0' });
  expect(Object.entries(providers)).toMatchObject([
    ['anthropic', { baseUrl: 'https://api.anthropic.com', key: undefined }],
    ['acme', { baseUrl: 'https://models.acme.example', key: expect.any(Sealed) }],
  ]);
  expect(() => readConfig({ ACME_BASE_URL: 'nowhere' })).toThrow(
    'ACME_BASE_URL: expected an http or https URL.',
  );
});

it('gets the calls of its sessions, with their own key in its own header', async () => {
  const seen: IncomingHttpHeaders[] = [];
  const service = createServer((request, response) => {
    seen.push(request.headers);
    response.end('{}');
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  scope.add('service', service, (one) => void one.close());
  const { port } = service.address() as AddressInfo; // it listens on a port
  const { credentials, sessions } = door;
  await credentials.create({ provider: 'anthropic', key: new Sealed('sk-ant-another') });
  await credentials.create({ provider: 'acme', key: new Sealed('acme-0123456789') });
  await door.agents.create({ name: 'a', model: 'acme/some/model@2', prompt: 'x' });
  const { session } = await sessions.start({ agent: 'a', input: 'Hi.', actor: { kind: 'human' } });
  const config = readConfig({ ACME_BASE_URL: `http://127.0.0.1:${port}` });
  const model = await createModelDoor(
    config,
    {
      sessions: door.runs,
      useCasesOf: door.useCasesOf,
      prices: new Prices(),
      clock: systemClock,
      logger: silentLogger,
    },
    scope,
  );
  const front = createServer((request, response) => void model(request, response, session.id));
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  scope.add('front', front, (one) => void one.close());

  const { port: frontPort } = front.address() as AddressInfo; // it listens on a port
  const response = await fetch(`http://127.0.0.1:${frontPort}/v1/messages`, {
    method: 'POST',
    headers: { 'x-holdfast-call': 't1m1' },
    body: JSON.stringify({ model: 'some/model@2', max_tokens: 9, messages: [] }),
  });

  expect(response.status).toBe(200);
  expect(seen).toHaveLength(1);
  expect(seen[0]).toMatchObject({ authorization: 'Bearer acme-0123456789' });
  expect(seen[0]).not.toHaveProperty('x-api-key');
});
