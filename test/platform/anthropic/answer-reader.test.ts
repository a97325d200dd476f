import { describe, expect, test } from 'vitest';
import type { ModelMessage } from '../../../src/brain/model.ts';
import {
  answered,
  call,
  close,
  end,
  failureIn,
  GO,
  open,
  piece,
  played,
  START,
  STOP,
  text,
  toolsIn,
} from './stage.ts';

const ANSWER_TEXT = { kind: 'text', text: 'hello' };

describe('blocks in another form', () => {
  test('a call, a text and thinking that stand whole in the start of their block are read (ANSWER-2)', async () => {
    const answer = await answered(
      open(0, { type: 'thinking', thinking: 'hm', signature: 'sig' }) + close(0),
      open(1, { type: 'text', text: 'hello' }) + close(1),
      open(2, { type: 'tool_use', id: 'toolu_a', name: 'bash', input: { command: 'ls' } }) + close(2),
      end('tool_use'),
    );

    expect(answer.blocks).toEqual([
      { kind: 'thinking', text: 'hm', signature: 'sig' },
      ANSWER_TEXT,
      { kind: 'tool', toolUseId: 'toolu_a', tool: 'bash', input: { command: 'ls' } },
    ]);
  });

  test('thinking after a block that is kept in another form is shown, and cannot be sent back (ANSWER-5)', async () => {
    const thought = (index: number) =>
      open(index, { type: 'thinking', thinking: 'hm', signature: 'sig' }) + close(index);
    const hidden = open(3, { type: 'redacted_thinking', data: 'x' }) + close(3);
    const unlike = [
      open(1, { type: 'text', text: 'half \ud83d' }),
      open(1, { type: 'tool_use', id: 'odd:id', name: 'bash', input: { command: 'ls' } }),
      open(1, { type: 'tool_use', id: 'a', name: 'bash', input: ['ls'] }),
      open(1, { type: 'tool_use', id: 'a', name: 'odd name', input: {} }),
      open(1, { type: 'tool_use', id: 'a', name: 'bash', input: { command: 'half \ud83d' } }),
    ];
    for (const block of unlike) {
      const { blocks } = await answered(thought(0) + block + close(1) + thought(2) + hidden, end('tool_use'));
      expect([blocks[0], blocks.slice(2)]).toEqual([
        { kind: 'thinking', text: 'hm', signature: 'sig' },
        [{ kind: 'thinking', text: 'hm' }],
      ]);
    }
    const same = open(1, { type: 'tool_use', id: 'a', name: 'bash', input: { command: '🚀' } });
    const { blocks } = await answered(thought(0) + same + close(1) + thought(2) + hidden, end('tool_use'));
    expect(blocks.slice(2)).toEqual([
      { kind: 'thinking', text: 'hm', signature: 'sig' },
      { kind: 'redacted', data: 'x' },
    ]);
  });

  test('a whole input that comes again in pieces, or as the text of its JSON, is read once', async () => {
    const start = { type: 'tool_use', name: 'bash', input: { command: 'ls' } };
    const answer = await answered(
      open(0, { ...start, id: 'a' }) +
        piece(0, { type: 'input_json_delta', partial_json: '{"command":"ls"}' }),
      open(1, { ...start, id: 'b', input: '{"command":"ls"}' }),
      open(2, { ...start, id: 'c' }) + piece(2, { type: 'input_json_delta', partial_json: '{"comm' }),
      end('tool_use'),
    );

    expect(toolsIn(answer)).toEqual(
      ['a', 'b', 'c'].map((toolUseId) => ({
        kind: 'tool',
        toolUseId,
        tool: 'bash',
        input: { command: 'ls' },
      })),
    );
  });

  test('blocks that share an index follow each other (ANSWER-1)', async () => {
    const answer = await answered(
      text(0, 'hello'),
      call(0, 'bash', '{"command":"a"}', 'x'),
      call(0, 'bash', '{"command":"b"}', 'y'),
      end('tool_use'),
    );

    expect(answer.blocks).toMatchObject([
      ANSWER_TEXT,
      { input: { command: 'a' } },
      { input: { command: 'b' } },
    ]);
  });

  test('pieces of text without a block, or in a block of another kind, are not lost and mix with nothing (ANSWER-3)', async () => {
    const words = (index: number, said: string) => piece(index, { type: 'text_delta', text: said });
    const answer = await answered(
      words(0, 'one'),
      piece(0, { type: 'thinking_delta', thinking: 'hm' }),
      open(1, { type: 'tool_use', id: 'a', name: 'bash' }),
      piece(1, { type: 'input_json_delta', partial_json: '{"a":1}' }),
      words(1, 'two'),
      open(2, { type: 'output_text' }),
      words(2, 'three'),
      open(3, { type: 'text' }),
      words(3, 'four'),
      end('tool_use'),
    );

    expect(answer.blocks).toMatchObject([
      { text: 'one' },
      { kind: 'thinking', text: 'hm' },
      { kind: 'tool', input: { a: 1 } },
      { text: 'two' },
      { text: 'three' },
      { text: 'four' },
    ]);
  });

  test('input of a call that never began is told to the model (ANSWER-3)', async () => {
    const answer = await answered(
      piece(0, { type: 'input_json_delta', partial_json: '{"a":1}' }),
      end('tool_use'),
    );

    expect(toolsIn(answer)).toMatchObject([
      { tool: 'invalid_tool', input: { a: 1 }, defect: expect.any(String) },
    ]);
  });

  test('a block that is never closed, and an end that is never said, change nothing', async () => {
    const said =
      START + open(0, { type: 'text', text: '' }) + piece(0, { type: 'text_delta', text: 'hello' });

    expect((await played([said + end('end_turn')])).answer?.blocks).toEqual([ANSWER_TEXT]);
    expect((await played([(said + end('end_turn')).replace(STOP, '')])).answer?.blocks).toEqual([
      ANSWER_TEXT,
    ]);
    expect((await played([said + STOP])).answer).toMatchObject({
      blocks: [ANSWER_TEXT],
      stopReason: 'end_turn',
    });
    expect(failureIn(await played([said])).retriable).toBe(true);
  });

  test('kinds of blocks that nobody knows are passed over beside others, and named when they are all that there is', async () => {
    const unknown = open(0, { type: 'hologram', data: { x: 1 } }) + piece(0, { type: 'shimmer_delta', x: 1 });

    expect((await answered(unknown, text(1, 'hello'), end('end_turn'))).blocks).toEqual([ANSWER_TEXT]);
    await expect(answered(unknown, end('end_turn'))).rejects.toMatchObject({
      code: 'MODEL_ANSWER_INVALID',
      retriable: false,
      message: expect.stringContaining('hologram'),
    });
    expect(await answered(unknown, end('refusal'))).toMatchObject({ blocks: [], stopReason: 'refusal' });
  });

  test('a signature in pieces is joined, and takes the place of the one in the start', async () => {
    const answer = await answered(
      open(0, { type: 'thinking', thinking: '', signature: 'ab' }),
      piece(0, { type: 'signature_delta', signature: 'ab' }),
      piece(0, { type: 'signature_delta', signature: 'cd' }),
      open(1, { type: 'redacted_thinking', data: 'xyz' }),
      text(2, 'hello'),
      end('end_turn'),
    );

    expect(answer.blocks.slice(0, 2)).toEqual([
      { kind: 'thinking', text: '', signature: 'abcd' },
      { kind: 'redacted', data: 'xyz' },
    ]);
  });

  test('seventy calls are seventy calls', async () => {
    const calls = Array.from({ length: 70 }, (_, index) => call(index, 'bash', '{}'));

    expect(toolsIn(await answered(...calls, end('tool_use')))).toHaveLength(70);
  });
});

