/**
 * A local server that speaks the Anthropic Messages API and plays scripts (docs/rehearsal.md): for demos without a key,
 * and for testing an app against faults that a real service shows once a month.
 *
 * The model's name chooses the script. Nothing is remembered but how often a request with a fault was made.
 */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../kernel/clock.ts';
import type { RehearsalRequest } from './request-log.ts';
import type { Script } from './script.ts';
import { loadScripts, OWN_SCRIPTS } from './script-folder.ts';
import { Stage } from './stage.ts';

export interface RehearsalOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** 127.0.0.1 if left out. */
  readonly host?: string | undefined;
  /** Those that come with Holdfast if left out. */
  readonly scripts?: readonly Script[] | undefined;
  /** The name of the script for models that name none; if left out, `echo`, and that for `claude-` models alone. */
  readonly fallback?: string | undefined;
  /** Whether requests are refused that the service would refuse; true if left out. */
  readonly strict?: boolean | undefined;
  readonly clock?: Clock | undefined;
}

export interface Rehearsal {
  readonly url: string;
  /** The last ones, oldest first. */
  readonly requests: readonly RehearsalRequest[];
  close(): Promise<void>;
}

/** One for each session that runs, and many more: a client that opens connections without end is told by their end. */
const CONNECTIONS_MAX = 4_096;

/** Resolves when the server listens. */
export async function startRehearsal(options: RehearsalOptions): Promise<Rehearsal> {
  const { port: wanted, host = '127.0.0.1' } = options;
  const stage = new Stage(options.scripts ?? (await loadScripts(OWN_SCRIPTS)), options);
  const server = createServer((request, response) => void stage.answer(request, response));
  server.maxConnections = CONNECTIONS_MAX;
  server.listen(wanted, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return {
    url: `http://${host}:${port}`,
    requests: stage.requests,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
