/** Replaces a text in a file, exactly: nothing is guessed, so nothing is changed that was not meant. */
import { TEXT_FILE_BYTES_MAX } from '../limit.ts';
import { type Place, placeOf } from '../place.ts';
import { type Tool, type ToolAnswer, type ToolContext, textOf } from '../tool.ts';

/** Line numbers named when the old text is there more than once. */
const LINES_NAMED_MAX = 10;

export const editTool: Tool = {
  name: 'edit',
  description: 'Replace a text in a file. The old text must be there exactly once, unless all is true.',
  schema: {
    type: 'object',
    properties: {
      path: { type: 'string', description: 'Path, absolute or relative to /workspace.' },
      old: { type: 'string', description: 'The text to be replaced, with enough around it to be unique.' },
      new: { type: 'string', description: 'The text that takes its place.' },
      all: { type: 'boolean', description: 'Replace every occurrence.' },
    },
    required: ['path', 'old', 'new'],
  },
  async run(input, context) {
    const place = placeOf(context.sandbox.root, textOf(input, 'path') ?? '');
    const [before, after] = [textOf(input, 'old') ?? '', textOf(input, 'new') ?? ''];
    if (before === '')
      return refused('"old" is empty: give the text to be replaced, or use write for a new file.');
    if (before === after) return refused('"old" and "new" are the same: there is nothing to change.');
    const change: Change = { before, after, all: input['all'] === true };
    return context.changes.run(() => replace(place, change, context));
  },
};

interface Change {
  readonly before: string;
  readonly after: string;
  readonly all: boolean;
}

async function replace(place: Place, change: Change, { sandbox, signal }: ToolContext): Promise<ToolAnswer> {
  const { before, after, all } = change;
  const content = await readText(sandbox.read(place.path, signal), place.shown);
  if (signal.aborted) return refused(''); // not all of it was read; the server says why it was stopped
  if (typeof content !== 'string') return content;
  const starts = occurrences(content, before);
  const [first] = starts;
  if (first === undefined) return refused(missing(content, before, place.shown));
  if (starts.length > 1 && !all) return refused(ambiguous(content, starts, place.shown));
  const edited = Buffer.from(content.split(before).join(after));
  if (edited.length > TEXT_FILE_BYTES_MAX)
    return refused(`${place.shown} would grow over ${TEXT_FILE_BYTES_MAX} bytes.`);
  await sandbox.write(place.path, edited);
  const count = starts.length === 1 ? `line ${lineAt(content, first)}` : `${starts.length} places`;
  return { ok: true, output: `Edited ${place.shown} (${count}).` };
}

/** The whole file as text, or why it cannot be edited: bytes that are not UTF-8 would be damaged by writing them back. */
async function readText(chunks: AsyncIterable<Buffer>, shown: string): Promise<string | ToolAnswer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > TEXT_FILE_BYTES_MAX) {
      return refused(
        `${shown} has more than ${TEXT_FILE_BYTES_MAX} bytes: edit it with bash (sed, a script).`,
      );
    }
    parts.push(chunk);
  }
  const content = Buffer.concat(parts);
  const text = content.toString();
  if (content.includes(0) || !Buffer.from(text).equals(content)) {
    return refused(`${shown} is not a UTF-8 text file: edit it with bash.`);
  }
  return text;
}

function occurrences(content: string, text: string): readonly number[] {
  const starts: number[] = [];
  for (let at = content.indexOf(text); at !== -1; at = content.indexOf(text, at + text.length))
    starts.push(at);
  return starts;
}

function missing(content: string, before: string, shown: string): string {
  const hint =
    content.includes('\r\n') && before.includes('\n') && !before.includes('\r')
      ? ' Its lines end with CR LF: replace one line at a time, or edit it with bash.'
      : ' Read the file again and copy the text exactly, white space included.';
  return `"old" is not in ${shown}.${hint}`;
}

function ambiguous(content: string, starts: readonly number[], shown: string): string {
  const lines = starts.slice(0, LINES_NAMED_MAX).map((start) => lineAt(content, start));
  const more = starts.length > lines.length ? ', ...' : '';
  return `"old" is in ${shown} ${starts.length} times (lines ${lines.join(', ')}${more}): add text around it, or set "all".`;
}

function lineAt(content: string, start: number): number {
  return content.slice(0, start).split('\n').length;
}

function refused(output: string): ToolAnswer {
  return { ok: false, output };
}