describe('half a surrogate pair', () => {
  test('is joined with the other half, and shown only then', async () => {
    const { answer, text: shown } = await played([
      START + text(0, 'a 🚀'.slice(0, -1), '🚀 b'.slice(1)) + end('end_turn'),
    ]);

    expect(answer?.blocks).toEqual([{ kind: 'text', text: 'a 🚀 b' }]);
    expect(shown).toBe('a 🚀 b');
  });

  test.each([
    ['text', text(0, 'a \ud83d', ' b')],
    ['text that ends with it', text(0, 'a \ud83d')],
    [
      'text in an open block that another one follows',
      open(0, { type: 'text', text: 'a \ud83d' }) + text(1, 'b'),
    ],
    ['thinking', open(0, { type: 'thinking', thinking: '\udc00 a' }) + text(1, 'b')],
    ['a tool input', call(0, 'bash', '{"command":"echo \\ud83d","\\udc00":[{"\ud83d":"\\ud83d"}]}')],
    ['the name and the id of a call', call(0, 'b\ud83d', '{}', 'i\ud83d')],
    ['input that is no JSON', call(0, 'bash', '{"\ud83d')],
    ['input that is cut where it is shown', call(0, 'bash', `"${'x'.repeat(1_998)}🚀`)],
  ])('of %s is made well-formed, for the log and for who follows', async (_, frames) => {
    const { answer, text: shown, thinking } = await played([START + frames + end('tool_use')]);

    expect(JSON.stringify(answer)).not.toMatch(/\\ud[89a-f]/i);
    expect([shown, thinking].every((said) => said.isWellFormed())).toBe(true);
    const texts = answer?.blocks.flatMap((block) => (block.kind === 'text' ? [block.text] : []));
    expect(texts?.join('')).toBe(shown);
  });
});

