/**
 * Replaces a text in a file, exactly: nothing is guessed, so nothing is changed that was not meant. Only CR LF and LF are the
 * same: read shows lines without their ends, and what is put in gets the ends of the lines around it.
 */
import { isUtf8 } from 'node:buffer';
import { TEXT_FILE_BYTES_MAX } from '../limit.ts';
import { FlatText, type LineEnd, lineEndAt, withLineEnd } from '../line-ends.ts';
import { whyMissing } from '../near-miss.ts';
import { encodingOf } from '../text-encoding.ts';
import { type Tool, type ToolAnswer, type ToolContext, textOf } from '../tool.ts';
import { existingPlace } from '../written-path.ts';

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
    const path = textOf(input, 'path') ?? '';
    const [before, after] = [textOf(input, 'old') ?? '', textOf(input, 'new') ?? ''];
    if (before === '')
      return refused('"old" is empty: give the text to be replaced, or use write for a new file.');
    if (!before.isWellFormed() || !after.isWellFormed())
      return refused('"old" or "new" holds half a character (a lone surrogate): give whole characters.');
    if (before === after) return refused('"old" and "new" are the same: there is nothing to change.');
    const change: Change = { before, after, all: input['all'] === true };
    return context.changes.run(() => replace(path, change, context));
  },
};

interface Change {
  readonly before: string;
  readonly after: string;
  readonly all: boolean;
}

async function replace(path: string, change: Change, { sandbox, signal }: ToolContext): Promise<ToolAnswer> {
  const { before, after, all } = change;
  const place = await existingPlace(sandbox, path);
  const content = await readText(sandbox.read(place.path, signal), place.shown);
  if (signal.aborted) return refused(''); // not all of it was read; the server says why it was stopped
  if (typeof content !== 'string') return content;
  const places = placesOf(content, before);
  const [first] = places;
  if (first === undefined) return refused(missing(content, before, place.shown));
  if (places.length > 1 && !all) return refused(ambiguous(content, places, place.shown));
  const edited = Buffer.from(replaced(content, places, after));
  if (edited.length > TEXT_FILE_BYTES_MAX)
    return refused(`${place.shown} would grow over ${TEXT_FILE_BYTES_MAX} bytes.`);
  await sandbox.write(place.path, edited);
  const count = places.length === 1 ? `line ${lineAt(content, first.start)}` : `${places.length} places`;
  const note = place.note === undefined ? '' : ` (${place.note})`;
  const kept = `${before}${after}`.includes('\n') && places.some(({ lineEnd }) => lineEnd === '\r\n');
  return {
    ok: true,
    output: `Edited ${place.shown} (${count}${kept ? '; its lines end with CR LF' : ''}).${note}`,
  };
}

/** Where the old text is, and how lines end there; undefined when the new text is to be taken by the letter. */
interface Match {
  readonly start: number;
  readonly end: number;
  readonly lineEnd: LineEnd | undefined;
}

function placesOf(content: string, before: string): readonly Match[] {
  if (before.includes('\r')) {
    const exact = occurrences(content, before); // line ends are meant, perhaps to be changed
    if (exact.length > 0)
      return exact.map((start) => ({ start, end: start + before.length, lineEnd: undefined }));
  }
  const flat = new FlatText(content);
  const wanted = before.replaceAll('\r\n', '\n');
  return occurrences(flat.text, wanted).map((at) => {
    const [start, end] = [flat.originOf(at), flat.originOf(at + wanted.length)];
    return { start, end, lineEnd: lineEndAt(content, start, end) };
  });
}

function replaced(content: string, places: readonly Match[], after: string): string {
  const parts: string[] = [];
  let from = 0;
  for (const { start, end, lineEnd } of places) {
    parts.push(content.slice(from, start), lineEnd === '\r\n' ? withLineEnd(after, lineEnd) : after);
    from = end;
  }
  return [...parts, content.slice(from)].join('');
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
  const encoding = encodingOf(content);
  if (encoding !== 'UTF-8')
    return refused(`${shown} is not a UTF-8 text file but ${encoding}: edit it with bash (iconv, a script).`);
  if (!isUtf8(content))
    return refused(`${shown} is not a UTF-8 text file: edit it with bash (iconv, sed, a script).`);
  return content.toString();
}

function occurrences(content: string, text: string): readonly number[] {
  const starts: number[] = [];
  for (let at = content.indexOf(text); at !== -1; at = content.indexOf(text, at + text.length))
    starts.push(at);
  return starts;
}

function missing(content: string, before: string, shown: string): string {
  const why = whyMissing(content.replaceAll('\r\n', '\n'), before.replaceAll('\r\n', '\n'));
  return `"old" is not in ${shown}. ${why}`;
}

function ambiguous(content: string, places: readonly Match[], shown: string): string {
  const lines = places.slice(0, LINES_NAMED_MAX).map(({ start }) => lineAt(content, start));
  const more = places.length > lines.length ? ', ...' : '';
  return `"old" is in ${shown} ${places.length} times (lines ${lines.join(', ')}${more}): add text around it, or set "all".`;
}

function lineAt(content: string, start: number): number {
  return content.slice(0, start).split('\n').length;
}

function refused(output: string): ToolAnswer {
  return { ok: false, output };
}
