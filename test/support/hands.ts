/**
 * Hands as a session has them: the real process in real bubblewrap, on a folder that goes when the test ends. What tests
 * run in them may be hostile, so before anything else runs it is made sure that it runs inside.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ToolResult } from '../../src/hands/wire.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { HANDS_LIMITS, type HandsLimits } from '../../src/platform/local/launcher/hands-launcher.ts';
import { chooseIsolation } from '../../src/platform/local/isolation/isolation.ts';
import { LocalLauncher } from '../../src/platform/local/launcher/launcher.ts';
import { WorkspaceStore } from '../../src/platform/host/workspace/workspace-store.ts';
import { launchMark } from '../../src/platform/local/isolation/orphans.ts';
import type { Hands } from '../../src/supervisor/launcher.ts';

const MIB = 1024 * 1024;
/** Small, so that filling them costs the machine of the tests little. */
export const SMALL: HandsLimits = { workspaceBytesMax: 48 * MIB, fileBytesMax: 32 * MIB, processesMax: 128 };
const TIMEOUT_MS = 30_000;

export class Bench {
  readonly folder: string;
  readonly launcher: LocalLauncher;
  readonly #started: Hands[] = [];
  #calls = 0;

  private constructor(folder: string, launcher: LocalLauncher) {
    this.folder = folder;
    this.launcher = launcher;
  }

  /** `withGroups: false`: as on a machine where this user may make no control groups. */
  static async open(limits: HandsLimits = HANDS_LIMITS, { withGroups = true } = {}): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-hands-'));
    const chosen = await chooseIsolation('bubblewrap', launchMark('test'), process.env['PATH']);
    const isolation = withGroups || chosen.kind === 'none' ? chosen : { ...chosen, groups: undefined };
    const workspaces = new WorkspaceStore(join(folder, 'workspaces'));
    const unitSocket = join(folder, 'unit.sock');
    return new Bench(
      folder,
      new LocalLauncher({ isolation, workspaces, unitSocket, logger: silentLogger, limits }),
    );
  }

  workspaceOf(sessionId: SessionId): string {
    return join(this.folder, 'workspaces', sessionId, 'files');
  }

  async hands(sessionId: SessionId = newId('session')): Promise<Hands> {
    const hands = await this.launcher.launchHands(sessionId);
    this.#started.push(hands);
    const first = await this.bash(hands, 'cat /proc/1/comm');
    if (first.output.trim() !== 'bwrap') throw new Error(`These hands are not inside: ${first.output}`);
    return hands;
  }

  tool(hands: Hands, tool: string, input: unknown, timeoutMs = TIMEOUT_MS): Promise<ToolResult> {
    return hands.call({ callId: this.nextId(), tool, input, timeoutMs });
  }

  bash(hands: Hands, command: string, timeoutMs = TIMEOUT_MS): Promise<ToolResult> {
    return this.tool(hands, 'bash', { command }, timeoutMs);
  }

  nextId(): string {
    this.#calls += 1;
    return `call_${this.#calls}`;
  }

  async close(): Promise<void> {
    await Promise.all(this.#started.map((hands) => hands.stop()));
    await rm(this.folder, { recursive: true, force: true });
  }
}
