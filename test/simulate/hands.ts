/** Hands in memory: the real server of the hands over a disk that keeps results, with commands that only take time. */
import { HandsLost } from '../../src/hands/faults.ts';
import type { KeptResults } from '../../src/hands/kept-results.ts';
import { HandsServer } from '../../src/hands/server.ts';
import type { Sandbox } from '../../src/hands/sandbox.ts';
import { bashTool } from '../../src/hands/tools/bash.ts';
import type { FromHands, ToHands, ToolCall, ToolResult } from '../../src/hands/wire.ts';
import type { Ended, Hands } from '../../src/supervisor/launcher.ts';
import type { SimNode } from './node.ts';
import type { Workspace } from './workspaces.ts';
import type { World } from './world.ts';

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
  readonly #ports: HandsPorts;
  readonly #hands: HandsServer;
  readonly #pending = new Map<string, PromiseWithResolvers<ToolResult>>();
  readonly #end: (how: Ended) => void;

  constructor(ports: HandsPorts) {
    const { world, node, workspace } = ports;
    this.#ports = ports;
    this.pid = ports.pid;
    this.node = node;
    const ending = Promise.withResolvers<Ended>();
    this.ended = ending.promise;
    this.#end = ending.resolve;
    this.#hands = new HandsServer({
      tools: [bashTool],
      sandbox: sandboxOf(ports),
      kept: keptIn(ports),
      keptIsWhole: workspace.isWhole,
      clock: world.clockOf(node),
      send: (message) => this.#toServer(message),
      complain: (message, error) => world.loggerOf(node).warn(message, { error }),
    });
  }

  call(call: ToolCall): Promise<ToolResult> {
    const known = this.#pending.get(call.callId);
    if (known !== undefined) return known.promise;
    if (!this.node.alive) return Promise.reject(new HandsLost('they had ended before the call'));
    const pending = Promise.withResolvers<ToolResult>();
    this.#pending.set(call.callId, pending);
    this.#ports.world.tell(this.node.name, `is asked for ${call.callId}`, {
      inherited: call.inherited,
      isWhole: this.#ports.workspace.isWhole,
    });
    this.#toHands({ kind: 'call', ...call });
    return pending.promise;
  }

  cancel(callId: string): void {
    if (this.#pending.has(callId)) this.#toHands({ kind: 'cancel', callId });
  }

  async stop(): Promise<void> {
    const { world, node } = this.#ports;
    if (node.alive)
      world.schedule(node, 0.5, () => void this.#hands.close().then(() => this.kill('exit code 0')));
    await this.ended;
  }

  kill(how = 'signal SIGKILL'): void {
    const { world, node, server } = this.#ports;
    if (!node.alive) return;
    node.kill();
    world.tell(node.name, `ends: ${how}`);
    world.schedule(server, world.dice.between(0.1, 5), () => {
      this.#end({ code: null, signal: 'SIGKILL', stderr: '' });
      for (const { reject } of this.#pending.values()) reject(new HandsLost(how));
      this.#pending.clear();
    });
  }

  #toHands(message: ToHands): void {
    const { world, node } = this.#ports;
    world.schedule(node, world.dice.between(0.05, 1), () => this.#hands.receive(JSON.stringify(message)));
  }

  #toServer(message: FromHands): void {
    const { world, server } = this.#ports;
    if (message.kind !== 'result') return;
    world.schedule(server, world.dice.between(0.05, 1), () => {
      this.#pending.get(message.callId)?.resolve(message.result);
      this.#pending.delete(message.callId);
    });
  }
}

/** Each write to the disk takes a moment, in which the hands may die. */
function keptIn({ world, node, workspace }: HandsPorts): KeptResults {
  const moment = (): Promise<void> => world.clockOf(node).sleep(world.dice.between(1, 5));
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

/** `work 250` takes 250 ms, unless it is stopped. */
function sandboxOf({ world, node, toolRuns }: HandsPorts): Sandbox {
  const refuse = (): never => {
    throw new Error('Nothing here uses files.');
  };
  return {
    root: '/workspace',
    async run({ argv, callId, onOutput }, signal) {
      const ended = toolRuns(callId, node);
      const ms = Number(argv.at(-1)?.split(' ')[1]);
      await world.clockOf(node).sleep(ms, signal);
      ended();
      if (signal.aborted) return { kind: 'aborted' };
      onOutput(Buffer.from(`done in ${ms}`));
      return { kind: 'exited', code: 0, signal: null };
    },
    read: refuse,
    write: refuse,
    list: refuse,
    close: () => Promise.resolve(),
  };
}
