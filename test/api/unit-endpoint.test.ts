/** The unit endpoint over its real socket: what a brain may do, and what one that is mistaken, old or taken over may not. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, request as httpRequest, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '../../src/access/access.ts';
import { createUnitDoor } from '../../src/api/unit/unit-endpoint.ts';
import { Live } from '../../src/journal/live.ts';
import { systemClock as clock } from '../../src/kernel/clock.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { silentLogger as logger } from '../../src/kernel/logger.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { planOf } from '../../src/models/model-table.ts';
import type { Agents } from '../../src/sessions/agents.ts';
import type { ModelSettings } from '../../src/sessions/model-plan.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import type { NewEvent } from '../../src/journal/event.ts';
import type { Turn } from '../../src/sessions/session.ts';
import type { Assignment } from '../../src/sessions/unit-wire.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import { eventually } from '../support/eventually.ts';
import { queuedSession } from '../support/session-log.ts';
import { OURS, OWNED } from '../support/organisation.ts';

let store: SqliteStore;
let live: Live;
let access: Access;
let server: Server;
let folder: string;
let sessionId: SessionId;
let called: string[];
let settings: ModelSettings | undefined;
let onCheckpoint: () => void;
/** Until when tools run. */
let toolsEnd: Promise<void> | undefined;

beforeEach(async () => {
  store = openSqlite({ path: ':memory:' });
  const { journal } = store;
  live = new Live({ journal });
  access = new Access({ ...store, clock, signingKey: randomBytes(32), firstOrganisation: OURS.id });
  called = [];
  settings = undefined;
  onCheckpoint = () => undefined;
  toolsEnd = undefined;
  const sessions = new SessionRuns({ journal, sessions: store.sessions });
  const tools = {
    call: async (_: SessionId, { callId }: { callId: string }) => {
      called.push(`tool ${callId}`);
      await toolsEnd;
      return { outcome: 'ok', output: 'done', durationMs: 1 } as const;
    },
    cancel: (_: SessionId, callId: string) => void called.push(`cancel ${callId}`),
    checkpoint: async (_: SessionId, { turn }: { turn: number }, outcome: string) => {
      called.push(`checkpoint ${turn} ${outcome}`);
      onCheckpoint();
    },
  };
  const model = async (_: IncomingMessage, response: { end: () => void }): Promise<void> => {
    called.push('model');
    response.end();
  };
  const agents = { revision: async () => ({ prompt: 'Be brief.', settings }) } as unknown as Agents; // all that the door asks
  const useCasesOf = () => ({ agents });
  server = createUnitDoor({ access, sessions, useCasesOf, journal, live, logger, tools, model });
  folder = await mkdtemp(join(tmpdir(), 'holdfast-door-'));
  await new Promise<void>((resolve) => server.listen(join(folder, 'unit.sock'), resolve));
  sessionId = await started();
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  live.close();
  store.close();
  await rm(folder, { recursive: true });
});

async function started(): Promise<SessionId> {
  const id = await queuedSession(store);
  await apply(id, { kind: 'takeLease', owner: 'me' });
  return id;
}

const apply = (id: SessionId, command: Command) =>
  store.journal.append(id, { decide: (session) => decide(session, command) });

interface Answer {
  readonly status: number;
  /** Whose refusal it is (unit-wire.ts). */
  readonly refusal: unknown;
  readonly body: { readonly error?: { code: string; message: string }; readonly [name: string]: unknown };
}

function ask(
  method: string,
  path: string,
  body?: unknown,
  token = access.mintUnitToken(OWNED, sessionId, 1),
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const request = httpRequest(
      { socketPath: join(folder, 'unit.sock'), method, path, headers, agent: false },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            refusal: response.headers['x-holdfast-refusal'],
            body: text === '' ? {} : JSON.parse(text),
          }),
        );
      },
    );
    request.on('error', reject);
    request.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
  });
}

const begin = { key: 't1/started', command: { kind: 'beginTurn' } };
const record = (...events: readonly unknown[]) => ({ key: 'k', command: { kind: 'record', events } });
const turnId = async (): Promise<string | undefined> =>
  (await store.sessions.get(sessionId))?.session.turn?.id;

