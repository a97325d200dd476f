/** The audit log as it is read: by a query in pages, and as an export of a line each. */
import { get } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { must } from '../../src/kernel/assert.ts';
import { newId } from '../../src/kernel/id.ts';
import { nextRound, systemScheduler } from '../../src/kernel/scheduler.ts';
import { type Answer, Door, ROOT_KEY, rootOf } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';

const ENTRIES = 250;

let door: Door;
beforeAll(async () => {
  door = await Door.open();
  const { organisationId } = door;
  const actor = { kind: 'key', id: newId('apiKey') } as const;
  const targets = [0, 1, 2].map(() => ({ kind: 'agent', id: newId('agent') }) as const);
  for (let count = 0; count < ENTRIES; count += 1) {
    const action = count % 5 === 0 ? 'createAgent' : 'updateAgent';
    const asked = {
      organisationId,
      at: Date.now() - 1_000 * count,
      action,
      actor,
      target: targets[count % 3],
    };
    await door.audit.add(asked, { outcome: 'done', after: { count } });
  }
  const input = { name: 'read', model: 'rehearsal/echo', prompt: 'p' };
  await door.ask('mutation ($input: CreateAgentInput!) { createAgent(input: $input) { __typename } }', {
    input,
  });
});
afterAll(() => door.close());

async function entries(): Promise<readonly AuditEntry[]> {
  return door.store.audit.list(door.organisationId, { limit: 100_000 });
}

async function clientToken(): Promise<string> {
  return (await door.access.mintClientToken(door, await door.session())).token;
}

describe('auditEntries', () => {
  const QUERY = `query ($first: Int, $after: String, $filter: AuditFilter) { auditEntries(first: $first, after: $after, filter: $filter) {
    nodes { id at action actor { kind id name } target { kind id } before after outcome code requestId from { address userAgent } }
    pageInfo { hasNextPage endCursor } } }`;

  it('gives the log in pages, newest first, as it is stored', async () => {
    const all = (await entries()).map(({ id }) => id);
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const { auditEntries } = await door.ask(QUERY, { first: 7, after });
      seen.push(...auditEntries.nodes.map(({ id }: { id: string }) => id));
      after = auditEntries.pageInfo.hasNextPage ? auditEntries.pageInfo.endCursor : undefined;
    } while (after !== undefined);

    expect(seen).toEqual(all);
    const { auditEntries } = await door.ask(QUERY, { first: 1 });
    expect(auditEntries.nodes[0]).toMatchObject({
      action: 'createAgent',
      actor: { kind: 'KEY', name: 'root' },
      target: { kind: 'AGENT' },
      before: null,
      after: { name: 'read', model: 'rehearsal/echo' },
      outcome: 'DONE',
      from: { address: '127.0.0.1', userAgent: 'node' },
    });
  });

  it('finds by action, actor, target and time', async () => {
    const all = await entries();
    const [newest] = all;
    const target = must(all.find((entry) => entry.target !== undefined)?.target, 'there is one');
    const at = (ms: number): string => new Date(ms).toISOString();
    const found = async (filter: object): Promise<number> =>
      (await door.ask(QUERY, { first: 500, filter })).auditEntries.nodes.length;
    const count = (is: (entry: AuditEntry) => boolean): number => all.filter(is).length;

    expect(await found({ action: 'updateAgent' })).toBe(count(({ action }) => action === 'updateAgent'));
    expect(await found({ targetId: target.id })).toBe(count((entry) => entry.target?.id === target.id));
    expect(await found({ actorId: newest?.actor.id })).toBe(
      count(({ actor }) => actor.id === newest?.actor.id),
    );
    const middle = must(all[Math.floor(all.length / 2)], 'there are some').at;
    expect(await found({ since: at(middle) })).toBe(count((entry) => entry.at >= middle));
    expect(await found({ until: at(middle) })).toBe(count((entry) => entry.at < middle));
    expect(await found({ since: at(Date.now() + 60_000) })).toBe(0);
  });

  it('is for keys that may see it', async () => {
    const { body } = await door.post(QUERY, {}, await clientToken());

    expect(JSON.stringify(body)).toContain('FORBIDDEN');
  });
});

