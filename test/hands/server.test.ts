/** The hands' side of the wire's promises without processes: a tool that the test holds. */
import { expect, it } from 'vitest';
import type { Sandbox } from '../../src/hands/sandbox.ts';
import { HandsServer } from '../../src/hands/server.ts';
import { HANDS_TOOLS } from '../../src/hands/tool-table.ts';
import type { Tool, ToolAnswer } from '../../src/hands/tool.ts';
import type { FromHands, ToolResult } from '../../src/hands/wire.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { TOOL_OUTPUT_BYTES_MAX } from '../../src/kernel/limit.ts';
import { eventually } from '../support/eventually.ts';

const sandbox: Sandbox = {
  root: '/workspace',
  searchProgram: ['search'],
  run: () => Promise.resolve({ kind: 'aborted' }),
  look: () => Promise.resolve(undefined),
  read: () => ({
    [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
  }),
  write: () => Promise.resolve({ created: true }),
  list: () => Promise.resolve(undefined),
  background: () => 3,
  close: () => Promise.resolve(),
};

class World {
  readonly sent: FromHands[] = [];
  readonly complaints: string[] = [];
  readonly journal: string[] = [];
  runs = 0;
  /** What the tool does with its call. */
  tool: (signal: AbortSignal) => Promise<ToolAnswer> = () => Promise.resolve({ ok: true, output: 'done' });
  clock: Clock = systemClock;
  server = this.start();

  start(): HandsServer {
    const tool: Tool = {
      name: 'do',
      description: '',
      schema: { type: 'object', properties: {}, required: [] },
      run: (_input, { signal }) => {
        this.runs += 1;
        this.journal.push('run');
        return this.tool(signal);
      },
    };
    this.server = new HandsServer({
      tools: [tool],
      sandbox,
      clock: {
        now: () => this.clock.now(),
        monotonicNow: () => this.clock.monotonicNow(),
        sleep: (ms, signal) => this.clock.sleep(ms, signal),
      },
      send: (message) => {
        this.journal.push(message.kind);
        this.sent.push(message);
      },
      complain: (message) => this.complaints.push(message),
    });
    return this.server;
  }

  call(callId: string, more: object = {}): void {
    this.server.receive(
      JSON.stringify({ kind: 'call', callId, tool: 'do', input: {}, timeoutMs: 60_000, ...more }),
    );
  }

  results(callId: string): readonly ToolResult[] {
    return this.sent.flatMap((message) =>
      message.kind === 'result' && message.callId === callId ? [message.result] : [],
    );
  }

  result(callId: string): Promise<ToolResult> {
    return eventually(`the result of ${callId}`, () => this.results(callId)[0]);
  }
}

const untilAborted = (signal: AbortSignal): Promise<ToolAnswer> =>
  new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve({ ok: false, output: 'so far' }), { once: true }),
  );

it('HANDS-1: a call asked again while it runs joins it', async () => {
  const world = new World();
  world.call('a');
  world.call('a');
  await eventually('both are answered', () => world.results('a').length === 2);

  expect(world.runs).toBe(1);
  expect(world.journal).toEqual(['ready', 'run', 'result', 'result']);
});

it('HANDS-2: calls run side by side and are answered as they end', async () => {
  const world = new World();
  world.tool = untilAborted;
  world.call('slow');
  await eventually('it runs', () => world.runs === 1);
  world.tool = () => Promise.resolve({ ok: true, output: 'quick' });
  world.call('quick');

  expect((await world.result('quick')).output).toBe('quick');
  expect(world.results('slow')).toEqual([]);
});

it('HANDS-3: cancel ends the call it names, also when it comes right behind it', async () => {
  const world = new World();
  world.tool = untilAborted;
  world.call('a');
  world.server.receive('{"kind":"cancel","callId":"a"}');
  world.server.receive('{"kind":"cancel","callId":"other"}');

  expect(await world.result('a')).toMatchObject({ outcome: 'canceled' });
});

it('ends a call at its deadline and keeps what it had said', async () => {
  const world = new World();
  world.tool = untilAborted;
  world.call('a', { timeoutMs: 1 });

  expect(await world.result('a')).toMatchObject({
    outcome: 'timed_out',
    output: expect.stringMatching(/^so far\n\[timed out after 1 ms/),
  });
});

it('says a duration in whole milliseconds, also when the wall clock is set back in between', async () => {
  const world = new World();
  let now = 1_000.75;
  world.clock = { ...systemClock, now: () => (now -= 100.5) };
  world.call('a');

  const { durationMs } = await world.result('a');
  expect(durationMs).toBeGreaterThanOrEqual(0);
  expect(Number.isSafeInteger(durationMs)).toBe(true);
});

it('HANDS-4: close ends what runs and says its result as unknown, for nobody has canceled it', async () => {
  const world = new World();
  world.tool = untilAborted;
  world.call('a');
  await eventually('it runs', () => world.runs === 1);
  await world.server.close();

  const output = expect.stringMatching(/^so far\n\[cut off: the server stopped/);
  expect(world.results('a')).toMatchObject([{ outcome: 'unknown', output }]);
});

it('HANDS-4: what was canceled or late before the hands end stays that', async () => {
  const world = new World();
  world.tool = untilAborted;
  world.call('a');
  await eventually('it runs', () => world.runs === 1);
  world.server.receive('{"kind":"cancel","callId":"a"}');
  await world.server.close();

  expect(world.results('a')).toMatchObject([{ outcome: 'canceled' }]);
});

it('HANDS-5: background is answered with what commands have left behind, also while a call runs', async () => {
  const world = new World();
  world.tool = untilAborted;
  world.call('a');
  await eventually('it runs', () => world.runs === 1);
  world.server.receive('{"kind":"background"}');

  expect(world.sent).toEqual([{ kind: 'ready' }, { kind: 'background', count: 3 }]);
});

it('answers for a tool that breaks, and complains about it', async () => {
  const world = new World();
  world.tool = () => Promise.reject(new TypeError('oops'));
  world.call('a');

  expect(await world.result('a')).toMatchObject({
    outcome: 'failed',
    output: expect.stringContaining('oops'),
  });
  expect(world.complaints).toEqual(['the tool do broke']);
});

it('cuts what a tool says to what the conversation takes', async () => {
  const world = new World();
  world.tool = () => Promise.resolve({ ok: true, output: 'x'.repeat(1_000_000) });
  world.call('a');

  expect(Buffer.byteLength((await world.result('a')).output)).toBeLessThanOrEqual(TOOL_OUTPUT_BYTES_MAX);
});

it.each([
  'no json',
  '{"kind":"call","tool":"do","timeoutMs":1}',
  '{"kind":"call","callId":"../x","tool":"do","timeoutMs":1}',
  '{"kind":"call","callId":"..","tool":"do","timeoutMs":1}',
  '{"kind":"call","callId":"a","tool":"do"}',
  '{"kind":"cancel"}',
  '{"kind":"else","callId":"a"}',
  '[]',
])('does not go on with a line that is no message: %s', (line) => {
  expect(() => new World().server.receive(line)).toThrow(/Cannot happen|JSON/);
});

it('offers six tools, each with a schema of plain fields', () => {
  expect(HANDS_TOOLS.map(({ name }) => name)).toEqual(['bash', 'read', 'write', 'edit', 'list', 'grep']);
  for (const { schema } of HANDS_TOOLS) {
    expect(schema.required.filter((name) => !(name in schema.properties))).toEqual([]);
  }
});
