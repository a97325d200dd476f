/** A thing that runs and can die: the store, a server, a brain, hands, a user. What was to happen at a dead one never does. */
export class SimNode {
  readonly name: string;
  readonly #parent: SimNode | undefined;
  #killed = false;
  #skewMs = 0;
  /** Its event loop runs nothing until then. */
  deafUntil = -Infinity;
  /** How much is still to happen here. */
  waiting = 0;

  constructor(name: string, parent?: SimNode) {
    this.name = name;
    this.#parent = parent;
  }

  /** A child dies with its parent. */
  get alive(): boolean {
    return !this.#killed && (this.#parent?.alive ?? true);
  }

  /** How far its wall clock is ahead; of the machine that its parent runs on. */
  get skewMs(): number {
    return this.#parent?.skewMs ?? this.#skewMs;
  }

  set skewMs(ms: number) {
    this.#skewMs = ms;
  }

  kill(): void {
    this.#killed = true;
  }
}
