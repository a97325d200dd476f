/**
 * A process that changes agents, credentials and sessions of the database it is given by mutations, and prints what each was about once it
 * is answered: the action and the id.
 */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { graphql } from 'graphql';
import { contextOf } from '../../schema/context.ts';
import { LogBudget } from '../../schema/log-budget.ts';
import { schema } from '../../schema/schema.ts';
import { Organisations } from '../../src/access/organisations.ts';
import { Access } from '../../src/access/access.ts';
import { KEY_SCOPES, type Principal } from '../../src/access/principal.ts';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { Live } from '../../src/journal/live.ts';
import { systemClock as clock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/id.ts';
import { RoundRobin } from '../../src/kernel/round-robin.ts';
import { openSecretFiles } from '../../src/platform/local/secret-store.ts';
import { openSqlite } from '../../src/platform/sqlite/store.ts';
import { useCasesOver } from '../../src/sessions/use-cases.ts';

const CLIENTS = 4;

const folder = process.argv[2] ?? '';
const store = openSqlite({ path: join(folder, 'test.db') });
const { journal } = store;
const { first: firstOrganisation } = store.organisations;
const secrets = await openSecretFiles(join(folder, 'secrets'), join(folder, 'key'));
const live = new Live({ journal });
const ports = {
  access: new Access({ ...store, clock, signingKey: randomBytes(32), firstOrganisation }),
  organisations: new Organisations({ organisations: store.organisations, clock }),
  audit: new AuditLog({ audit: store.audit, clock }),
  useCasesOf: useCasesOver({
    ...store,
    secrets,
    clock,
    serverKeys: new Set(['anthropic']),
    firstOrganisation,
  }),
  journal,
  live,
};
const principal: Principal = {
  kind: 'key',
  organisationId: firstOrganisation,
  keyId: newId('apiKey'),
  name: 'test',
  valueHash: 'test',
  scopes: KEY_SCOPES,
};
const turns = new RoundRobin(live.scheduler);
const reading = { bytes: 0, take: () => undefined, takeWhole: () => undefined, renew: () => undefined };

/** The id in what is answered; throws what is refused. */
async function changed(action: string, args: string, type: string, id: string): Promise<string> {
  const contextValue = contextOf(ports, {
    principal,
    budget: new LogBudget(turns, principal),
    requestId: 'test',
    reading,
    from: { address: '::1' },
  });
  const source = `mutation { ${action}(${args}) { ... on ${type} { ${id} replayed } ... on Fault { message } } }`;
  const { data, errors } = await graphql({ schema, source, contextValue });
  const found = /"id":"(\w+)"/.exec(JSON.stringify(data))?.[1];
  if (found === undefined) throw new Error(JSON.stringify([data, errors]));
  writeSync(1, `${action} ${found}\n`);
  return found;
}

async function changeForEver(client: number): Promise<never> {
  for (let step = 1; ; step += 1) {
    const name = `"${client} ${step}"`;
    const agent = await changed(
      'createAgent',
      `input: { name: ${name}, model: "anthropic/claude-sonnet-5", prompt: "p" }`,
      'CreateAgentPayload',
      'agent { id }',
    );
    await changed(
      'updateAgent',
      `input: { id: "${agent}", prompt: "q" }`,
      'UpdateAgentPayload',
      'agent { id }',
    );
    const session = await changed(
      'startSession',
      `input: { agent: "${agent}", input: "hi" }`,
      'StartSessionPayload',
      'session { id }',
    );
    const more = `input: { sessionId: "${session}", text: "more" }`;
    await changed('sendMessage', more, 'SendMessagePayload', 'session { id }');
    await changed('archiveSession', `sessionId: "${session}"`, 'ArchiveSessionPayload', 'session { id }');
  }
}

await Promise.all(Array.from({ length: CLIENTS }, (_, client) => changeForEver(client)));
