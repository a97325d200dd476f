/**
 * The Launcher of one machine: brains and hands are child processes, isolated by bubblewrap. They die with the control
 * plane, also when that is killed: bubblewrap asks the kernel for it, and every unit ends when its stdin does.
 */
import type { SessionId } from '../../../kernel/id.ts';
import type { Logger } from '../../../kernel/logger.ts';
import type { Brain, Hands, Launcher } from '../../../supervisor/launcher.ts';
import { type BrainOptions, launchBrain } from './brain-launcher.ts';
import type { LogPlace, OlderFiles } from '../../../hands/workspace-archive.ts';
import type { Checkpoints, OpenedWorkspace } from '../workspace/checkpoints.ts';
import { HANDS_LIMITS, type HandsLimits, launchHands } from './hands-launcher.ts';
import { launchFailure } from './launch.ts';
import type { Isolation } from '../isolation/isolation.ts';
import { readMarker } from '../../host/workspace/workspace-marker.ts';
import { UserSlots } from '../isolation/user-slots.ts';
import type { WorkspaceStore } from '../../host/workspace/workspace-store.ts';

export interface LocalLauncherPorts {
  /** From chooseIsolation, which has tried it. */
  readonly isolation: Isolation;
  readonly workspaces: WorkspaceStore;
  /** Where workspaces are kept for other servers; without, each stays in its folder on this machine. */
  readonly checkpoints?: Checkpoints | undefined;
  /** Absolute path of the unit endpoint's socket; its folder is the control plane's alone. */
  readonly unitSocket: string;
  readonly logger: Logger;
  /** PATH of commands that run in the open. */
  readonly searchPath?: string | undefined;
  readonly limits?: HandsLimits | undefined;
  readonly brainEntry?: BrainOptions['entry'];
}

/** A folder that is not there, and what is to be told of it until the log says so. */
const NO_FILES: OlderFiles = { kind: 'checkpoint', place: { seq: 0, turn: 0 }, isCut: false };

export class LocalLauncher implements Launcher {
  readonly #ports: LocalLauncherPorts;
  readonly #users = new UserSlots();

  constructor(ports: LocalLauncherPorts) {
    this.#ports = ports;
  }

  async launchBrain(): Promise<Brain> {
    const { isolation, unitSocket, logger, brainEntry } = this.#ports;
    const onComplaint = (line: string): void => relay(line, logger);
    try {
      return await launchBrain(isolation, { unitSocket, entry: brainEntry, onComplaint });
    } catch (error) {
      throw launchFailure('brain', error);
    }
  }

  async launchHands(sessionId: SessionId, signal?: AbortSignal): Promise<Hands> {
    try {
      return await this.#launchHands(sessionId, signal);
    } catch (error) {
      throw launchFailure('hands', error);
    }
  }

  async #launchHands(sessionId: SessionId, signal: AbortSignal | undefined): Promise<Hands> {
    const { isolation, workspaces, checkpoints, limits = HANDS_LIMITS, searchPath, logger } = this.#ports;
    const complain = (message: string, error: unknown): void => logger.warn(message, { sessionId, error });
    const opened = await (checkpoints === undefined
      ? this.#openHere(sessionId)
      : checkpoints.open(sessionId, signal));
    const owner = await workspaces.ownerOf(sessionId);
    if (isolation.kind === 'none' || !isolation.asRoot) {
      return launchHands(isolation, { ...opened, uid: owner, limits, searchPath, complain });
    }
    const uid = this.#users.take(owner);
    try {
      if (uid !== owner) await workspaces.giveTo(sessionId, uid);
      const hands = await launchHands(isolation, { ...opened, uid, limits, complain });
      void hands.ended.then(() => this.#users.release(uid));
      return hands;
    } catch (error) {
      this.#users.release(uid);
      throw error;
    }
  }

  async told(sessionId: SessionId): Promise<void> {
    const { workspaces, checkpoints, logger } = this.#ports;
    if (checkpoints !== undefined) return checkpoints.told(sessionId);
    await workspaces
      .mark(sessionId, { checkpoint: undefined, isDirty: false })
      .catch((error: unknown) => logger.warn('age of the workspace not remembered', { sessionId, error }));
  }

  async checkpoint(sessionId: SessionId, place: LogPlace): Promise<boolean> {
    return this.#ports.checkpoints?.checkpoint(sessionId, place) ?? true;
  }

  async rest(sessionId: SessionId, place?: LogPlace): Promise<void> {
    await this.#ports.checkpoints?.rest(sessionId, place);
  }

  /** The folder on this machine is all that there is; when it is not there, nothing was ever done in it, or it was taken away. */
  async #openHere(sessionId: SessionId): Promise<OpenedWorkspace> {
    const { workspaces } = this.#ports;
    const isNew = !(await workspaces.has(sessionId));
    if (isNew) await workspaces.mark(sessionId, { checkpoint: undefined, isDirty: false, untold: NO_FILES });
    const workspace = await workspaces.open(sessionId);
    const untold = isNew ? NO_FILES : (await readMarker(workspace.marker))?.untold;
    return { workspace, resultsAreWhole: true, filesAsOf: untold ?? { kind: 'now' } };
  }

  /** Removes workspace and kept results. */
  async forget(sessionId: SessionId): Promise<boolean> {
    const { workspaces, checkpoints } = this.#ports;
    if (checkpoints !== undefined) return checkpoints.forget(sessionId);
    await workspaces.remove(sessionId);
    return true;
  }

  sessions(): Promise<readonly SessionId[]> {
    return this.#ports.workspaces.sessions();
  }
}

/** A brain logs JSON lines as the control plane does; what is not one is what node says when it dies. */
function relay(line: string, logger: Logger): void {
  const record = parse(line);
  if (record === undefined) return logger.warn('brain says', { line });
  const { level, message, ts: _, ...fields } = record;
  const known = level === 'error' || level === 'warn' || level === 'info' ? level : 'debug';
  logger[known](String(message), fields);
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const record: unknown = JSON.parse(line);
    // JSON objects have string keys
    return typeof record === 'object' && record !== null ? (record as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
