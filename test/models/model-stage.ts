/** A rehearsal behind the real gateway behind a unix socket, as a brain meets it; everything is closed by `close`. */
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unixHttp, type Http } from '../../src/brain/unix-http.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/id.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { Gateway, type GatewayPorts } from '../../src/models/gateway.ts';
import type { LoopShare } from '../../src/models/loop-share.ts';
import { planOf } from '../../src/models/model-table.ts';
import type { Metered } from '../../src/models/usage-reader.ts';
import { type Rehearsal, startRehearsal } from '../../src/rehearsal/rehearsal.ts';
import { parseScript } from '../../src/rehearsal/script.ts';
import { CALL_HEADER } from '../../src/sessions/unit-wire.ts';

export const CANARY = 'sk-canary-0123456789';

/** The models of its one session. */
const STAGE_MODELS = ['echo', 'cut', 'meta/llama-3', 'echo', 'faulty', 'rehearsal-nobody', 'tools'];

export interface ModelStage {
  readonly http: Http;
  readonly socketPath: string;
  readonly rehearsal: Rehearsal;
  readonly metered: readonly Metered[];
  /** Everything that was sent to the brain's side, heads and bodies. */
  readonly seen: () => string;
  close(): Promise<void>;
}

export async function openStage(
  options: {
    readonly scripts?: Readonly<Record<string, object>>;
    readonly ports?: Partial<GatewayPorts>;
    readonly idleTimeoutMs?: number;
    /** The model service, in place of the rehearsal. */
    readonly upstream?: URL;
    readonly loop?: LoopShare;
  } = {},
): Promise<ModelStage> {
  const scripts = Object.entries(options.scripts ?? {}).map(([name, script]) =>
    parseScript(name, JSON.stringify({ description: 'of a test', ...script })),
  );
  const rehearsal = await startRehearsal(scripts.length === 0 ? { port: 0 } : { port: 0, scripts });
  const metered: Metered[] = [];
  const ports: GatewayPorts = {
    keyFor: () => Promise.resolve(new Sealed(CANARY)),
    plansFor: () => Promise.resolve(STAGE_MODELS.map((name) => planOf(name))),
    budget: () => Promise.resolve({ kind: 'allowed' }),
    meter: (usage) => Promise.resolve(void metered.push(usage)),
    clock: systemClock,
    logger: silentLogger,
    ...options.ports,
  };
  const gateway = new Gateway(ports, {
    upstream: options.upstream ?? new URL(rehearsal.url),
    idleTimeoutMs: options.idleTimeoutMs,
    loop: options.loop,
  });
  const { server, seen } = door(gateway);
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-'));
  const socketPath = join(folder, 'unit.sock');
  server.listen(socketPath);
  await once(server, 'listening');
  const { http, close } = unixHttp(socketPath);
  return {
    http,
    socketPath,
    rehearsal,
    metered,
    seen,
    async close() {
      close();
      server.close();
      server.closeAllConnections();
      gateway.close();
      await rehearsal.close();
      await rm(folder, { recursive: true });
    },
  };
}

function door(gateway: Gateway): { readonly server: Server; readonly seen: () => string } {
  const sessionId = newId('session');
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const { method = '', url: path = '', headers } = request;
    const callId = String(headers[CALL_HEADER] ?? '');
    void gateway.forward({ sessionId, callId, method, path, headers, body: request }, response);
  });
  server.on('connection', (socket) => {
    const write = socket.write.bind(socket);
    socket.write = (...args: unknown[]) => {
      seen.push(String(args[0]));
      return Reflect.apply(write, socket, args);
    };
  });
  return { server, seen: () => seen.join('') };
}
