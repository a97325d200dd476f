/** Writes a whole file. */
import { FileRefused } from '../faults.ts';
import { TEXT_FILE_BYTES_MAX } from '../limit.ts';
import { lineEndsOf } from '../line-ends.ts';
import type { Sandbox } from '../sandbox.ts';
import { type Tool, textOf } from '../tool.ts';
import { writablePlace } from '../written-path.ts';

const MARK = '\ufeff';

export const writeTool: Tool = {
  name: 'write',
  description: 'Write a file, making its folders; its whole content is replaced.',
  schema: {
    type: 'object',
    properties: {
      path: { type: 'string', description: 'Path, absolute or relative to /workspace.' },
      content: { type: 'string', description: 'The whole content.' },
    },
    required: ['path', 'content'],
  },
  async run(input, { sandbox, signal, changes }) {
    const text = textOf(input, 'content') ?? '';
    if (!text.isWellFormed())
      return {
        ok: false,
        output: '"content" holds half a character (a lone surrogate): give whole characters.',
      };
    const content = Buffer.from(text);
    if (content.length > TEXT_FILE_BYTES_MAX) {
      const output = `The content has ${content.length} bytes, ${TEXT_FILE_BYTES_MAX} are the limit: write it in parts with bash.`;
      return { ok: false, output };
    }
    return changes.run(async () => {
      if (signal.aborted) return { ok: false, output: '' }; // the server says why it was stopped
      const place = await writablePlace(sandbox, textOf(input, 'path') ?? '');
      const before = await beginningOf(sandbox, place.path, signal);
      const { created, target } = await sandbox.write(place.path, content);
      const done = created ? 'Created' : 'Replaced';
      const through = target === undefined ? '' : `, through the link to ${target}`;
      const lost = created || before === undefined ? [] : differences(before, text);
      const said = [`${done} ${place.shown} (${content.length} bytes${through}).`, ...lost];
      if (place.note !== undefined) said.push(`(${place.note})`);
      return { ok: true, output: said.join(' ') };
    });
  },
};

/** How a text that is there begins; undefined when it cannot be read, which is no reason not to write it. */
async function beginningOf(sandbox: Sandbox, path: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    for await (const chunk of sandbox.read(path, signal)) return chunk.toString();
  } catch (error) {
    if (!(error instanceof FileRefused)) throw error;
  }
  return undefined;
}

/** What the new content does not have that nobody sees. */
function differences(before: string, after: string): readonly string[] {
  const windows = lineEndsOf(before) === '\r\n' && lineEndsOf(after) === '\n';
  const mark = before.startsWith(MARK) && !after.startsWith(MARK);
  return [
    ...(windows ? ['Its lines ended with CR LF, now they end with LF.'] : []),
    ...(mark ? ['It began with a byte order mark, now it does not.'] : []),
  ];
}
