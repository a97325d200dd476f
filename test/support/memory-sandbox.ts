/** A Sandbox without a machine: files in a map, commands answered by the test. */
import type { Command, CommandEnd, Sandbox } from '../../src/hands/sandbox.ts';
import { FileRefused } from '../../src/hands/faults.ts';

export class MemorySandbox implements Sandbox {
  readonly root = '/workspace';
  readonly searchProgram = ['search'];
  readonly files = new Map<string, Buffer>();
  readonly #perform: (command: Command) => CommandEnd;
  /** Called between two chunks of a file. */
  onChunk: () => void = () => undefined;

  constructor(perform: (command: Command) => CommandEnd = () => ({ kind: 'aborted' })) {
    this.#perform = perform;
  }

  run(command: Command): Promise<CommandEnd> {
    return Promise.resolve(this.#perform(command));
  }

  look(path: string): ReturnType<Sandbox['look']> {
    const isFolder = [...this.files.keys()].some((file) => file.startsWith(`${path}/`)) || path === this.root;
    return Promise.resolve(this.files.has(path) ? 'file' : isFolder ? 'folder' : undefined);
  }

  /** In two chunks, ending early when it is told to, as the real one does. */
  async *read(path: string, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const content = this.files.get(path);
    if (content === undefined) throw new FileRefused(`${path} does not exist`);
    const half = Math.ceil(content.length / 2);
    yield content.subarray(0, half);
    this.onChunk();
    if (!signal.aborted) yield content.subarray(half);
  }

  async write(path: string, content: Buffer): Promise<{ created: boolean }> {
    await Promise.resolve();
    const created = !this.files.has(path);
    this.files.set(path, content);
    return { created };
  }

  list(): ReturnType<Sandbox['list']> {
    return Promise.resolve(undefined);
  }

  background(): number {
    return 0;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
