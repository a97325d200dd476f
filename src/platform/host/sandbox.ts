/**
 * The Sandbox of a process that is already isolated: the same code runs inside bubblewrap, inside a Fargate task, and,
 * where isolation was switched off, in the open. Needs Linux, mkfifo(1), and the programs that the tools name.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setPriority } from 'node:os';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { FileRefused } from '../../hands/faults.ts';
import { COMMAND_NICENESS, END_GRACE_MS } from '../../hands/limit.ts';
import type { Command, CommandEnd, Sandbox } from '../../hands/sandbox.ts';
import { listFolder, lookAt, readFileChunks } from './files.ts';
import { openOutputPipe, type OutputPipe } from './output-pipe.ts';
import { countTree, endTree, killTree, MARK, type Tree } from './process-tree.ts';
import { Quota } from './quota.ts';
import type { Size } from './disk-size.ts';
import { writeWhole, type WrittenFile } from './written-file.ts';

export interface HostSandboxOptions {
  /** The workspace. */
  readonly root: string;
  /** Of the workspace. */
  readonly sizeMax: Size;
  /** The whole environment of commands, but for the mark. */
  readonly env: Readonly<Record<string, string>>;
  /** A folder for pipes, writable, outside the workspace. */
  readonly pipeFolder: string;
  /** Every process that can be seen, but this one and the first, was started by commands: they are in a namespace of their own. */
  readonly isAlone?: boolean | undefined;
}

/** After a command's end its last output is taken from the pipe; when daemons hold the pipe open, until it is quiet this long. */
const OUTPUT_QUIET_MS = 50;
/** But no longer than this: a daemon that never stops talking is not output of the command. */
const OUTPUT_QUIET_MS_MAX = 500;

/** MAX_ARG_STRLEN of Linux: one argument of a program. */
const ARGUMENT_KIB = 128;

const MADE_ROOM =
  '[No process could be started: everything that earlier commands had left running was ended.]\n';

/** The node that runs this, wherever it is; a command cannot put another one in its place by way of PATH. */
const SEARCH_PROGRAM = [process.execPath, join(import.meta.dirname, 'search/search-program.ts')];
interface Running {
  readonly leader: number | undefined;
  /** Set when the whole sandbox closes. */
  ending?: Promise<void> | undefined;
  overQuota(explanation: string): void;
}

export class HostSandbox implements Sandbox {
  readonly root: string;
  readonly searchProgram = SEARCH_PROGRAM;
  readonly #options: HostSandboxOptions;
  /** Begins every mark of this sandbox, so that two of them on one machine leave each other alone. */
  readonly #mark = `${randomBytes(6).toString('hex')}.`;
  readonly #running = new Set<Running>();
  readonly #quota: Quota;

