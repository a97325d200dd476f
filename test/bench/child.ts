/**
 * Servers of the benchmark are processes of their own, asked over Node's channel to a child: the wire that is measured is
 * never that one. A child ends when its parent does.
 */
import { type ChildProcess, fork } from 'node:child_process';

/** What a child answers to; arguments and answers are JSON. */
export type Commands = Readonly<Record<string, (argument: never) => Promise<unknown>>>;

interface Question {
  readonly id: number;
  readonly command: string;
  readonly argument: unknown;
}
interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string | undefined;
}
const READY = 0;
const CPU = ':cpu';

export class Child<C extends Commands> {
  readonly #process: ChildProcess;
  readonly #asked = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #lastId = READY;

  private constructor(child: ChildProcess) {
    this.#process = child;
    child.on('message', (answer) => this.#settle(answer as Answer)); // answerParent() wrote it
    child.once('exit', (code, signal) => {
      const error = new Error(`A process of this run ended: ${signal ?? code}.`);
      for (const { reject } of this.#asked.values()) reject(error);
    });
  }

  /** Resolves when the script has called answerParent(). */
  static async start<C extends Commands>(script: string, args: readonly string[] = []): Promise<Child<C>> {
    const options = { execArgv: [...profiling()], env: { ...process.env, NODE_ENV: 'production' } };
    const child = new Child<C>(fork(script, args, options));
    await child.#answer(READY);
    return child;
  }

  ask<K extends keyof C & string>(
    command: K,
    ...[argument]: Parameters<C[K]>
  ): Promise<Awaited<ReturnType<C[K]>>> {
    // The child runs the command of this name.
    return this.#ask(command, argument) as Promise<Awaited<ReturnType<C[K]>>>;
  }

  /** CPU that the process has used so far, user and system. */
  async cpuMicros(): Promise<number> {
    return (await this.#ask(CPU, undefined)) as number; // see answerParent()
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.disconnect();
    await ended;
  }

  #ask(command: string, argument: unknown): Promise<unknown> {
    this.#lastId += 1;
    const question: Question = { id: this.#lastId, command, argument };
    this.#process.send(question);
    return this.#answer(question.id);
  }

  #answer(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }));
  }

  #settle({ id, value, error }: Answer): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(new Error(error));
  }
}

/** The child's side: answers until the parent is gone, then releases what it holds and ends. */
export function answerParent(commands: Commands, release: () => Promise<void> | void): void {
  process.on('message', (message) => {
    const { id, command, argument } = message as Question; // Child wrote it
    void run(commands, command, argument).then(
      (value) => tell({ id, value }),
      (error: unknown) =>
        tell({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.once('disconnect', () => {
    void Promise.resolve(release()).finally(() => process.exit(0));
  });
  tell({ id: READY });
}

async function run(commands: Commands, command: string, argument: unknown): Promise<unknown> {
  if (command === CPU) {
    const { user, system } = process.cpuUsage();
    return user + system;
  }
  const known = commands[command];
  if (known === undefined) throw new Error(`There is no command ${command}.`);
  return known(argument as never); // Child.ask took it from the command's own parameters
}

function tell(answer: Answer): void {
  process.send?.(answer);
}

/** `node --cpu-prof --cpu-prof-dir=<folder> test/bench/run.ts <row>` profiles the servers as well. */
function profiling(): readonly string[] {
  return process.execArgv.filter((option) => option.startsWith('--cpu-prof'));
}
