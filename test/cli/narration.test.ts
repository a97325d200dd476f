import { beforeEach, describe, expect, it } from 'vitest';
import { Narration } from '../../src/cli/narration.ts';
import type { Frame } from '../../src/client/follow.ts';

const ESCAPE = '\x1b]0;gone\x07\x1b[2J\u009b1m\u202e';
const SHOWN = String.raw`\x1b]0;gone\x07\x1b[2J\x9b1m\u202e`;

let text: string;
let narration: Narration;
beforeEach(() => {
  text = '';
  narration = new Narration((more) => {
    text += more;
  });
});

/** As much of an event as the narration looks at. */
function batch(...events: readonly object[]): Frame {
  return { __typename: 'EventBatch', cursor: 'c', events } as never;
}

function delta(piece: string, offset: number): Frame {
  return { __typename: 'MessageDelta', callId: 'call-1', offset, text: piece } as never;
}

describe('TERMINAL-1: a session is narrated without escapes', () => {
  it('whatever is in the output of tools, in what is said, in names and in errors', () => {
    narration.frame(delta(`said ${ESCAPE}`, 0));
    narration.frame(
      batch(
        { __typename: 'UserMessage', seq: 1, type: 'user.message', text: `asked ${ESCAPE}` },
        {
          __typename: 'ToolCall',
          seq: 2,
          type: 'tool.call',
          tool: `tool ${ESCAPE}`,
          input: { [ESCAPE]: ESCAPE },
        },
        {
          __typename: 'ToolResult',
          seq: 3,
          type: 'tool.result',
          toolOutcome: 'COMPLETED',
          output: `a\r\n${ESCAPE}\n`,
        },
        {
          __typename: 'ToolRequested',
          seq: 3,
          type: 'tool.requested',
          callId: ESCAPE,
          tool: ESCAPE,
          requestKind: 'CLIENT',
          input: { [ESCAPE]: ESCAPE },
        },
        {
          __typename: 'ToolResolved',
          seq: 3,
          type: 'tool.resolved',
          tool: ESCAPE,
          resolution: 'FAILED',
          said: ESCAPE,
        },
        { __typename: 'BrainLost', seq: 4, type: 'brain.lost', reason: ESCAPE },
        {
          __typename: 'AgentMessage',
          seq: 5,
          type: 'agent.message',
          callId: 'call-2',
          text: `whole ${ESCAPE}`,
        },
        { __typename: 'Other', seq: 6, type: `type ${ESCAPE}` },
      ),
    );
    for (const say of ['title', 'step', 'line'] as const) narration[say](ESCAPE);

    // oxlint-disable-next-line no-control-regex -- that is what must not be there
    expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    for (const word of ['said', 'asked', 'tool', 'whole', 'type']) expect(text).toContain(`${word} ${SHOWN}`);
    expect(text).toContain('| a\n');
    expect(text).toContain(`| ${SHOWN}\n`);
  });

  it('and cuts lines that have no end', () => {
    narration.frame(delta('x'.repeat(3_000), 0));
    narration.frame(delta('x'.repeat(900_000), 3_000));
    narration.frame(delta('x\nnext', 903_000));
    narration.frame(
      batch({
        __typename: 'ToolResult',
        seq: 3,
        type: 'tool.result',
        toolOutcome: 'COMPLETED',
        output: `${'\x1b'.repeat(1_000_000)}\nend`,
      }),
    );

    const lines = text.split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(4_100);
    expect(lines.filter((line) => line.includes('x…'))).toHaveLength(1);
    expect(lines).toContain('next');
    expect(lines.find((line) => line.includes('| \\x1b'))).toMatch(/^ {15}\| .{109}…$/);
  });
});
