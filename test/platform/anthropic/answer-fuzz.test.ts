import { expect, test } from 'vitest';
import { type ModelAnswer, ModelFailure } from '../../../src/brain/model.ts';
import { AnswerReader } from '../../../src/platform/anthropic/answer-reader.ts';
import { type Random, randomOf } from '../../support/random.ts';

const NAME = /^[a-zA-Z0-9_-]{1,128}$/;
const ID = /^[a-zA-Z0-9_-]+$/;

type Event = Readonly<Record<string, unknown>> & { readonly type: string };

function textOf({ pick }: Random): unknown {
  return pick<unknown>(['', ' ', 'a', 'a\ud83d', '\ude80b', '日本 🚀', '\u0000', undefined, null]);
}

function eventOf(random: Random): Event {
  const { pick } = random;
  const index = pick([0, 0, 1, 2, undefined]);
  const text = textOf(random);
  const start = pick<object | undefined>([
    { type: 'text', text },
    { type: 'thinking', thinking: text, signature: text },
    { type: 'redacted_thinking', data: text },
    {
      type: 'tool_use',
      id: pick(['a', 'a', '', 'c:1']),
      name: text,
      input: pick<unknown>([{}, { a: text }, [], 'x', 5, null]),
    },
    { type: 'hologram', x: text },
    {},
    undefined,
  ]);
  const delta = pick<object | undefined>([
    { type: 'text_delta', text },
    { type: 'thinking_delta', thinking: text },
    { type: 'signature_delta', signature: text },
    { type: 'input_json_delta', partial_json: pick(['{', '}', '"a":', '"\ud83d"', '{"a":1}', '[1]', '']) },
    { type: 'shimmer_delta' },
    undefined,
  ]);
  return pick<Event>([
    { type: 'content_block_start', index, content_block: start },
    { type: 'content_block_start', index, content_block: start },
    { type: 'content_block_delta', index, delta },
    { type: 'content_block_delta', index, delta },
    { type: 'content_block_delta', index, delta },
    { type: 'content_block_stop', index },
    {
      type: 'message_delta',
      delta: { stop_reason: pick(['end_turn', 'tool_use', 'max_tokens', 'refusal', null]) },
    },
    { type: 'trace' },
  ]);
}

/** Undefined: refused, in the one way that an answer is refused. */
function answerOf(
  events: readonly Event[],
  sink: ConstructorParameters<typeof AnswerReader>[0],
): ModelAnswer | undefined {
  const reader = new AnswerReader(sink, 't1m1', ['a_used']);
  try {
    for (const event of events) reader.read(event);
    reader.read({ type: 'message_stop' });
    return reader.answer();
  } catch (error) {
    if (error instanceof ModelFailure && !error.retriable) return undefined;
    throw error;
  }
}

test('whatever a service sends becomes blocks that can be sent back, and nothing that was shown is lost', () => {
  const random = randomOf(Number(process.env['SEED'] ?? Date.now() % 1e9));
  for (let round = 0; round < 2_000; round += 1) {
    const events = Array.from({ length: random.below(14) }, () => eventOf(random));
    const shown: string[] = [];
    const thought: string[] = [];
    const sink = {
      text: (piece: string) => void shown.push(piece),
      thinking: (piece: string) => void thought.push(piece),
    };

    const answer = answerOf(events, sink);

    const wrong = wrongIn(answer, shown, thought);
    expect(wrong, `SEED=${random.seed} round ${round}: ${JSON.stringify(events)}`).toEqual([]);
  }
});

function wrongIn(
  answer: ModelAnswer | undefined,
  shown: readonly string[],
  thought: readonly string[],
): readonly string[] {
  const blocks = answer?.blocks ?? [];
  const tools = blocks.filter((block) => block.kind === 'tool');
  const lengthOf = (pieces: readonly string[]): number => pieces.join('').length;
  const kept = (kind: 'text' | 'thinking'): number =>
    lengthOf(blocks.flatMap((block) => (block.kind === kind ? [block.text] : [])));
  const rules: Readonly<Record<string, boolean>> = {
    'what is shown is well-formed': [...shown, ...thought].every((piece) => piece.isWellFormed()),
    'what is kept is well-formed': !/(?<!\\)\\ud[89a-f]/.test(JSON.stringify(blocks)),
    'names are lawful': tools.every(({ tool }) => NAME.test(tool)),
    'ids are lawful': tools.every(({ toolUseId }) => ID.test(toolUseId)),
    'ids are there once': new Set(tools.map(({ toolUseId }) => toolUseId)).size === tools.length,
    'inputs are objects': tools.every(
      ({ input }) => Object.prototype.toString.call(input) === '[object Object]',
    ),
    'what was shown is kept': answer === undefined || kept('text') === lengthOf(shown),
    'what was thought is kept': answer === undefined || kept('thinking') === lengthOf(thought),
  };
  return Object.keys(rules).filter((rule) => rules[rule] !== true);
}