describe('a call that cannot be made (ANSWER-4)', () => {
  test.each([
    ['no JSON', '{"command": "echo 1", }', /not JSON .*\n.*echo 1/s],
    ['a list', '["ls"]', /a list.*\["ls"\]/s],
    ['a text', '"ls"', /a text/],
    ['a number', '5', /a number/],
    ['null', 'null', /null/],
    ['true', 'true', /a boolean/],
    ['too deep', `{"a":${'['.repeat(64)}${']'.repeat(64)}}`, /64 levels/],
    ['far too deep', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, /deep/],
  ])('because its input is %s goes back as {} with what was written', async (_, json, defect) => {
    const [tool] = toolsIn(await answered(call(0, 'bash', json), end('tool_use')));

    expect(tool).toMatchObject({ tool: 'bash', toolUseId: 'toolu_0', input: {} });
    expect(tool?.defect).toMatch(defect);
    expect(tool?.defect?.length).toBeLessThan(3_000);
  });

  test.each([
    ['bash', 'bash', false],
    ['a-B_9', 'a-B_9', false],
    ['', 'invalid_tool', true],
    ['日本', 'invalid_tool', true],
    ['functions.bash', 'functionsbash', true],
    [' bash', 'bash', true],
    ['x'.repeat(128), 'x'.repeat(128), false],
    ['x'.repeat(129), 'x'.repeat(64), true],
    [
      `cd /workspace && ${'echo hello world; '.repeat(13)}`,
      expect.stringMatching(/^[a-zA-Z0-9_-]{1,64}$/),
      true,
    ],
  ])('the name "%s" goes back as a lawful one', async (name, lawful, isDefect) => {
    const [tool] = toolsIn(await answered(call(0, name, '{"a":1}'), end('tool_use')));

    expect(tool).toMatchObject({ tool: lawful, input: { a: 1 } });
    expect(tool?.defect === undefined).toBe(!isDefect);
    if (isDefect) expect(tool?.defect).toContain(JSON.stringify(name).slice(0, 20));
  });

  test('a key named __proto__ stays a key', async () => {
    const [tool] = toolsIn(await answered(call(0, 'bash', '{"__proto__":{"a":1}}'), end('tool_use')));

    expect(JSON.stringify(tool?.input)).toBe('{"__proto__":{"a":1}}');
  });
});