describe('GET /audit.ndjson', () => {
  const fetched = (query = '', bearer = ROOT_KEY): Promise<Response> =>
    fetch(`http://127.0.0.1:${door.port}/audit.ndjson${query}`, {
      headers: { authorization: `Bearer ${bearer}` },
    });
  const linesOf = async (response: Response): Promise<readonly Answer[]> =>
    (await response.text())
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));

  it('gives the whole log a line each, and goes on behind any of them', async () => {
    const all = (await entries()).map(({ id }) => id);
    const response = await fetched();
    const lines = await linesOf(response);

    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(all.length).toBeGreaterThan(80);
    expect(lines.map(({ id }) => id)).toEqual(all);
    const [line] = lines;
    const { auditEntries } = await door.ask(
      '{ auditEntries(first: 1) { nodes { id at action actor { kind id name } target { kind id } before after outcome code requestId from { address userAgent } } pageInfo { endCursor } } }',
    );
    expect(line).toEqual({ cursor: auditEntries.pageInfo.endCursor, ...auditEntries.nodes[0] });
    const rest = await linesOf(await fetched(`?after=${lines[4].cursor}`));
    expect(rest.map(({ id }) => id)).toEqual(all.slice(5));
    const some = await linesOf(await fetched(`?action=updateAgent&since=${new Date(0).toISOString()}`));
    expect(new Set(some.map(({ action }) => action))).toEqual(new Set(['updateAgent']));
  });

  it.each([
    ['?after=x', ROOT_KEY, 400, 'INVALID_INPUT'],
    ['?since=yesterday', ROOT_KEY, 400, 'INVALID_INPUT'],
    ['?other=x', ROOT_KEY, 400, 'INVALID_INPUT'],
    ['', 'nobody-has-this-key', 401, 'UNAUTHENTICATED'],
  ])('refuses %s with %s', async (query, bearer, status, code) => {
    const response = await fetched(query, bearer);

    expect(response.status).toBe(status);
    expect((await response.json()).error.code).toBe(code);
  });

  it('refuses client tokens, and what is no GET', async () => {
    expect((await fetched('', await clientToken())).status).toBe(403);
    const posted = await fetch(`http://127.0.0.1:${door.port}/audit.ndjson`, { method: 'POST' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET']);
  });

  it('proves EXPORT-3: leaves out nothing and has nothing twice, also where many entries are of one moment', async () => {
    const { organisationId } = door;
    const [action, actor] = ['at once', { kind: 'system' }] as const;
    const moment = Date.UTC(2001, 0, 1);
    const times = [moment - 1, ...Array.from({ length: 230 }, () => moment), moment + 1]; // more than are read at a time
    for (const at of times) await door.audit.add({ organisationId, at, action, actor }, { outcome: 'done' });
    const idsOf = (lines: readonly Answer[]): readonly string[] => lines.map(({ id }) => id);
    const [from, exactly] = [moment - 1, moment].map((at) => new Date(at).toISOString());
    const all = await linesOf(await fetched(`?action=at+once&since=${from}`));
    expect(new Set(idsOf(all)).size).toBe(times.length);

    const steps = Array.from({ length: 24 }, (_, step) => all.slice(step * 10, step * 10 + 10));
    for (const step of steps.filter((lines) => lines.length > 0)) {
      const rest = await linesOf(await fetched(`?action=at+once&since=${from}&after=${step.at(-1)?.cursor}`));
      expect(idsOf(rest)).toEqual(idsOf(all).slice(all.indexOf(step.at(-1)) + 1));
    }

    const newer = await linesOf(await fetched(`?action=at+once&since=${exactly}`));
    const older = await linesOf(await fetched(`?action=at+once&since=${from}&until=${exactly}`));
    expect([newer.length, older.length]).toEqual([231, 1]);
    expect(idsOf([...newer, ...older])).toEqual(idsOf(all));
  });

  it('proves EXPORT-2: waits for turns among what else its key reads', async () => {
    const asked: string[] = [];
    const { turnsOf } = door.graphql;
    const held = Promise.withResolvers<void>();
    door.graphql.turnsOf = (req, principal) => {
      const turns = turnsOf(req, principal);
      return {
        begin: () => turns.begin().then(() => void asked.push('begin')),
        read: () => held.promise.then(() => turns.read()).then(() => void asked.push('read')),
      };
    };
    try {
      const exporting = fetched('?until=1970-01-01');
      await eventually('it has begun', () => asked.length > 0);
      expect(asked).toEqual(['begin']);

      held.resolve();

      expect(await linesOf(await exporting)).toEqual([]);
      expect(asked).toEqual(['begin', 'read']);
    } finally {
      door.graphql.turnsOf = turnsOf;
    }
  });

  it('proves EXPORT-1: holds little of a log that nobody reads on, two at a time, and lets go when clients do', async () => {
    const filling = {
      organisationId: door.organisationId,
      action: 'filled',
      actor: { kind: 'system' },
    } as const;
    const after = { text: 'x'.repeat(3_000) };
    for (let at = 0; at < 4_000; at += 1)
      await door.audit.add({ ...filling, at }, { outcome: 'done', after });
    let reads = 0;
    const { audit } = door.store;
    const list = audit.list.bind(audit);
    audit.list = (...page) => {
      reads += 1;
      return list(...page);
    };
    const opened = [0, 1].map(() =>
      get(`http://127.0.0.1:${door.port}/audit.ndjson`, {
        headers: { authorization: `Bearer ${ROOT_KEY}` },
      }).on('response', (response) => response.pause()),
    );
    try {
      await eventually('both stand still', async () => {
        const before = reads;
        for (let round = 0; round < 200; round += 1) await nextRound(systemScheduler);
        return before > 2 && reads === before;
      });
      expect(reads).toBeLessThan(80); // of 82: 12 MB do not fit into what lies between
      const third = await fetched();
      expect([third.status, third.headers.get('retry-after')]).toEqual([429, '5']);
      expect((await third.json()).error.code).toBe('TOO_MANY_OPERATIONS');

      for (const request of opened) request.destroy();

      await eventually(
        'there is room again',
        async () => (await fetched('?until=1970-01-01')).status === 200,
      );
    } finally {
      audit.list = list;
      for (const request of opened) request.on('error', () => undefined).destroy();
    }
  });

  it('proves EXPORT-1: is cut when its key is revoked, also where nobody reads on', async () => {
    const { organisationId } = door;
    const request = { name: 'exporter', scopes: ['keys:write'] };
    const { apiKey, value } = await door.access.keysOf(organisationId).create(await rootOf(door), request);
    const exporting = get(`http://127.0.0.1:${door.port}/audit.ndjson`, {
      headers: { authorization: `Bearer ${value}` },
    });
    exporting.on('error', () => undefined);
    exporting.on('response', (response) => {
      response.on('error', () => undefined);
      response.pause();
    });
    await eventually('it has begun', () => door.graphql.held.watched > 0);

    await door.access.keysOf(organisationId).revoke(await rootOf(door), apiKey.id);

    await eventually('the server lets go of it', () => door.graphql.held.watched === 0);
    exporting.destroy();
  });

  it('refuses a key in its address (URL-1)', async () => {
    const refused = await fetch(`http://127.0.0.1:${door.port}/audit.ndjson?key=hf_0123`);
    expect([refused.status, (await refused.json()).errors[0].extensions.code]).toEqual([400, 'KEY_IN_URL']);
  });
});
