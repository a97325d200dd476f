/** Searches files with grep(1), so that a bad pattern costs a process that can be killed, and not the hands. */
import { TOOL_OUTPUT_BYTES_MAX } from '../../kernel/limit.ts';
import { GREP_LINES_MAX, LINE_CHARS_MAX } from '../limit.ts';
import { Lines } from '../lines.ts';
import { placeOf } from '../place.ts';
import { type Tool, textOf } from '../tool.ts';

/** A longer line is no text; what came before it is answered. */
const LINE_BYTES_MAX = 1024 * 1024;
/** Room for the line that says that there is more. */
const ENDING_BYTES = 200;
const NO_MATCH = 1;

export const grepTool: Tool = {
  name: 'grep',
  description: 'Search files for a regular expression; answers matching lines with path and line number.',
  schema: {
    type: 'object',
    properties: {
      pattern: { type: 'string', description: 'An extended regular expression.' },
      path: { type: 'string', description: 'File or folder to search; /workspace if left out.' },
    },
    required: ['pattern'],
  },
  async run(input, { sandbox, callId, signal }) {
    const pattern = textOf(input, 'pattern') ?? '';
    if (pattern === '' || /[\0\n]/.test(pattern)) {
      return { ok: false, output: '"pattern" must be one line, not empty and without zero bytes.' };
    }
    const place = placeOf(sandbox.root, textOf(input, 'path') ?? '.');
    const enough = new AbortController();
    const found = new Found();
    const lines = new Lines(LINE_BYTES_MAX, (line) => {
      if (!found.add(line)) enough.abort();
    });
    const onOutput = (chunk: Buffer): void => {
      if (!enough.signal.aborted && !lines.add(chunk)) enough.abort();
    };
    const either = AbortSignal.any([signal, enough.signal]);
    const end = await sandbox.run(
      { argv: argvOf(pattern, place.shown), cwd: sandbox.root, callId, onOutput },
      either,
    );
    if (end.kind === 'notStarted') return { ok: false, output: `grep could not be started: ${end.reason}` };
    if (found.lines.length === 0 && end.kind === 'exited' && end.code === NO_MATCH)
      return { ok: true, output: '(no match)' };
    const failed = end.kind === 'exited' && end.code !== 0 && end.code !== NO_MATCH && !found.matched;
    const more = enough.signal.aborted ? ['(there is more: use a narrower pattern or path)'] : [];
    const output = [...found.lines, ...more].join('\n');
    return { ok: !failed && end.kind !== 'overQuota', output: output === '' ? 'grep failed.' : output };
  },
};

function argvOf(pattern: string, path: string): readonly string[] {
  const options = [
    '--recursive',
    '--line-number',
    '--with-filename',
    '--binary-files=without-match',
    '--devices=skip',
  ];
  const leftOut = ['--exclude-dir=.git', '--exclude-dir=node_modules'];
  return ['grep', ...options, ...leftOut, '--color=never', '-E', '-e', pattern, '--', path];
}

class Found {
  readonly lines: string[] = [];
  #bytes = 0;

  /** True when something other than complaints of grep itself was found. */
  get matched(): boolean {
    return this.lines.some((line) => !line.startsWith('grep: '));
  }

  /** False when there is no room for more. */
  add(line: string): boolean {
    const plain = line.startsWith('./') ? line.slice(2) : line;
    const shown = plain.length > LINE_CHARS_MAX ? `${plain.slice(0, LINE_CHARS_MAX)} [... cut]` : plain;
    const bytes = Buffer.byteLength(shown) + 1;
    if (this.lines.length >= GREP_LINES_MAX || this.#bytes + bytes > TOOL_OUTPUT_BYTES_MAX - ENDING_BYTES)
      return false;
    this.lines.push(shown);
    this.#bytes += bytes;
    return true;
  }
}
