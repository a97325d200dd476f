/**
 * Searches files in a process of its own (the sandbox's search program), so that a bad pattern costs a process that can be killed,
 * and not the hands. One engine everywhere, whatever programs a machine has: docs/adr/0016.
 */
import { TOOL_OUTPUT_BYTES_MAX } from '../../kernel/limit.ts';
import { CappedText } from '../capped-text.ts';
import { defectOfGlob } from '../search/glob.ts';
import { patternOf } from '../search/pattern.ts';
import { PatternRefused } from '../search/pattern-escape.ts';
import { EXIT_REFUSED, type SearchRequest } from '../search/request.ts';
import type { CommandEnd } from '../sandbox.ts';
import { type Tool, type ToolAnswer, textOf } from '../tool.ts';
import { existingPlace } from '../written-path.ts';

/** Room for the line that says how the search ended. */
const ENDING_BYTES = 500;

export const grepTool: Tool = {
  name: 'grep',
  description:
    'Search files for a regular expression; answers matching lines with path and line number. Hidden files are searched, folders named .git and node_modules only when path names them; what was left out is said.',
  schema: {
    type: 'object',
    properties: {
      pattern: {
        type: 'string',
        description:
          'A regular expression (as in JavaScript or PCRE), matched line by line; over several lines when it has \\n.',
      },
      path: { type: 'string', description: 'File or folder to search; /workspace if left out.' },
      glob: { type: 'string', description: 'Only files like this: *.ts, src/**, *.{js,ts}, !*.min.js.' },
      ignore_case: { type: 'boolean', description: 'Take upper and lower case as the same.' },
    },
    required: ['pattern'],
  },
  async run(input, { sandbox, callId, signal }) {
    const pattern = textOf(input, 'pattern') ?? '';
    const glob = textOf(input, 'glob');
    const ignoreCase = input['ignore_case'] === true;
    const defect =
      defectOfPattern(pattern, ignoreCase) ?? (glob === undefined ? undefined : defectOfGlob(glob));
    if (defect !== undefined) return { ok: false, output: defect };
    const place = await existingPlace(sandbox, textOf(input, 'path') ?? '.');
    const shown = place.shown === '.' ? '' : place.shown;
    const request: SearchRequest = { pattern, ignoreCase, glob, path: place.path, shown };
    const output = new CappedText(TOOL_OUTPUT_BYTES_MAX - ENDING_BYTES);
    const argv = [...sandbox.searchProgram, JSON.stringify(request)];
    const onOutput = (chunk: Buffer): void => output.add(chunk);
    const end = await sandbox.run({ argv, cwd: sandbox.root, callId, onOutput }, signal);
    return answerOf(output.text().trimEnd(), end);
  },
};

function defectOfPattern(pattern: string, ignoreCase: boolean): string | undefined {
  try {
    patternOf(pattern, ignoreCase);
    return undefined;
  } catch (error) {
    if (error instanceof PatternRefused)
      return `"pattern" is no regular expression that can be taken: ${error.message}.`;
    throw error;
  }
}

function answerOf(said: string, end: CommandEnd): ToolAnswer {
  const withEnding = (ending: string): string => (said === '' ? ending : `${said}\n${ending}`);
  switch (end.kind) {
    case 'notStarted':
      return { ok: false, output: `The search could not be started: ${end.reason}` };
    case 'overQuota':
      return { ok: false, output: withEnding(`(the search was killed: ${end.explanation})`) };
    case 'aborted':
      return { ok: false, output: said }; // the server says why it was stopped
    case 'exited': {
      if (end.code === 0) return { ok: true, output: said };
      if (end.code === EXIT_REFUSED) return { ok: false, output: said };
      const how = end.code === null ? `killed by ${end.signal}` : `exit code ${end.code}`;
      return { ok: false, output: withEnding(`(the search ended before its end: ${how})`) };
    }
  }
}
