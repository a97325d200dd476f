/**
 * Whatever a model answers, tools say, users do and machines break: no request of ours is one that the service refuses. A
 * life is a session played from a seed; the seed of one that fails is in the name of its test.
 */
import { expect, test } from 'vitest';
import { AnthropicModel } from '../../src/platform/anthropic/model.ts';
import type { ToolResult } from '../../src/hands/wire.ts';
import type { ModelSettings } from '../../src/sessions/model-plan.ts';
import { type Random, randomOf } from '../support/random.ts';
import { settle } from './stage.ts';
import { type Answer, StrictService } from './strict-service.ts';
import { Crash, ok, UnitDouble } from './unit-double.ts';

const MESSAGES_MAX = 6;
const CRASHES_MAX = 3;
/** Small enough that some lives are condensed. */
const WINDOWS = [200_000, 12_000] as const;

const TEXTS = ['Good.', 'Ich sehe: 日本語 🚀', ' ', '\n\n', '', 'x'.repeat(3_000)] as const;
const ODD_TEXTS = [...TEXTS, 'half \ud83d', '\ude80 half', 'zero \u0000'] as const;
const CALLS = [
  { tool: 'bash', input: { command: 'ls' } },
  { tool: 'read', input: { path: 'a.txt' } },
  { tool: 'ask', input: { question: 'Which?' } },
  { tool: 'bash', input: { cmd: 'ls' } },
  { tool: 'web_search', input: {} },
] as const;
const ODD_CALLS = [
  ...CALLS,
  { tool: '' },
  { tool: 'cd /workspace && ls '.repeat(20) },
  { tool: 'a/b.c@d' },
  { tool: 'bash', id: 'functions.bash:0', input: { command: 'ls' } },
  { tool: 'bash', id: 'toolu_same', input: { command: 'ls' } },
  { tool: 'bash', id: '', input: { command: 'ls' } },
  { tool: 'bash', id: 'x'.repeat(500), input: { command: 'ls' } },
  { tool: 'bash', raw: '["ls"]' },
  { tool: 'bash', raw: 'null' },
  { tool: 'bash', raw: '{"command": "ls", }' },
  { tool: 'bash', raw: '"\\ud83d"' },
  { tool: 'bash', raw: '{"command":"\\ud83d"}' },
  { tool: 'bash', raw: '{"command":"ls"', whole: false },
  { tool: 'half \ud83d', input: {} },
] as const;
const STOPS = [
  undefined,
  undefined,
  undefined,
  'end_turn',
  'tool_use',
  'max_tokens',
  'stop_sequence',
] as const;
const ODD_STOPS = [...STOPS, null, 'refusal', 'pause_turn', 'model_context_window_exceeded', 'new'] as const;

interface Manners {
  readonly texts: readonly [string, ...string[]];
  readonly calls: readonly [object, ...object[]];
  readonly stops: readonly [string | null | undefined, ...(string | null | undefined)[]];
  readonly callsMax: number;
}
const GOOD: Manners = { texts: TEXTS, calls: CALLS, stops: STOPS, callsMax: 4 };
const ODD: Manners = { texts: ODD_TEXTS, calls: ODD_CALLS, stops: ODD_STOPS, callsMax: 70 };

function answerOf(random: Random, { texts, calls, stops, callsMax }: Manners): Answer {
  const parts: object[] = [];
  for (let left = random.below(4); left > 0; left -= 1)
    parts.push(random.pick<object>([{ thinking: 'hm' }, { text: random.pick(texts) }, { redacted: true }]));
  const many = random.below(12) === 0 ? callsMax : random.below(3);
  for (let left = random.below(2) * many; left > 0; left -= 1) parts.push(random.pick(calls));
  if (random.below(10) === 0) parts.push({ thinking: 'and on' });
  const stopReason = random.pick(stops);
  return {
    rule: { answer: parts, ...(stopReason === undefined ? {} : { stopReason }) },
    cut: random.below(12) === 0,
    status: random.below(15) === 0 ? 529 : 200,
  };
}

function resultOf(random: Random, texts: Manners['texts']): ToolResult {
  const output = random.pick([random.pick(texts), 'a line of a file\n'.repeat(1_000)]);
  const outcome = random.pick(['failed', 'unknown', 'timed_out']);
  return random.pick<ToolResult>([ok(output), ok(output), { outcome, output, exitCode: 1, durationMs: 1 }]);
}

function settingsOf(random: Random): ModelSettings {
  return {
    contextWindow: random.pick(WINDOWS),
    cacheTtl: random.pick(['5m', '1h']),
    effort: random.pick([undefined, 'low', 'max']),
    thinking: random.pick([
      undefined,
      { mode: 'off' },
      { mode: 'adaptive', display: 'omitted' },
      { mode: 'budget', budgetTokens: 2_000 },
    ]),
    maxOutputTokens: random.pick([undefined, 4_000]),
  };
}

/** A session from its first message to its last; what the service would have refused. */
async function live(seed: number, manners: Manners): Promise<readonly string[]> {
  const random = randomOf(seed);
  const service = new StrictService(() => answerOf(random, manners));
  const unit = new UnitDouble({
    prompt: random.pick(manners.texts),
    settings: settingsOf(random),
    tool: () => Promise.resolve(resultOf(random, manners.texts)),
  });
  let crashes = 0;
  unit.crash = () => {
    if (crashes >= CRASHES_MAX || random.below(40) > 0) return;
    crashes += 1;
    throw new Crash('of a life');
  };
  for (let said = 1 + random.below(MESSAGES_MAX); said > 0; said -= 1) {
    unit.say(`${random.pick(manners.texts)} go on`, random.pick(['queue', 'steer', 'interrupt']));
    await settle(unit, new AnthropicModel(service.http, 'unit-token'));
  }
  return service.refusals.map(({ id, message }) => `${id}: ${message}`);
}

const seeds = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index + 1);

test.each(seeds(60))(
  'life %i of a model with good manners has no request that the service refuses',
  async (seed) => {
    expect(await live(seed, GOOD)).toEqual([]);
  },
);

test.each(seeds(60))('life %i of a model that writes anything has none either', async (seed) => {
  expect(await live(seed, ODD)).toEqual([]);
});
