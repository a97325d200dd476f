/**
 * A request is the beginning of the next one, block by block, in whatever way a session lives: the prompt cache is found by it,
 * and thinking is bound to it. Random lives, each told by its seed: `SEED=<n> npx vitest run test/brain/stable-prefix.test.ts`.
 */
import { expect, test } from 'vitest';
import { Conversation } from '../../src/brain/conversation.ts';
import type { AnswerBlock, ModelRequest } from '../../src/brain/model.ts';
import { ModelFailure } from '../../src/brain/model.ts';
import { forever, type Play, PlayedModel, toolBlock } from './model-double.ts';
import { settle } from './stage.ts';
import { Crash, ok, UnitDouble } from './unit-double.ts';

const LIVES = 150;
const TURNS = 8;
const FIRST = Number(process.env['SEED'] ?? 1);
const COUNT = process.env['SEED'] === undefined ? LIVES : 1;

/** mulberry32: the same seed, the same life. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function live(seed: number): Promise<{ unit: UnitDouble; model: PlayedModel }> {
  const random = randomOf(seed);
  const chance = (share: number): boolean => random() < share;
  const human = { kind: 'human' } as const;
  let calls = 0;
  const unit = new UnitDouble({ tool: () => Promise.resolve(ok(`result ${calls}`)) });
  const stop = (): void => {
    if (chance(0.5)) unit.command({ kind: 'cancel', actor: human });
    else unit.say(`interrupt ${calls}`, 'interrupt');
  };
  const model = new PlayedModel((): Play => {
    calls += 1;
    if (chance(0.1)) unit.say(`steered ${calls}`);
    const text: AnswerBlock = { kind: 'text', text: `answer ${calls}` };
    const thinking: AnswerBlock = { kind: 'thinking', text: `thought ${calls}`, signature: 's' };
    const called = chance(0.4)
      ? [toolBlock('list', { path: `${calls}` }, chance(0.2) ? 'twice' : `i${calls}`)]
      : [];
    const spoken = [thinking, text].filter(() => chance(0.7));
    const blocks = [...spoken, ...called];
    if (chance(0.08)) {
      const after = (signal: AbortSignal) => (stop(), forever(signal));
      return { pieces: [`half of ${calls}`], after };
    }
    if (chance(0.08)) {
      const said = { callId: unit.session.turn?.openCallId ?? '', text: `seen of ${calls}` };
      return {
        after: () => {
          unit.command({ kind: 'loseBrain', reason: 'x', attemptMax: 5, retryInMs: 0, said });
          throw new Crash();
        },
      };
    }
    if (chance(0.1)) {
      const details = { type: 'overloaded_error', retriable: chance(0.7) };
      return { pieces: ['lost'], fails: new ModelFailure('MODEL_OVERLOADED', 'Busy.', details) };
    }
    const stops = ['end_turn', 'max_tokens', 'pause_turn', 'tool_use', 'stop_sequence'];
    return {
      blocks,
      ...(chance(0.3) ? { stopReason: stops[Math.floor(random() * stops.length)] ?? '' } : {}),
    };
  });
  for (let turn = 1; turn <= TURNS; turn += 1) {
    if (chance(0.2)) unit.note({ type: 'session.hibernated', actor: { kind: 'system' }, body: { epoch: 1 } });
    if (chance(0.1))
      unit.note({
        type: 'workspace.reverted',
        actor: { kind: 'system' },
        body: { reason: 'x', savedAt: turn },
      });
    unit.say(`say ${turn}`);
    await settle(unit, model);
  }
  return { unit, model };
}

function blocksOf({ messages }: ModelRequest): readonly string[] {
  return messages.flatMap(({ role, blocks }) => blocks.map((block) => `${role} ${JSON.stringify(block)}`));
}

// proves CONVERSATION-1
test(`the requests of ${COUNT} random lives only grow, and every log is read to the same conversation`, async () => {
  for (let seed = FIRST; seed < FIRST + COUNT; seed += 1) {
    const { unit, model } = await live(seed);
    let before: readonly string[] = [];
    for (const [index, request] of model.requests.entries()) {
      const now = blocksOf(request);
      expect(now.slice(0, before.length), `SEED=${seed}, request ${index + 1}`).toEqual(before);
      expect(request.messages.at(-1)?.role, `SEED=${seed}, request ${index + 1}`).toBe('user');
      before = now;
    }
    const read = new Conversation(unit.assignmentNow());
    for (const event of unit.log) read.absorb(event);
    expect(read.session.status, `SEED=${seed}`).toBe(unit.session.status);
    expect(model.requests.length).toBeGreaterThanOrEqual(TURNS / 2);
  }
});
