/** Writes a whole file. */
import { TEXT_FILE_BYTES_MAX } from '../limit.ts';
import { placeOf } from '../place.ts';
import { type Tool, textOf } from '../tool.ts';

export const writeTool: Tool = {
  name: 'write',
  description: 'Write a file, making its folders; what was there is replaced.',
  schema: {
    type: 'object',
    properties: {
      path: { type: 'string', description: 'Path, absolute or relative to /workspace.' },
      content: { type: 'string', description: 'The whole content.' },
    },
    required: ['path', 'content'],
  },
  async run(input, { sandbox, signal, changes }) {
    const place = placeOf(sandbox.root, textOf(input, 'path') ?? '');
    const content = Buffer.from(textOf(input, 'content') ?? '');
    if (content.length > TEXT_FILE_BYTES_MAX) {
      const output = `The content has ${content.length} bytes, ${TEXT_FILE_BYTES_MAX} are the limit: write it in parts with bash.`;
      return { ok: false, output };
    }
    return changes.run(async () => {
      if (signal.aborted) return { ok: false, output: '' }; // the server says why it was stopped
      const { created } = await sandbox.write(place.path, content);
      const done = created ? 'Created' : 'Replaced';
      return { ok: true, output: `${done} ${place.shown} (${content.length} bytes).` };
    });
  },
};
