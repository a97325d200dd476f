/** Runs a command line. Daemons that it leaves behind live on after it ends well; a deadline or a cancel ends them too. */
import { TOOL_OUTPUT_BYTES_MAX } from '../../kernel/limit.ts';
import { CappedText } from '../capped-text.ts';
import { type Tool, textOf } from '../tool.ts';

/** Room for the line that says how the command ended. */
const ENDING_BYTES = 500;

export const bashTool: Tool = {
  name: 'bash',
  description:
    'Run a command with bash in /workspace. Answers its output (stdout and stderr together) and exit code; long output keeps its head and tail. Programs left running in the background and /tmp last until the session sleeps; you are told when they are gone.',
  schema: {
    type: 'object',
    properties: {
      command: { type: 'string', description: 'The command line.' },
      timeout_ms: { type: 'integer', description: 'Milliseconds until it is killed; 120000 if left out.' },
    },
    required: ['command'],
  },
  async run(input, { sandbox, callId, signal }) {
    const command = textOf(input, 'command') ?? '';
    if (command.includes('\0'))
      return { ok: false, output: 'The command holds a zero byte, which bash cannot take.' };
    const output = new CappedText(TOOL_OUTPUT_BYTES_MAX - ENDING_BYTES);
    const argv = ['bash', '-c', command];
    const end = await sandbox.run(
      { argv, cwd: sandbox.root, callId, onOutput: (chunk) => output.add(chunk) },
      signal,
    );
    const text = output.text();
    switch (end.kind) {
      case 'exited': {
        if (end.code === 0) return { ok: true, output: text === '' ? '(no output)' : text, exitCode: 0 };
        const how = end.code === null ? `killed by ${end.signal}` : `exit code ${end.code}`;
        return { ok: false, output: ending(text, how), exitCode: end.code ?? undefined };
      }
      case 'overQuota':
        return { ok: false, output: ending(text, `killed: ${end.explanation}`) };
      case 'notStarted':
        return { ok: false, output: `The command could not be started: ${end.reason}` };
      case 'aborted':
        return { ok: false, output: text }; // the server says why it was stopped
    }
  },
};

function ending(text: string, how: string): string {
  return text === '' || text.endsWith('\n') ? `${text}[${how}]` : `${text}\n[${how}]`;
}