describe('an assignment', () => {
  it('says how the model of the session is called', async () => {
    settings = { effort: 'high', maxOutputTokens: 5_000, contextWindow: 50_000, cacheTtl: '1h' };
    const { body } = await ask('GET', '/unit/assignment');

    expect(body).toMatchObject({ sessionId, epoch: 1, prompt: 'Be brief.', limits: {} });
    expect(body['plan']).toEqual(JSON.parse(JSON.stringify(planOf('rehearsal-echo', settings))));
    expect(body['fallback']).toBeUndefined();
  });

  it('names the fallback as it is called, whose window is its own', async () => {
    const asked: ModelSettings = { effort: 'high', cacheTtl: '1h' };
    settings = { ...asked, contextWindow: 50_000, fallbackModel: 'rehearsal/tools' };
    const { body } = await ask('GET', '/unit/assignment');

    expect(body['fallback']).toEqual(JSON.parse(JSON.stringify(planOf('rehearsal-tools', asked))));
  });

  it('has no fallback where that is the model which the session was started with', async () => {
    settings = { fallbackModel: 'rehearsal/echo' };

    expect((await ask('GET', '/unit/assignment')).body['fallback']).toBeUndefined();
  });
});

describe('an append', () => {
  it('is written once under its key, however often it comes', async () => {
    const first = await ask('POST', '/unit/append', begin);
    const again = await ask('POST', '/unit/append', begin);

    expect(first).toEqual({ status: 200, body: { firstSeq: 3, lastSeq: 3, replayed: false } });
    expect(again).toEqual({ status: 200, body: { firstSeq: 3, lastSeq: 3, replayed: true } });
  });

  it('that ends the turn is made once the files of the turn are kept', async () => {
    await ask('POST', '/unit/append', begin);
    const end = { key: 't1/completed', command: { kind: 'completeTurn', outcome: 'max_turns' } };
    const headThen = (): Promise<number> => store.journal.head(sessionId);
    let head: Promise<number> | undefined;
    onCheckpoint = () => void (head = headThen());
    await ask('POST', '/unit/append', end, access.mintUnitToken(OWNED, sessionId, 7)); // of no brain here
    expect(called).toEqual([]);
    await ask('POST', '/unit/append', end);

    expect(called).toEqual(['checkpoint 1 max_turns']);
    expect([await head, await headThen()]).toEqual([3, 4]);
  });

  it('that is refused because a message waits keeps no files as those of a turn that is over', async () => {
    await ask('POST', '/unit/append', begin);
    const actor = { kind: 'system' } as const;
    await apply(sessionId, { kind: 'send', text: 'and this', mode: 'steer', actor });
    const end = { key: 't1/completed', command: { kind: 'completeTurn', outcome: 'completed' } };
    const { status, body } = await ask('POST', '/unit/append', end);

    expect([status, body.error?.code]).toEqual([409, 'INPUT_PENDING']);
    expect(called).toEqual([]);
  });

  it('holds only what brains write, in the right form, in the running turn (UNIT-2)', async () => {
    await ask('POST', '/unit/append', begin);
    const turn = await turnId();
    const bad: readonly [unknown, string][] = [
      [record({ type: 'user.message', turnId: turn, body: { text: 'x', mode: 'steer' } }), 'INVALID_INPUT'],
      [record({ type: 'brain.started', turnId: turn, body: { epoch: 9, owner: 'x' } }), 'INVALID_INPUT'],
      [record({ type: 'agent.message', turnId: turn, body: { callId: 'c' } }), 'INVALID_INPUT'],
      [
        record({ type: 'agent.message', turnId: turn, body: { callId: 'c', text: 'x', more: 1 } }),
        'INVALID_INPUT',
      ],
      [
        record({ type: 'agent.message', turnId: newId('turn'), body: { callId: 'c', text: 'x' } }),
        'TURN_OVER',
      ],
      [record(), 'INVALID_INPUT'],
      [{ key: '', command: { kind: 'beginTurn' } }, 'INVALID_INPUT'],
      [{ key: 'k', command: { kind: 'archive' } }, 'INVALID_INPUT'],
      ['leak', 'INVALID_INPUT'],
      ['null', 'INVALID_INPUT'],
    ];
    const said = [];
    for (const [body] of bad) said.push((await ask('POST', '/unit/append', body)).body.error);
    expect(said.map((error) => error?.code)).toEqual(bad.map(([, code]) => code));
    expect([await store.journal.head(sessionId), JSON.stringify(said).includes('leak')]).toEqual([3, false]);
  });
});

