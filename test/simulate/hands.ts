/** Hands in memory: the real server of the hands, a disk beside them that keeps results, and commands that only take time. */
import { HandsLost } from '../../src/hands/faults.ts';
import { KeptCalls } from '../../src/hands/kept-calls.ts';
import type { KeptResults } from '../../src/hands/kept-results.ts';
import { HandsServer } from '../../src/hands/server.ts';
import type { Sandbox } from '../../src/hands/sandbox.ts';
import { bashTool } from '../../src/hands/tools/bash.ts';
import type { FromHands, ToHands, ToolCall, ToolResult } from '../../src/hands/wire.ts';
import type { Ended, Hands } from '../../src/supervisor/launcher.ts';
import type { FilesAsOf } from '../../src/hands/workspace-archive.ts';
import type { SimNode } from './node.ts';
import type { Workspace } from './workspaces.ts';
import type { World } from './world.ts';

/** Hands that do not answer for so long have nothing in the background (platform/local/launcher/hands-process.ts). */
const SILENCE_MS = 2_000;

export interface HandsPorts {
  readonly world: World;
  readonly server: SimNode;
  readonly node: SimNode;
  readonly pid: number;
  readonly workspace: Workspace;
  /** A command is really run; answers what is called at its end. */
  readonly toolRuns: (callId: string, hands: SimNode) => () => void;
}

export class SimHands implements Hands {
  readonly pid: number;
  readonly node: SimNode;
  readonly ended: Promise<Ended>;
  readonly filesAsOf: FilesAsOf;
  readonly #ports: HandsPorts;
  readonly #hands: HandsServer;
  readonly #calls: KeptCalls;
  readonly #pending = new Map<string, PromiseWithResolvers<ToolResult>>();
  readonly #canceled = new Set<string>();
  readonly #end: (how: Ended) => void;
  /** Who has asked what runs in the background. */
  readonly #asked = new Set<(count: number) => void>();

  constructor(ports: HandsPorts) {
    const { world, node, workspace } = ports;
    this.#ports = ports;
    this.pid = ports.pid;
    this.node = node;
    this.filesAsOf = workspace.filesAsOf;
    const ending = Promise.withResolvers<Ended>();
    this.ended = ending.promise;
    this.#end = ending.resolve;
    this.#hands = new HandsServer({
      tools: [bashTool],
      sandbox: sandboxOf(ports),
      clock: world.clockOf(node),
      send: (message) => this.#toServer(message),
      complain: (message, error) => world.loggerOf(node).warn(message, { error }),
    });
    this.#calls = new KeptCalls({
      kept: keptIn(ports),
      isWhole: workspace.isWhole,
      complain: (message, error) => world.loggerOf(ports.server).warn(message, { error }),
    });
  }

  call(call: ToolCall): Promise<ToolResult> {
    if (!this.node.alive) return Promise.reject(new HandsLost('they had ended before the call'));
    this.#ports.world.tell(this.node.name, `is asked for ${call.callId}`, {
      inherited: call.inherited,
      isWhole: this.#ports.workspace.isWhole,
    });
    return this.#calls.run(call, () => this.#ask(call)).finally(() => this.#canceled.delete(call.callId));
  }

  cancel(callId: string): void {
    if (this.#pending.has(callId)) this.#toHands({ kind: 'cancel', callId });
    else if (this.#calls.isRunning(callId)) this.#canceled.add(callId);
  }

  background(): Promise<number> {
    const { world, server } = this.#ports;
    if (!this.node.alive) return Promise.resolve(0);
    return new Promise((resolve) => {
      const answer = (count: number): void => {
        cancelSilence();
        this.#asked.delete(answer);
        resolve(count);
      };
      const cancelSilence = world.schedule(server, SILENCE_MS, () => answer(0));
      this.#asked.add(answer);
      this.#toHands({ kind: 'background' });
    });
  }

  async stop(): Promise<void> {
    const { world, node } = this.#ports;
    if (node.alive)
      world.schedule(node, 0.5, () => void this.#hands.close().then(() => this.kill('exit code 0')));
    await this.ended;
    await this.#calls.settled();
  }

  kill(how = 'signal SIGKILL'): void {
    const { world, node, server } = this.#ports;
    if (!node.alive) return;
    node.kill();
    world.tell(node.name, `ends: ${how}`);
    // after what they have said before: that is in the pipe
    world.schedule(server, world.dice.between(1, 5), () => {
      this.#end({ code: null, signal: 'SIGKILL', stderr: '' });
      for (const answer of [...this.#asked]) answer(0);
      for (const { reject } of this.#pending.values()) reject(new HandsLost(how));
      this.#pending.clear();
    });
  }

  #ask(call: ToolCall): Promise<ToolResult> {
    if (!this.node.alive) return Promise.reject(new HandsLost('they ended before the call was sent'));
    const { callId, tool, input, timeoutMs } = call;
    const pending = Promise.withResolvers<ToolResult>();
    this.#pending.set(callId, pending);
    this.#toHands({ kind: 'call', callId, tool, input, timeoutMs });
    if (this.#canceled.has(callId)) this.#toHands({ kind: 'cancel', callId });
    return pending.promise;
  }

  #toHands(message: ToHands): void {
    const { world, node } = this.#ports;
    world.schedule(node, world.dice.between(0.05, 1), () => this.#hands.receive(JSON.stringify(message)));
  }

  #toServer(message: FromHands): void {
    const { world, server } = this.#ports;
    if (message.kind === 'ready') return;
    world.schedule(server, world.dice.between(0.05, 1), () => {
      if (message.kind === 'background') {
        for (const answer of [...this.#asked]) answer(message.count);
        return;
      }
      this.#pending.get(message.callId)?.resolve(message.result);
      this.#pending.delete(message.callId);
    });
  }
}

/** Each write to the disk takes a moment, in which the hands may die, or the server. */
function keptIn({ world, server, workspace }: HandsPorts): KeptResults {
  const moment = (): Promise<void> => world.clockOf(server).sleep(world.dice.between(1, 5));
  return {
    async find(callId) {
      return workspace.kept.get(callId) ?? { kind: 'none' };
    },
    async start(callId) {
      await moment();
      workspace.kept.set(callId, { kind: 'started' });
    },
    async settle(callId, result) {
      await moment();
      workspace.kept.set(callId, { kind: 'done', result });
    },
  };
}

/** `work 250 5000` takes 250 ms, unless it is stopped, and leaves something behind that runs for 5000 ms. */
function sandboxOf({ world, node, toolRuns }: HandsPorts): Sandbox {
  const refuse = (): never => {
    throw new Error('Nothing here uses files.');
  };
  const leftUntil: number[] = [];
  return {
    root: '/workspace',
    searchProgram: [],
    async run({ argv, callId, onOutput }, signal) {
      const ended = toolRuns(callId, node);
      const [, ms = 0, leftMs = 0] = argv.at(-1)?.split(' ').map(Number) ?? [];
      await world.clockOf(node).sleep(ms, signal);
      ended();
      if (signal.aborted) return { kind: 'aborted' };
      if (leftMs > 0) leftUntil.push(world.now + leftMs);
      onOutput(Buffer.from(`done in ${ms}`));
      return { kind: 'exited', code: 0, signal: null };
    },
    look: refuse,
    read: refuse,
    write: refuse,
    list: refuse,
    background: () => leftUntil.filter((until) => until > world.now).length,
    close: () => Promise.resolve(),
  };
}
