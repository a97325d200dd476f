/**
 * The hands of one session as a process: `node hands.ts <workspace> <bytes that it may take> <alone|among>`: whether all processes that it
 * sees are its own.
 * Speaks hands/wire.ts on stdin and stdout, complains on stderr, holds no secret, and reaches no third-party package.
 * It ends when stdin ends (HANDS-4), and not by a signal that a command in the same process namespace sends to everyone.
 */
import { writeFileSync } from 'node:fs';
import { Lines } from '../hands/lines.ts';
import { WORKSPACE_ENTRIES_MAX } from '../hands/limit.ts';
import { HandsServer } from '../hands/server.ts';
import { HANDS_TOOLS } from '../hands/tool-table.ts';
import { WIRE_LINE_BYTES_MAX } from '../hands/wire.ts';
import { systemClock } from '../kernel/clock.ts';
import { HostSandbox } from '../platform/host/sandbox.ts';

/** sysexits: started in a wrong way; the other side speaks something else. */
const EXIT_USAGE = 64;
const EXIT_PROTOCOL = 76;
/** The kernel ends hands before anything else when memory runs out; what they start inherits it. */
const OOM_SCORE = '1000';

const [root, bytesMax, others] = process.argv.slice(2);
if (root === undefined || !(Number(bytesMax) > 0) || others === undefined) {
  process.stderr.write('usage: hands.ts <workspace> <bytes that it may take> <alone|among>\n');
  process.exit(EXIT_USAGE);
}
process.title = 'hands'; // `pkill node` means what the commands started
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
offerMyself();

const sandbox = new HostSandbox({
  root,
  sizeMax: { bytes: Number(bytesMax), entries: WORKSPACE_ENTRIES_MAX },
  env: environment(root),
  pipeFolder: '/tmp',
  isAlone: others === 'alone',
});
const server = new HandsServer({
  tools: HANDS_TOOLS,
  sandbox,
  clock: systemClock,
  send: (message) => process.stdout.write(`${JSON.stringify(message)}\n`),
  complain: (message, error) => process.stderr.write(`${message}: ${String(error)}\n`),
});
const lines = new Lines(WIRE_LINE_BYTES_MAX, (line) => server.receive(line));
process.stdin.on('data', (chunk: Buffer) => {
  if (!lines.add(chunk)) void end(EXIT_PROTOCOL);
});
process.stdin.once('end', () => void end(0));
process.stdout.once('error', () => void end(EXIT_PROTOCOL));

async function end(code: number): Promise<void> {
  await server.close();
  process.exit(code);
}

/** What commands see of their surroundings: nothing that this process was given for itself. */
function environment(home: string): Readonly<Record<string, string>> {
  const PATH = process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  return { PATH, HOME: home, LANG: 'C.UTF-8', TERM: 'dumb', USER: 'hands' };
}

function offerMyself(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', OOM_SCORE);
  } catch {
    // not Linux, or not allowed: a wish
  }
}