describe('half a character', () => {
  it('that a model wrote comes into the log as U+FFFD, in texts, names and inputs, however deep (UNIT-2)', async () => {
    await ask('POST', '/unit/append', begin);
    const turn = await turnId();
    const deep = '['.repeat(60) + '"\\ud83d"' + ']'.repeat(60);
    const events = `[{"type":"agent.message","turnId":"${turn}","body":{"callId":"c","text":"cut \\uD83D"}},
      {"type":"tool.call","turnId":"${turn}","body":{"callId":"t","modelCallId":"c","toolUseId":"u","tool":"bash",
        "input":{"\\udE00":${deep},"whole":"\\ud83d\\ude00","spelled":"\\\\ud83d","__proto__":{"a":"\\udfff"}}}}]`;
    const { status } = await ask(
      'POST',
      '/unit/append',
      `{"key":"k","command":{"kind":"record","events":${events}}}`,
    );
    const log = await store.journal.read(sessionId, { after: 3, limit: 9 });

    expect(status).toBe(200);
    expect(log.map(({ body }) => body.isWellFormed() && !/[^\\]\\ud[89a-f]/i.test(body))).toEqual([
      true,
      true,
    ]);
    expect(JSON.parse(log[0]?.body ?? '').text).toBe('cut \ufffd');
    const input = `{"\ufffd":${deep.replace('\\ud83d', '\ufffd')},"whole":"😀","spelled":"\\\\ud83d","__proto__":{"a":"\ufffd"}}`;
    expect(JSON.stringify(JSON.parse(log[1]?.body ?? '').input)).toBe(input);
  });

  it('is in no failure either, which is cut where it is too long', async () => {
    await ask('POST', '/unit/append', begin);
    const failure = { code: 'X', message: `${'x'.repeat(1_999)}😀` };
    await ask('POST', '/unit/append', {
      key: 'k',
      command: { kind: 'completeTurn', outcome: 'error', failure },
    });
    const entry = await store.sessions.get(sessionId);

    expect(entry?.session.turn?.failure?.message.slice(-2)).toBe('x\ufffd');
  });
});

describe('a delta', () => {
  it('is of the message or of the thinking, and of nothing else', async () => {
    const end = live.subscribe(sessionId, () => undefined);
    const kinds = [undefined, 'message', 'thinking', 'tool', 7];
    const statuses = [];
    for (const [at, kind] of kinds.entries()) {
      statuses.push(
        (await ask('POST', '/unit/deltas', { callId: `c${at}`, kind, offset: 0, text: 'x' })).status,
      );
    }

    expect(statuses).toEqual([204, 204, 204, 400, 400]);
    expect(live.draftsOf(sessionId).map(({ callId }) => callId)).toEqual(['c0', 'c1']);
    expect(live.draftsOf(sessionId, 'thinking').map(({ callId }) => callId)).toEqual(['c2']);
    end();
  });
});

describe('a brain that was replaced', () => {
  it('writes nothing, reads nothing, calls no model and no tool (UNIT-1)', async () => {
    await apply(sessionId, { kind: 'takeLease', owner: 'other' });
    const answers = await Promise.all([
      ask('POST', '/unit/append', begin),
      ask('GET', '/unit/assignment'),
      ask('GET', '/unit/events?after=0'),
      ask('POST', '/unit/deltas', { callId: 'c', offset: 0, text: 'x' }),
      ask('POST', '/unit/tools/c1', { tool: 'bash', input: {}, timeoutMs: 1 }),
      ask('POST', '/v1/messages', {}),
    ]);

    expect(answers.map(({ status, body, refusal }) => [status, body.error?.code, refusal])).toEqual(
      answers.map(() => [409, 'EPOCH_STALE', 'door']),
    );
    expect(called).toEqual([]);
  });
});

describe('a token', () => {
  it('that is no unit token, or none at all, opens nothing', async () => {
    const client = (await access.mintClientToken(OWNED, sessionId)).token;
    const statuses = [];
    for (const token of ['', 'hut_x.y', 'hf_nobody', client]) {
      statuses.push((await ask('GET', '/unit/assignment', undefined, token)).status);
    }
    expect(statuses).toEqual([401, 401, 401, 403]);
  });
});

describe('an archived session', () => {
  it('makes no model call and runs no tool', async () => {
    await apply(sessionId, { kind: 'archive', actor: { kind: 'human' } });
    const answers = [await ask('POST', '/v1/messages', {}), await ask('POST', '/unit/tools/c1', {})];

    expect(answers.map(({ body }) => body.error?.code)).toEqual(['SESSION_ARCHIVED', 'SESSION_ARCHIVED']);
    expect(called).toEqual([]);
  });
});

