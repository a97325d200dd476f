/** Searches files with grep(1), so that a bad pattern costs a process that can be killed, and not the hands. */
import { TOOL_OUTPUT_BYTES_MAX } from '../../kernel/limit.ts';
import { GREP_LINES_MAX, LINE_CHARS_MAX } from '../limit.ts';
import { Lines } from '../lines.ts';
import { placeOf } from '../place.ts';
import type { CommandEnd } from '../sandbox.ts';
import { type Tool, type ToolAnswer, textOf } from '../tool.ts';

/** A longer line is no text; what came before it is answered. */
const LINE_BYTES_MAX = 1024 * 1024;
/** Room for the line that says that there is more. */
const ENDING_BYTES = 200;
const NO_MATCH = 1;

export const grepTool: Tool = {
  name: 'grep',
  description:
    'Search files for a regular expression; answers matching lines with path and line number. Skips binary files and folders named .git and node_modules.',
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
    const lines = new Lines(LINE_BYTES_MAX, (line) => found.add(line));
    const onOutput = (chunk: Buffer): void => {
      if (found.end === undefined && !lines.add(chunk)) found.end = LINE_TOO_LONG;
      if (found.end !== undefined) enough.abort();
    };
    const either = AbortSignal.any([signal, enough.signal]);
    const argv = argvOf(pattern, place.shown);
    const end = await sandbox.run({ argv, cwd: sandbox.root, callId, onOutput }, either);
    return answerOf(found, end);
  },
};

const FULL = '(there is more: use a narrower pattern or path)';
const LINE_TOO_LONG = `(stopped at a line of more than ${LINE_BYTES_MAX} bytes: leave that file out, or search it with bash)`;
/** What grep says of a pattern, and of nothing else. */
const BAD_PATTERN =
  /^grep: ((?:Unmatched|Invalid|Trailing backslash|Regular expression|Premature end|character class).*)$/;

function answerOf(found: Found, end: CommandEnd): ToolAnswer {
  const said = (...endings: readonly string[]): string => [...found.lines, ...endings].join('\n');
  if (found.end !== undefined) return { ok: found.matched, output: said(found.end) };
  switch (end.kind) {
    case 'notStarted':
      return { ok: false, output: `grep could not be started: ${end.reason}` };
    case 'overQuota':
      return { ok: false, output: said(`grep was killed: ${end.explanation}`) };
    case 'aborted':
      return { ok: false, output: said() }; // the server says why it was stopped
    case 'exited': {
      if (end.code === NO_MATCH) return { ok: true, output: said('(no match)') };
      if (end.code === 0 || found.matched) return { ok: true, output: said() };
      const defect = BAD_PATTERN.exec(found.lines[0] ?? '')?.[1];
      if (defect !== undefined)
        return { ok: false, output: `"pattern" is not an extended regular expression: ${defect}.` };
      return { ok: false, output: said(...(found.lines.length === 0 ? [`grep failed: ${howOf(end)}`] : [])) };
    }
  }
}

function howOf({ code, signal }: { readonly code: number | null; readonly signal: string | null }): string {
  return code === null ? `killed by ${signal}` : `exit code ${code}`;
}

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
  /** Why no more is taken, for the model: once there was no room for a line, no later one gets in. */
  end: string | undefined;
  #bytes = 0;

  /** True when something other than complaints of grep itself was found. */
  get matched(): boolean {
    return this.lines.some((line) => !line.startsWith('grep: '));
  }

  add(line: string): void {
    if (this.end !== undefined) return;
    const plain = line.startsWith('./') ? line.slice(2) : line;
    const shown = plain.length > LINE_CHARS_MAX ? `${plain.slice(0, LINE_CHARS_MAX)} [... cut]` : plain;
    const bytes = Buffer.byteLength(shown) + 1;
    if (this.lines.length >= GREP_LINES_MAX || this.#bytes + bytes > TOOL_OUTPUT_BYTES_MAX - ENDING_BYTES) {
      this.end = FULL;
      return;
    }
    this.lines.push(shown);
    this.#bytes += bytes;
  }
}
