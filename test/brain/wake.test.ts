/**
 * A brain that begins at the last compaction goes on as one that has read everything. Random lives, each told by its seed:
 * `SEED=<n> npx vitest run test/brain/wake.test.ts`.
 */
import { expect, test } from 'vitest';
import { COMPACT_AT_EVENTS } from '../../src/brain/compaction.ts';
import { Conversation } from '../../src/brain/conversation.ts';
import { requestOf } from '../../src/brain/model-call.ts';
import { type AnswerBlock, ModelFailure } from '../../src/brain/model.ts';
import type { OpenCall } from '../../src/brain/progress.ts';
import { nextStep } from '../../src/brain/resume.ts';
import type { BodyOf } from '../../src/journal/event.ts';
import { randomOf } from '../support/random.ts';
import { forever, type Play, PlayedModel, toolBlock } from './model-double.ts';
import { settle } from './stage.ts';
import { Crash, ok, UnitDouble } from './unit-double.ts';

const LIVES = 12;
const TURNS = 14;
const WINDOW = 100_000;
const FIRST = Number(process.env['SEED'] ?? 1);
const COUNT = process.env['SEED'] === undefined ? LIVES : 1;
const HUMAN = { kind: 'human' } as const;
const SYSTEM = { kind: 'system' } as const;

/** Works, is condensed, refused, stopped and put to sleep in all the ways that leave something behind for the next call. */
async function live(seed: number): Promise<UnitDouble> {
  const random = randomOf(seed);
  const chance = (share: number): boolean => random.below(1_000) < share * 1_000;
  let calls = 0;
  let isRefusing = false;
  const unit = new UnitDouble({ tool: () => Promise.resolve(ok(`result ${calls}`)) });
  const model = new PlayedModel(({ callId }): Play | string => {
    calls += 1;
    if (/c\d+$/.test(callId))
      return chance(0.8) ? `The summary of all that was before call ${calls}.` : { stopReason: 'refusal' };
    if (chance(0.15)) unit.say(`steered ${calls}`);
    if (chance(0.05)) unit.say(`queued ${calls}`, 'queue');
    if (isRefusing)
      return { fails: new ModelFailure('MODEL_REQUEST_INVALID', 'No.', { type: 'x', retriable: false }) };
    if (chance(0.15)) return { stopReason: 'model_context_window_exceeded' };
    if (chance(0.08)) return { blocks: [{ kind: 'text', text: 'no' }], stopReason: 'refusal' };
    if (chance(0.1)) {
      const [code, retriable] = chance(0.5)
        ? (['MODEL_REQUEST_INVALID', false] as const)
        : (['MODEL_OVERLOADED', true] as const);
      const place = chance(0.5) ? { message: 0, block: 0 } : undefined;
      return { fails: new ModelFailure(code, 'It does not like it.', { type: 'x', retriable, place }) };
    }
    if (chance(0.06)) {
      return {
        pieces: [`half of ${calls}`],
        after: (signal) => {
          if (chance(0.5)) unit.command({ kind: 'cancel', actor: HUMAN });
          else unit.say(`interrupt ${calls}`, 'interrupt');
          return forever(signal);
        },
      };
    }
    if (chance(0.06)) {
      return {
        after: () => {
          unit.command({ kind: 'loseBrain', reason: 'x', attemptMax: 5, retryInMs: 0 });
          throw new Crash();
        },
      };
    }
    const text: AnswerBlock = { kind: 'text', text: `answer ${calls}` };
    const thinking: AnswerBlock = { kind: 'thinking', text: `thought ${calls}`, signature: 's' };
    const tools = chance(0.4) ? [toolBlock('list', { path: `${calls}` }, `i${calls}`)] : [];
    return { blocks: [...[thinking, text].filter(() => chance(0.8)), ...tools] };
  });
  for (let turn = 1; turn <= TURNS; turn += 1) {
    if (chance(0.4)) unit.note({ type: 'session.hibernated', actor: SYSTEM, body: { epoch: 1 } });
    if (chance(0.2))
      unit.note({ type: 'workspace.reverted', actor: SYSTEM, body: { reason: 'x', savedAt: turn } });
    if (chance(0.3)) unit.command({ kind: 'meter', usage: fullContext(`t${unit.session.turnCount}m1`) });
    isRefusing = chance(isRefusing ? 0.6 : 0.15);
    unit.say(`say ${turn}`);
    if (chance(0.1))
      unit.command({ kind: 'cancel', actor: HUMAN }); // before it was begun
    else await settle(unit, model);
  }
  return unit;
}

/** So that the next turn begins with a compaction. */
function fullContext(callId: string): BodyOf<'model.usage'> {
  const none = { outputTokens: 0, cacheCreationInputTokens: 0, cacheReadInputTokens: 0 };
  return { callId, model: 'echo', inputTokens: 160_000, ...none, complete: true };
}

/** All that comes of a conversation: the next step, and what is sent for it or would be. */
function outcomeOf(unit: UnitDouble, conversation: Conversation): readonly string[] {
  const { session, progress, throughSeq, contextTokens, condensable, head } = conversation;
  const { status, turn, turnCount } = session; // the epoch comes with the brain.started of whoever wakes
  const likely = (purpose: OpenCall['purpose']): OpenCall => ({
    callId: 'x',
    purpose,
    failures: 0,
    refusedAsTooLong: 0,
    badSummaries: 0,
    plain: false,
  });
  const calls = [progress.open ?? likely('answer'), likely('compaction')];
  const requests = calls.map((call) => requestOf(unit.assignmentNow(), conversation, call, WINDOW));
  const begun = turn?.state === 'running' ? turn.id : undefined;
  return [
    JSON.stringify({ head, status, begun, turnCount, throughSeq, contextTokens, condensable }),
    JSON.stringify(nextStep(conversation, WINDOW)),
    JSON.stringify({ refused: progress.refusedTurns > 0, hopeless: progress.refusedTurns > 1 }),
    ...requests.map((request) => JSON.stringify(head % 10 === 0 ? request : { ...request, tools: [] })), // tools are long
  ];
}

