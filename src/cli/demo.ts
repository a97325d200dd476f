/**
 * `npm run demo`: a whole session on a server of its own, narrated. An agent writes a small program with a bug, runs its
 * check, sees it fail, mends it and runs it again; meanwhile it is steered, its brain is killed, and afterwards it
 * hibernates and is woken. Exits 0 when all of that was seen to happen.
 */
import { connect, type Client } from '../client/client.ts';
import type { Frame } from '../client/follow.ts';
import {
  CreateAgentDocument,
  ReadSessionDocument,
  SendMessageDocument,
  StartSessionDocument,
} from '../client/generated/graphql.ts';
import { visible } from '../kernel/visible.ts';
import { Narration } from './narration.ts';
import { type Server, startServer } from './server.ts';

const PROMPT =
  'You are a careful programmer. Work in /workspace with the tools you have. Do one small step at a time, and say what you do.';
const TASK =
  'Write average.sh, which prints the average of the whole numbers it is given, and check.sh, which runs it on three cases with known answers. ' +
  'Make the usual off-by-one mistake in average.sh on purpose first. Run the check, see it fail, mend the mistake, run the check again.';
const STEER = 'Keep it plain POSIX sh, please.';
const FOLLOW_UP = 'Which files are in the workspace, and what was wrong?';
const CLAUDE = 'anthropic/claude-sonnet-5';
/** A demo that has not ended by then will not: a model service that does not answer, most likely. */
const DEMO_MS_MAX = 10 * 60_000;

interface Progress {
  steered: boolean;
  killed: boolean;
  resumed: boolean;
  turns: number;
  hibernated: boolean;
  failedOnce: boolean;
  passedLater: boolean;
}

async function main(): Promise<void> {
  const narration = new Narration((text) => process.stdout.write(text));
  const withKey = (process.env['ANTHROPIC_API_KEY'] ?? '') !== '';
  narration.title(
    withKey
      ? `Holdfast demo, with ${CLAUDE}`
      : 'Holdfast demo, with a rehearsed model (set ANTHROPIC_API_KEY for Claude)',
  );
  const server = await startServer();
  const client = connect({ url: server.url, key: server.key });
  try {
    if (server.database !== undefined)
      narration.line(`On MongoDB, in a database of its own: ${server.database}`);
    await play(client, server, withKey ? CLAUDE : 'rehearsal/demo', narration);
    if (server.database !== undefined)
      narration.line(`The database ${server.database} is yours to look into, and to drop.`);
  } finally {
    await client.close();
    await server.stop();
  }
}

async function play(client: Client, server: Server, model: string, narration: Narration): Promise<void> {
  const sessionId = await start(client, model, narration);
  const progress: Progress = {
    steered: false,
    killed: false,
    resumed: false,
    turns: 0,
    hibernated: false,
    failedOnce: false,
    passedLater: false,
  };
  const late = AbortSignal.timeout(DEMO_MS_MAX);
  for await (const frame of client.follow({ sessionId, deltas: true }, late)) {
    narration.frame(frame);
    if (frame.__typename !== 'EventBatch') continue;
    for (const event of frame.events) await react(event, { client, server, sessionId, narration, progress });
    if (progress.turns === 2) break;
  }
  await conclude(client, sessionId, narration, progress);
}

async function start(client: Client, model: string, narration: Narration): Promise<string> {
  narration.step('define an agent, start a session on a real task');
  const { createAgent } = await client.request(CreateAgentDocument, {
    input: { name: 'demo', model, prompt: PROMPT },
  });
  if (createAgent.__typename !== 'CreateAgentPayload') throw new Error(createAgent.message);
  const { startSession } = await client.request(StartSessionDocument, {
    input: { agent: 'demo', input: TASK },
  });
  if (startSession.__typename !== 'StartSessionPayload') throw new Error(startSession.message);
  return startSession.session.id;
}

type Event = Extract<Frame, { __typename?: 'EventBatch' }>['events'][number];

interface Stage {
  readonly client: Client;
  readonly server: Server;
  readonly sessionId: string;
  readonly narration: Narration;
  readonly progress: Progress;
}

/** What the demo does when it sees an event: steer at the first command, kill the brain at its result, wake what sleeps. */
async function react(event: Event, { client, server, sessionId, narration, progress }: Stage): Promise<void> {
  if (event.type === 'tool.call' && !progress.steered) {
    progress.steered = true;
    narration.step(`steer it in the middle of the turn: "${STEER}"`);
    await send(client, sessionId, STEER);
  }
  if (event.__typename === 'ToolResult' && event.tool === 'bash') {
    const failed = (event.exitCode ?? 0) !== 0;
    progress.failedOnce ||= failed;
    progress.passedLater ||= progress.failedOnce && !failed;
    if (!progress.killed) {
      progress.killed = true;
      const pid = server.killBrain(sessionId);
      narration.step(`kill the brain, process ${pid}, with SIGKILL`);
    }
  }
  if (event.__typename === 'BrainStarted' && progress.killed && !progress.resumed) {
    progress.resumed = true;
    narration.step('another brain goes on from the log; no command is run twice');
  }
  if (event.__typename === 'TurnCompleted') {
    progress.turns += 1;
    if (event.turnOutcome !== 'COMPLETED')
      throw new Error(`The turn ended as ${event.turnOutcome}: ${event.errorMessage ?? ''}`);
    if (progress.turns === 1) narration.step('wait until the session has nothing to do and hibernates');
  }
  if (event.type === 'session.hibernated' && !progress.hibernated) {
    progress.hibernated = true;
    narration.step(`wake it with a follow-up: "${FOLLOW_UP}"`);
    await send(client, sessionId, FOLLOW_UP);
  }
}

async function send(client: Client, sessionId: string, text: string): Promise<void> {
  const { sendMessage } = await client.request(SendMessageDocument, { input: { sessionId, text } });
  if (sendMessage.__typename !== 'SendMessagePayload') throw new Error(sendMessage.message);
}

async function conclude(
  client: Client,
  sessionId: string,
  narration: Narration,
  progress: Progress,
): Promise<void> {
  const missing = Object.entries(progress).filter(([, seen]) => seen === false);
  if (missing.length > 0)
    throw new Error(`The demo ended without: ${missing.map(([what]) => what).join(', ')}.`);
  const { session } = await client.request(ReadSessionDocument, { id: sessionId });
  if (session.__typename !== 'Session') throw new Error(session.message);
  const { usage, head, turnCount } = session;
  narration.title('The result');
  narration.line(session.result?.__typename === 'AgentMessage' ? session.result.text : '');
  narration.title(
    `${turnCount} turns, ${head} events in the log, ${usage.totalTokens} tokens; steered, killed, resumed, hibernated, woken.`,
  );
  narration.line('Next: npm start');
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(visible(`demo: ${error instanceof Error ? error.message : String(error)}\n`));
    process.exit(1);
  },
);
