/** The calls of one model answer run at the same time: what changes files must not lose what another one changed. */
import { expect, it } from 'vitest';
import { SerialQueue } from '../../src/hands/serial-queue.ts';
import type { ToolAnswer, ToolInput } from '../../src/hands/tool.ts';
import { editTool } from '../../src/hands/tools/edit.ts';
import { writeTool } from '../../src/hands/tools/write.ts';
import { MemorySandbox } from '../support/memory-sandbox.ts';

const FILE = '/workspace/f';

class World {
  readonly sandbox = new MemorySandbox();
  readonly stop = new AbortController();
  readonly #changes = new SerialQueue();

  constructor(content: string) {
    this.sandbox.files.set(FILE, Buffer.from(content));
  }

  get content(): string {
    return String(this.sandbox.files.get(FILE));
  }

  edit(input: ToolInput): Promise<ToolAnswer> {
    return editTool.run({ path: 'f', ...input }, this.#context());
  }

  write(content: string): Promise<ToolAnswer> {
    return writeTool.run({ path: 'f', content }, this.#context());
  }

  #context() {
    return {
      sandbox: this.sandbox,
      callId: 'call',
      signal: this.stop.signal,
      changes: this.#changes,
    };
  }
}

it('two edits of one file at the same time are both in it', async () => {
  const world = new World('one two three');
  const answers = await Promise.all([
    world.edit({ old: 'one', new: '1' }),
    world.edit({ old: 'two', new: '2' }),
    world.edit({ path: '/workspace/./f', old: 'three', new: '3' }),
  ]);

  expect(answers.map(({ ok }) => ok)).toEqual([true, true, true]);
  expect(world.content).toBe('1 2 3');
});

it('a write that came after an edit is not undone by it', async () => {
  const world = new World('one');
  await Promise.all([world.edit({ old: 'one', new: '1' }), world.write('all new')]);

  expect(world.content).toBe('all new');
});

it('an edit that was refused does not hold up the next one', async () => {
  const world = new World('one');
  await Promise.all([
    world.edit({ path: 'none', old: 'a', new: 'b' }).catch(() => undefined),
    world.edit({ old: 'one', new: '1' }),
  ]);

  expect(world.content).toBe('1');
});

it('an edit that is stopped while it reads leaves the file whole', async () => {
  const world = new World('one two three');
  world.sandbox.onChunk = () => world.stop.abort();

  expect((await world.edit({ old: 'one', new: '1' })).ok).toBe(false);
  expect(world.content).toBe('one two three');
});

it('what is stopped while it waits for its turn changes nothing', async () => {
  const world = new World('one');
  const first = world.edit({ old: 'one', new: '1' });
  const second = world.write('two');
  world.stop.abort();
  await Promise.all([first, second]);

  expect(world.content).toBe('one');
});