/** As a brain reads it that comes when the log has `head` events. */
function woken(unit: UnitDouble, head: number): { conversation: Conversation; from: number } {
  const assignment = UnitDouble.resumed(unit, head).assignmentNow();
  const conversation = new Conversation(assignment);
  const { wake } = assignment;
  if (wake !== undefined) {
    for (const event of unit.log.slice(0, wake.beginningTo)) conversation.absorb(event);
    conversation.begin(wake, assignment);
  }
  for (const event of unit.log.slice(wake?.after ?? 0, head)) conversation.absorb(event);
  return { conversation, from: wake?.after ?? 0 };
}

test(`wherever a brain wakes in ${COUNT} random lives, it goes on as one that has read everything (proves WAKE-1, WAKE-3)`, async () => {
  let wakes = 0;
  for (let seed = FIRST; seed < FIRST + COUNT; seed += 1) {
    const unit = await live(seed);
    const whole = new Conversation(unit.assignmentNow());
    const awake = new Map<number, Conversation>();
    const placeOf = new Map<number, number>();
    let compactedSeq = 0;
    for (const [index, event] of unit.log.entries()) {
      const head = index + 1;
      whole.absorb(event);
      for (const conversation of awake.values()) conversation.absorb(event);
      if (event.type === 'conversation.compacted') compactedSeq = head;
      const { conversation, from } = woken(unit, head);
      if (from === 0) continue;
      expect(placeOf.get(compactedSeq) ?? from, `SEED=${seed}, head ${head}`).toBe(from);
      placeOf.set(compactedSeq, from);
      if (!awake.has(from)) awake.set(from, conversation);
      wakes += 1;
      const expected = outcomeOf(unit, whole);
      expect(outcomeOf(unit, conversation), `SEED=${seed}, head ${head}, from ${from}`).toEqual(expected);
      for (const [since, earlier] of [...awake].slice(-3))
        expect(outcomeOf(unit, earlier), `SEED=${seed}, head ${head}, since ${since}`).toEqual(expected);
    }
  }
  expect(wakes).toBeGreaterThan(COUNT);
});

test('a conversation that has become long is condensed at the next call, however small it is', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(() => 'Here is what I know: there is nothing more to it.');
  unit.say('one');
  await settle(unit, model);
  for (let event = unit.log.length; event < COMPACT_AT_EVENTS; event += 1)
    unit.note({ type: 'brain.started', actor: SYSTEM, body: { epoch: unit.session.epoch, owner: 'x' } });
  unit.say('two');

  await settle(unit, model);

  expect(model.requests.map(({ callId }) => callId)).toEqual(['t1m1', 't2c1', 't2m2']);
  expect(unit.bodies('model.started').map(({ tools }) => tools !== undefined)).toEqual([true, false, true]);
});

test('a session that was condensed by a version before goes on with the tools of its first call', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(({ callId }) =>
    callId === 't4m1'
      ? { stopReason: 'model_context_window_exceeded' }
      : 'Here is what I know: nothing more.',
  );
  for (const words of ['one', 'two', 'three', 'four', 'five']) {
    unit.note({ type: 'session.hibernated', actor: SYSTEM, body: { epoch: 1 } });
    unit.say(words);
    await settle(unit, model);
  }
  const asItWas = [{ name: 'bash', description: 'As it was.', schema: { type: 'object' } }];
  const starts = unit.log.filter(({ type }) => type === 'model.started');
  for (const [index, event] of starts.entries()) {
    const { tools: _now, ...body } = JSON.parse(event.body) as Record<string, unknown>;
    const before = JSON.stringify(index === 0 ? { ...body, tools: asItWas } : body);
    unit.log[event.seq - 1] = { ...event, body: before };
  }

  const { conversation, from } = woken(unit, unit.log.length);

  expect(from).toBeGreaterThan(starts[0]?.seq ?? 0);
  expect(conversation.tools).toEqual(asItWas);
  expect(conversation.saysTools).toBe(true);
});

test('a log of which a part is left out is told so and condensed at the next call', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(() => 'Here is what I know: there is nothing more to it.');
  for (const words of ['the task', 'left out', 'kept']) {
    unit.say(words);
    await settle(unit, model);
  }
  const firstEnd = unit.log.findIndex(({ type }) => type === 'turn.completed') + 1;
  const thirdTurn = unit.log.findLast(({ type }) => type === 'turn.started')?.seq ?? 0;
  const conversation = new Conversation(unit.assignmentNow());

  for (const event of unit.log.slice(0, firstEnd)) conversation.absorb(event);
  conversation.begin(
    { beginningTo: firstEnd, after: thirdTurn - 3, turnSeq: thirdTurn },
    unit.assignmentNow(),
  );
  for (const event of unit.log.slice(thirdTurn - 3)) conversation.absorb(event);

  const call: OpenCall = {
    callId: 't4m1',
    purpose: 'answer',
    failures: 0,
    refusedAsTooLong: 0,
    badSummaries: 0,
    plain: false,
  };
  const { messages } = requestOf(unit.assignmentNow(), conversation, call, WINDOW);
  const texts = messages.map(({ blocks }) => blocks.map((block) => ('text' in block ? block.text : '')));
  expect(texts.flat().filter((text) => !text.startsWith('Here is'))).toEqual([
    'the task',
    '[A part of the conversation was left out here: it is too long.]',
    'kept',
  ]);
});
