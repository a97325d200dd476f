/** The control plane's end of one brain process: processes/brain.ts says what goes over stdin and stdout. */
import type { ChildProcess } from 'node:child_process';
import { assert } from '../../../kernel/assert.ts';
import type { Assign } from '../../../sessions/unit-wire.ts';
import type { Brain, Ended } from '../../../supervisor/launcher.ts';
import { Child } from './child.ts';
import { isReady, whenReady } from './launch.ts';

/** A brain that is told to stop finishes the request that it has open; then it is killed, and the log has the rest. */
const STOP_GRACE_MS = 2_000;
/** The only line that a brain says is a short one. */
const LINE_BYTES_MAX = 64 * 1024;

export class BrainProcess implements Brain {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly #child: Child;
  #assigned = false;
  #onReady: () => void = () => undefined;

  /** Resolves when the brain has loaded; rejects with LaunchFailed. `onComplaint` gets its stderr by lines. */
  static async of(process: ChildProcess, onComplaint: (line: string) => void): Promise<BrainProcess> {
    const brain = new BrainProcess(process, onComplaint);
    const ready = new Promise<void>((resolve) => {
      brain.#onReady = resolve;
    });
    await whenReady('brain', brain.#child, ready);
    return brain;
  }

  private constructor(process: ChildProcess, onComplaint: (line: string) => void) {
    const onLine = (line: string): void => {
      if (saysReady(line)) this.#onReady();
    };
    this.#child = new Child(process, { lineBytesMax: LINE_BYTES_MAX, onLine, onComplaint });
    this.pid = this.#child.pid;
    this.ended = this.#child.ended;
  }

  assign(token: string): void {
    assert(!this.#assigned, 'a brain gets one session in its life');
    this.#assigned = true;
    this.#child.send(JSON.stringify({ kind: 'assign', token } satisfies Assign));
  }

  stop(): Promise<void> {
    return this.#child.stop(STOP_GRACE_MS);
  }

  kill(): void {
    this.#child.kill();
  }
}

function saysReady(line: string): boolean {
  try {
    return isReady(JSON.parse(line));
  } catch {
    return false; // a library that prints; nobody listens
  }
}