  constructor(options: HostSandboxOptions) {
    this.root = options.root;
    this.#options = options;
    this.#quota = new Quota({
      folders: [options.root],
      max: options.sizeMax,
      writers: () => (this.#running.size > 0 ? 'command' : this.background() > 0 ? 'daemon' : 'none'),
      onOver: (explanation) => {
        for (const { overQuota } of this.#running) overQuota(explanation);
        void killTree({ mark: this.#mark }); // not asked first: it would go on writing
      },
    });
  }

  async run(command: Command, signal: AbortSignal): Promise<CommandEnd> {
    const [program, ...args] = command.argv;
    if (signal.aborted || program === undefined) return { kind: 'aborted' };
    const mark = `${this.#mark}${command.callId}`;
    const { env, pipeFolder } = this.#options;
    const pipe = await this.#pipe(pipeFolder, command);
    if (typeof pipe === 'string') return { kind: 'notStarted', reason: pipe };
    let child: ChildProcess;
    try {
      // its own session: nothing it does to its terminal or group meets the hands
      child = spawn(program, args, {
        cwd: command.cwd,
        env: { ...env, [MARK]: mark },
        detached: true,
        stdio: ['ignore', pipe.writeFd, pipe.writeFd],
      });
    } catch (error) {
      pipe.output.destroy();
      await pipe.handOver();
      return { kind: 'notStarted', reason: whyNotSpawned(error) };
    }
    behindTheHands(child);
    pipe.output.on('data', command.onOutput);
    const ended = this.#ended(child, mark, signal);
    await pipe.handOver();
    const end = await ended;
    await quiet(pipe.output, end.kind === 'exited' ? signal : undefined);
    const isStopped = end.kind === 'exited' && signal.aborted; // after its end: what it left running goes too
    if (isStopped) {
      await endTree({ mark }, END_GRACE_MS);
      await quiet(pipe.output);
    }
    pipe.output.off('data', command.onOutput).resume().unref(); // daemons may go on talking, to nobody
    return isStopped ? { kind: 'aborted' } : end;
  }

  /** A pipe for the command, or why there is none. Makes room when earlier commands left no process to be had. */
  async #pipe(folder: string, command: Command): Promise<OutputPipe | string> {
    try {
      return await openOutputPipe(folder);
    } catch {
      await killTree({ mark: this.#mark });
      command.onOutput(Buffer.from(MADE_ROOM));
    }
    try {
      return await openOutputPipe(folder);
    } catch (error) {
      return `${String(error)} (too many processes?)`;
    }
  }

  look(path: string): ReturnType<Sandbox['look']> {
    return lookAt(path);
  }

  read(path: string, signal: AbortSignal): AsyncIterable<Buffer> {
    return readFileChunks(path, signal);
  }

  async write(path: string, content: Buffer): Promise<WrittenFile> {
    const refusal = await this.#quota.refusal();
    if (refusal !== undefined) throw new FileRefused(refusal);
    const written = await writeWhole(path, content);
    this.#quota.watch();
    return written;
  }

  list(path: string, entriesMax: number): ReturnType<Sandbox['list']> {
    return listFolder(path, entriesMax);
  }

  background(): number {
    return countTree(this.#all);
  }

  async close(): Promise<void> {
    const running = [...this.#running];
    const leaders = running.map(({ leader }) => leader).filter((pid) => pid !== undefined);
    const ending = endTree({ ...this.#all, leaders }, END_GRACE_MS);
    for (const one of running) one.ending = ending;
    await Promise.all([ending, this.#quota.close()]);
  }

  get #all(): Tree {
    return { mark: this.#options.isAlone === true ? undefined : this.#mark };
  }

  #ended(child: ChildProcess, mark: string, signal: AbortSignal): Promise<CommandEnd> {
    return new Promise((resolve) => {
      let killed: CommandEnd | undefined;
      const gone: Promise<void>[] = [];
      const tree: Tree = { mark, leaders: child.pid === undefined ? [] : [child.pid] };
      const abort = (): void => {
        killed ??= { kind: 'aborted' };
        gone.push(running.ending ?? endTree(tree, END_GRACE_MS)); // once: to be asked twice means to hurry for some
      };
      const overQuota = (explanation: string): void => {
        killed ??= { kind: 'overQuota', explanation };
        gone.push(killTree(tree));
      };
      const running: Running = { leader: child.pid, overQuota };
      const settle = (end: CommandEnd): void => {
        signal.removeEventListener('abort', abort);
        this.#running.delete(running);
        void Promise.all(gone).then(() => resolve(killed ?? end));
      };
      child.once('error', (error) => settle({ kind: 'notStarted', reason: error.message }));
      child.once('exit', (code, name) => settle({ kind: 'exited', code, signal: name }));
      signal.addEventListener('abort', abort, { once: true });
      this.#running.add(running);
      if (signal.aborted) abort(); // while the pipe was made
      this.#quota.watch();
    });
  }
}

/** What a command starts comes after its hands when both want to run: however much of it there is, they go on measuring and ending it. */
function behindTheHands({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, COMMAND_NICENESS);
  } catch {
    // it has ended
  }
}

/** What spawn throws, it throws before there is a process; the rest comes as an event. For the model. */
function whyNotSpawned(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'E2BIG')
    return `it is longer than the system takes (${ARGUMENT_KIB} KiB): write the text to a file, and use the file.`;
  return String(error);
}

/** Until everyone who could write has closed the pipe, or nobody has written for a moment, or it takes too long. */
function quiet(output: Socket, signal?: AbortSignal): Promise<void> {
  if (output.readableEnded || output.destroyed || signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(silence);
      clearTimeout(limit);
      output.off('data', again).off('close', done);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const silence = setTimeout(done, OUTPUT_QUIET_MS);
    const limit = setTimeout(done, OUTPUT_QUIET_MS_MAX);
    const again = (): void => void silence.refresh();
    output.on('data', again).once('close', done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
