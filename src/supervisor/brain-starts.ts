/**
 * Starting brains: a process each, which costs a third of a second of a core. Only so many come up at once, so that whoever runs already, and the
 * server itself, have a core left; and of those who wait for one the organisation that has had fewest is next.
 */
import { FairSemaphore } from '../kernel/fair-semaphore.ts';
import { type Brain, LaunchFailed, type Launcher } from './launcher.ts';

export class BrainStarts {
  readonly #launcher: Pick<Launcher, 'launchBrain'>;
  readonly #permits: FairSemaphore;

  constructor(launcher: Pick<Launcher, 'launchBrain'>, atOnce: number) {
    this.#launcher = launcher;
    this.#permits = new FairSemaphore(atOnce);
  }

  /** `ready`: one that has come up meanwhile, and saves the start. Rejects with LaunchFailed, also on `signal`. */
  async start(
    owner: string,
    signal: AbortSignal,
    ready: () => Brain | undefined = () => undefined,
  ): Promise<Brain> {
    const release = await this.#permits.acquire(owner, '', signal);
    if (release === undefined) throw new LaunchFailed('no brain was started in time', { isShortage: true });
    try {
      return ready() ?? (await this.#launcher.launchBrain());
    } finally {
      release();
    }
  }
}
