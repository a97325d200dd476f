/**
 * A brain as a process of its own: `node brain.ts <unix socket of the unit endpoint>`. It says when it has loaded, so that a
 * spare can be kept ready, then takes one assignment from stdin and works until it is told to stop.
 *
 *   stdout  {"kind":"ready"}, then {"kind":"pong"} for each Ping
 *   stdin   one Assign line (sessions/unit-wire.ts), then Ping lines; when stdin ends, so does the brain
 *   stderr  diagnostics
 *   exit    0 stopped or replaced; 1 failed: the journal has all that was done
 */
import { createInterface } from 'node:readline';
import type { ToolInputs } from '../brain/client-tools.ts';
import { runBrain } from '../brain/turn-loop.ts';
import { unitEndpoint } from '../brain/unit-endpoint.ts';
import { textOf, unixHttp } from '../brain/unix-http.ts';
import { systemClock } from '../kernel/clock.ts';
import { jsonLogger } from '../kernel/logger.ts';
import { AnthropicModel } from '../platform/anthropic/model.ts';
import type { Assign, Assignment } from '../sessions/unit-wire.ts';

/** sysexits: it was started in a wrong way. */
const EXIT_USAGE = 64;
/** Of a refusal: code and message. */
const REFUSAL_BYTES_MAX = 16 * 1024;

const [socketPath] = process.argv.slice(2);
if (socketPath === undefined) {
  process.stderr.write('usage: brain.ts <unix socket of the unit endpoint>\n');
  process.exit(EXIT_USAGE);
}

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const input = createInterface({ input: process.stdin });
input.once('close', () => stop.abort()); // whoever started this brain is gone
input.once('line', (line) => {
  // The line comes from the control plane, which is trusted.
  void work((JSON.parse(line) as Assign).token);
  input.on('line', () => process.stdout.write('{"kind":"pong"}\n')); // all others are Ping lines
});
stop.signal.addEventListener('abort', () => input.close(), { once: true });
const { http, close } = unixHttp(socketPath);
await warmUp();
process.stdout.write('{"kind":"ready"}\n');

/** One request that the door refuses: what the first real one would wait for is then compiled and connected. */
async function warmUp(): Promise<void> {
  const request = { method: 'GET', path: '/unit/assignment', signal: stop.signal } as const;
  try {
    await textOf(await http(request), REFUSAL_BYTES_MAX);
  } catch {
    // whether the door can be reached is for the real request to find out
  }
}

async function work(token: string): Promise<void> {
  const logger = jsonLogger('info', (line) => process.stderr.write(line));
  try {
    const unit = unitEndpoint({ http, clock: systemClock }, token);
    const assignment = await unit.assignment(stop.signal);
    const { sessionId, epoch } = assignment;
    const ports = {
      unit,
      model: new AnthropicModel(http, token),
      inputs: await inputsOf(assignment),
      clock: systemClock,
      logger: logger.with({ sessionId, epoch }),
    };
    const end = await runBrain(ports, assignment, stop.signal);
    logger.info('brain ended', { end });
  } catch (error) {
    if (!stop.signal.aborted) process.exitCode = failed(error);
  } finally {
    close();
    input.close();
    process.stdin.destroy();
  }

  function failed(error: unknown): number {
    if (isFinal(error)) return 0;
    logger.error('brain failed', { error });
    return 1;
  }
}

/** What checks them is loaded by those brains alone whose agent declares tools: it takes a tenth of the time in which a brain starts. */
async function inputsOf({ tools }: Assignment): Promise<ToolInputs | undefined> {
  if (tools === undefined) return undefined;
  const { toolInputs } = await import('../platform/ajv/tool-inputs.ts');
  return toolInputs(tools, systemClock);
}

/** A refusal of the very first request: this brain was replaced before it began. */
function isFinal(error: unknown): boolean {
  return error instanceof Error && 'final' in error && error.final === true;
}