/** In the log, in a turn that runs. */
async function journalled(callId: string, input: object, more: object = {}): Promise<void> {
  await ask('POST', '/unit/append', begin);
  const body = { callId, modelCallId: 't1m1', toolUseId: 'u', tool: 'bash', input, ...more };
  const call = { type: 'tool.call', turnId: await turnId(), body };
  await ask('POST', '/unit/append', { ...record(call), key: callId });
}

describe('tools and paths', () => {
  it('leave a tool alone when its request is closed: only a cancel stops it (UNIT-3)', async () => {
    const end = Promise.withResolvers<void>();
    toolsEnd = end.promise;
    await journalled('t1m1.0', {});
    const headers = {
      authorization: `Bearer ${access.mintUnitToken(OWNED, sessionId, 1)}`,
    };
    const path = '/unit/tools/t1m1.0';
    const request = httpRequest({ socketPath: join(folder, 'unit.sock'), method: 'POST', path, headers });
    request.on('error', () => undefined);
    request.end(JSON.stringify({ tool: 'bash', input: {}, timeoutMs: 5 }));
    await eventually('it runs', () => called.includes('tool t1m1.0'));
    request.destroy();
    const connections = () =>
      new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
    await eventually('its connection is gone', async () => (await connections()) === 0);
    expect(called).toEqual(['tool t1m1.0']);

    await ask('POST', '/unit/tools/t1m1.0/cancel');
    expect(called).toEqual(['tool t1m1.0', 'cancel t1m1.0']);
    end.resolve();
  });

  it('reach the hands by call id, as journalled (proves UNIT-4), and a path that is not there is 404', async () => {
    await journalled('t1m1.0', { command: 'true' });
    const call = { tool: 'bash', input: { command: 'true' }, timeoutMs: 5 };
    for (const asked of [
      { ...call, tool: 'write' },
      { ...call, input: {} },
    ])
      expect((await ask('POST', '/unit/tools/t1m1.0', asked)).body.error?.code).toBe('INVALID_INPUT');
    expect((await ask('POST', '/unit/tools/t1m1.7', call)).body.error?.code).toBe('INVALID_INPUT');
    const ran = await ask('POST', '/unit/tools/t1m1.0', call);
    await ask('POST', '/unit/tools/t1m1.0/cancel');

    expect(ran.body).toEqual({ outcome: 'ok', output: 'done', durationMs: 1 });
    expect(called).toEqual(['tool t1m1.0', 'cancel t1m1.0']);
    expect((await ask('POST', '/unit/tools/..%2f', { tool: 'bash', timeoutMs: 5 })).body.error?.code).toBe(
      'INVALID_INPUT',
    );
    expect((await ask('GET', '/unit/nothing')).status).toBe(404);
    expect((await ask('POST', '/unit/tools/t1m1.0/again')).status).toBe(404);
  });

  it.each(['..', '.', '.hidden', 'x'.repeat(129)])(
    'refuse the call id %s, as the hands do',
    async (callId) => {
      await ask('POST', '/unit/append', begin);
      const message = { type: 'agent.message', turnId: await turnId(), body: { callId, text: 'x' } };
      expect((await ask('POST', '/unit/append', record(message))).body.error?.code).toBe('INVALID_INPUT');
      const call = { tool: 'bash', input: { command: 'true' }, timeoutMs: 5 };
      expect((await ask('POST', `/unit/tools/${callId}`, call)).body.error?.code).toBe('INVALID_INPUT');
      expect((await ask('POST', `/unit/tools/${callId}/cancel`)).body.error?.code).toBe('INVALID_INPUT');
      const delta = { callId, offset: 0, text: 'x' };
      expect((await ask('POST', '/unit/deltas', delta)).body.error?.code).toBe('INVALID_INPUT');
      expect(called).toEqual([]);
    },
  );
});

describe('the event stream', () => {
  it('sends large bodies whole, in lines of a bounded size', async () => {
    const raw = 'r'.repeat(200_000);
    for (let n = 0; n < 60; n += 1) {
      await apply(sessionId, { kind: 'send', text: 'x', mode: 'steer', actor: { kind: 'human' }, raw });
    }
    const lines = await firstLines(await store.journal.head(sessionId));

    const sent = lines.flatMap(({ events }) => events);
    expect(sent.map(({ seq }) => seq)).toEqual(sent.map((_, index) => index + 1));
    expect(sent.at(-1)?.body).toContain(raw);
    expect(Math.max(...lines.map((line) => JSON.stringify(line).length))).toBeLessThan(5 * 1024 * 1024);
  });
});