describe('ids of calls', () => {
  const used: readonly ModelMessage[] = [
    ...GO,
    { role: 'assistant', blocks: [{ kind: 'tool', toolUseId: 'toolu_used', tool: 'bash', input: {} }] },
  ];
  const ids = ['toolu_a', 'toolu_a', '', 'functions.bash:0', 'toolu_used', 'x'.repeat(2_000), 'toolu_b'];
  const frames = START + ids.map((id, index) => call(index, 'bash', '{}', id)).join('') + end('tool_use');

  test('that are odd, empty, endless, doubled or used before are replaced by own ones, the others stay', async () => {
    const { answer } = await played([frames], { messages: used });

    expect(answer === undefined ? [] : toolsIn(answer).map(({ toolUseId }) => toolUseId)).toEqual([
      'toolu_a',
      'toolu_t1m1_1',
      'toolu_t1m1_2',
      'toolu_t1m1_3',
      'toolu_t1m1_4',
      'toolu_t1m1_5',
      'toolu_b',
    ]);
  });

  test('are the same when the same answer comes again', async () => {
    const [one, two] = [await played([frames]), await played([frames])];

    expect(one.answer).toEqual(two.answer);
  });
});

describe('the end of an answer', () => {
  test('a call that is cut off at the limit is none, but only the last one can be cut', async () => {
    const cut = call(1, 'write', '{"path":"a.txt","text":"a very lo');

    expect(toolsIn(await answered(call(0, 'bash', '{}'), cut, end('max_tokens')))).toMatchObject([
      { tool: 'bash' },
    ]);
    expect(toolsIn(await answered(cut, end('model_context_window_exceeded')))).toEqual([]);
    expect(toolsIn(await answered(call(1, 'write', ''), end('max_tokens')))).toEqual([]);
    expect(toolsIn(await answered(cut, end('refusal')))).toEqual([]);
    expect(toolsIn(await answered(cut, call(2, 'bash', '{"a":1}'), end('max_tokens')))).toMatchObject([
      { tool: 'write', input: {}, defect: expect.any(String) },
      { tool: 'bash', input: { a: 1 } },
    ]);
  });

  test('a refusal says what the service says of it, and keeps what was said until then', async () => {
    const stop_details = { type: 'refusal', category: 'cyber', explanation: 'It could \ud83d harm.' };
    const answer = await answered(text(0, 'hello'), end('refusal', { stop_details }));

    expect(answer).toEqual({
      blocks: [ANSWER_TEXT],
      stopReason: 'refusal',
      refusal: { category: 'cyber', explanation: 'It could \ufffd harm.' },
      requestId: 'req_1',
    });
    const silent = await answered(end('refusal', { stop_details: { category: null, explanation: null } }));
    expect(silent.refusal).toBeUndefined();
    expect((await answered(end('end_turn', { stop_details }))).refusal).toBeUndefined();
  });

  test.each([
    ['budget_pause', 'budget_pause'],
    ['model_context_window_exceeded', 'model_context_window_exceeded'],
    [null, 'end_turn'],
  ])('the stop reason %s is passed on', async (said, stopReason) => {
    expect((await answered(text(0, 'hello'), end(said))).stopReason).toBe(stopReason);
  });

  test('what comes after the end, the end of the connection too, changes nothing', async () => {
    const whole = START + text(0, 'hello') + end('end_turn');
    const late = whole + text(0, 'late') + 'event: error\ndata: {"error":{"type":"api_error"}}\n\n';

    expect((await played([late])).answer?.blocks).toEqual([ANSWER_TEXT]);
    expect((await played([whole], { cut: new Error('socket hang up') })).answer?.blocks).toEqual([
      ANSWER_TEXT,
    ]);
    expect(failureIn(await played([START], { cut: new Error('socket hang up') }))).toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      retriable: true,
      requestId: 'req_1',
    });
  });

  test('a connection that stays open after the end is hung up', async () => {
    const { answer, request } = await played([START + text(0, 'hello') + end('end_turn')], {
      staysOpen: true,
    });

    expect(answer?.blocks).toEqual([ANSWER_TEXT]);
    expect(request?.signal.aborted).toBe(true);
  });

  test('thinking is shown as it comes, apart from the text', async () => {
    const frames = [
      open(0, { type: 'thinking', thinking: '', signature: '' }),
      piece(0, { type: 'thinking_delta', thinking: 'hm, ' }),
      piece(0, { type: 'thinking_delta', thinking: 'yes' }),
      text(1, 'hel', 'lo'),
    ];
    const { text: shown, thinking } = await played([START + frames.join('') + end('end_turn')]);

    expect([shown, thinking]).toEqual(['hello', 'hm, yes']);
  });
});
