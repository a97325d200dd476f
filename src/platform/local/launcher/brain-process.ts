/** The control plane's end of one brain process: processes/brain.ts says what goes over stdin and stdout. */
import type { ChildProcess } from 'node:child_process';
import { assert } from '../../../kernel/assert.ts';
import type { Assign, Ping } from '../../../sessions/unit-wire.ts';
import type { Brain, Ended } from '../../../supervisor/launcher.ts';
import { Child } from './child.ts';
import { whenReady } from './launch.ts';

/** A brain that is told to stop finishes the request that it has open; then it is killed, and the log has the rest. */
const STOP_GRACE_MS = 2_000;
/** The only lines that a brain says are short ones. */
const BRAIN_LINE_BYTES_MAX = 64 * 1024;
/** A brain that has its session is asked so often whether it lives. */
const PING_MS = 10_000;
/** Questions without an answer, after which it is frozen: nothing that a brain computes takes half a minute at a time. */
const UNANSWERED_MAX = 3;

export interface BrainProcessOptions {
  /** Gets its stderr by lines. */
  onComplaint(line: string): void;
  /** Others only in tests. */
  readonly pingMs?: number | undefined;
}

export class BrainProcess implements Brain {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly #child: Child;
  readonly #pingMs: number;
  #assigned = false;
  #unanswered = 0;
  #onReady: () => void = () => undefined;

  /** Resolves when the brain has loaded; rejects with LaunchFailed. */
  static async of(process: ChildProcess, options: BrainProcessOptions): Promise<BrainProcess> {
    const brain = new BrainProcess(process, options);
    const ready = new Promise<void>((resolve) => {
      brain.#onReady = resolve;
    });
    await whenReady('brain', brain.#child, ready);
    return brain;
  }

  private constructor(process: ChildProcess, { onComplaint, pingMs = PING_MS }: BrainProcessOptions) {
    this.#pingMs = pingMs;
    const onLine = (line: string): void => {
      const kind = kindOf(line);
      if (kind === 'ready') this.#onReady();
      if (kind === 'pong') this.#unanswered = 0;
    };
    this.#child = new Child(process, { lineBytesMax: BRAIN_LINE_BYTES_MAX, onLine, onComplaint });
    this.pid = this.#child.pid;
    this.ended = this.#child.ended;
  }

  assign(token: string): void {
    assert(!this.#assigned, 'a brain gets one session in its life');
    this.#assigned = true;
    this.#child.send(JSON.stringify({ kind: 'assign', token } satisfies Assign));
    const asking = setInterval(() => this.#ask(), this.#pingMs);
    asking.unref();
    void this.ended.then(() => clearInterval(asking));
  }

  stop(): Promise<void> {
    return this.#child.stop(STOP_GRACE_MS);
  }

  /** BRAIN-1 A brain that has stood still for UNANSWERED_MAX questions is ended, as lost: another one goes on from the log. */
  #ask(): void {
    if (this.#unanswered >= UNANSWERED_MAX)
      return this.#child.kill(
        `it has answered nothing for ${UNANSWERED_MAX * this.#pingMs} ms: it stands still`,
      );
    this.#unanswered += 1;
    this.#child.send(JSON.stringify({ kind: 'ping' } satisfies Ping));
  }
}

/** Undefined for a line of a library that prints: nobody listens. */
function kindOf(line: string): unknown {
  try {
    const message: unknown = JSON.parse(line);
    return typeof message === 'object' && message !== null && 'kind' in message ? message.kind : undefined;
  } catch {
    return undefined;
  }
}