describe('a part of the event stream', () => {
  it('ends at the event that was asked for, or with the log', async () => {
    for (let n = 0; n < 250; n += 1)
      await apply(sessionId, { kind: 'send', text: `x${n}`, mode: 'steer', actor: { kind: 'human' } });
    const head = await store.journal.head(sessionId);
    const seqs = async (query: string): Promise<readonly number[]> => {
      const lines = await linesUntilEnd(query);
      return lines.flatMap(({ events }) => events.map(({ seq }) => seq));
    };

    expect(await seqs('after=3&to=230')).toEqual(Array.from({ length: 227 }, (_, index) => index + 4));
    expect(await seqs(`after=${head - 2}&to=${head + 50}`)).toEqual([head - 1, head]);
    expect(await seqs('after=9&to=9')).toEqual([]);
    expect((await ask('GET', '/unit/events?after=0&to=-1')).body.error?.code).toBe('INVALID_INPUT');
    expect((await ask('GET', '/unit/events?after=x')).body.error?.code).toBe('INVALID_INPUT');
  });
});

describe('an assignment', () => {
  it('of a session that was condensed says where to begin to read', async () => {
    const turns = 30;
    for (let number = 1; number <= turns; number += 1) {
      await apply(sessionId, { kind: 'send', text: 'go', mode: 'steer', actor: { kind: 'human' } });
      await apply(sessionId, { kind: 'beginTurn' });
      const { turn } = (await store.sessions.get(sessionId))?.session ?? {};
      await apply(sessionId, { kind: 'record', events: turnEvents(number, turn) });
      await apply(sessionId, { kind: 'completeTurn', outcome: 'completed' });
    }
    const log = await store.journal.read(sessionId, { after: 0, limit: 100 });
    const { wake } = (await ask('GET', '/unit/assignment')).body as unknown as Assignment;

    expect(wake?.beginningTo).toBe(log.find(({ type }) => type === 'model.started')?.seq);
    expect(wake?.after).toBeGreaterThan(100);
    expect(wake?.turnSeq).toBe((wake?.after ?? 0) + 2);
  });
});

/** A turn with a compaction before its answer. */
function turnEvents(number: number, turn: Turn | undefined): readonly NewEvent[] {
  const of = { actor: { kind: 'system' }, turnId: turn?.id } as const;
  const inputToSeq = turn?.inputToSeq ?? 0;
  const [condensing, callId] = [`t${number}c1`, `t${number}m2`];
  const result = { callId: `${callId}.0`, tool: 'bash', outcome: 'ok', output: '', durationMs: 1 } as const;
  return [
    { ...of, type: 'model.started', body: { callId: condensing, inputToSeq: 0 } },
    { ...of, type: 'conversation.compacted', body: { callId: condensing, summary: 'All.', throughSeq: 1 } },
    { ...of, type: 'model.completed', body: { callId: condensing, stopReason: 'end_turn' } },
    { ...of, type: 'model.started', body: { callId, inputToSeq } },
    { ...of, type: 'model.completed', body: { callId, stopReason: 'tool_use' } },
    { ...of, type: 'tool.result', body: result },
  ];
}

interface Line {
  readonly events: readonly { readonly seq: number; readonly body: string }[];
}

async function linesUntilEnd(query: string): Promise<readonly Line[]> {
  const headers = {
    authorization: `Bearer ${access.mintUnitToken(OWNED, sessionId, 1)}`,
  };
  const path = `/unit/events?${query}`;
  const text = await new Promise<string>((resolve, reject) => {
    const options = { socketPath: join(folder, 'unit.sock'), path, headers, agent: false };
    const request = httpRequest(options, (response) => {
      let all = '';
      response.on('data', (chunk: Buffer) => (all += chunk.toString()));
      response.on('end', () => resolve(all));
    });
    request.on('error', reject);
    request.end();
  });
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
}

/** Lines of the stream until the event `head`. */
function firstLines(head: number): Promise<readonly Line[]> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${access.mintUnitToken(OWNED, sessionId, 1)}`,
    };
    const path = '/unit/events?after=0';
    const request = httpRequest(
      { socketPath: join(folder, 'unit.sock'), path, headers, agent: false },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
          if (!text.endsWith('\n')) return;
          const lines = text
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line) as Line);
          if (!lines.some(({ events }) => events.some(({ seq }) => seq === head))) return;
          request.destroy();
          resolve(lines);
        });
      },
    );
    request.on('error', reject);
    request.end();
  });
}
