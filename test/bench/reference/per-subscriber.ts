/**
 * What a GraphQL server does by itself: graphql-ws's `useServer` executes the operation for each subscriber and each frame,
 * and prints each result. Our schema and our journal below it; only the way out differs. `per-subscriber.ts <data folder>`
 */
import { createServer } from 'node:http';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { type Context, contextOf } from '../../../schema/context.ts';
import { LogBudget } from '../../../schema/log-budget.ts';
import { schema } from '../../../schema/schema.ts';
import { RoundRobin } from '../../../src/kernel/round-robin.ts';
import { answerParent } from '../child.ts';
import { listen } from '../listen.ts';
import { append, inFlight, KEY, openHoldfast, type RunningSession, startRunning } from '../ours/holdfast.ts';
import { sampleEvent } from '../sample-events.ts';

const holdfast = await openHoldfast(process.argv[2] ?? '');
const { ports, close } = holdfast;
const principal = await ports.access.authenticate(KEY);
const server = createServer();
const sockets = new WebSocketServer({ server, path: '/graphql' });
const turns = new RoundRobin(ports.live.scheduler);
const reading = { bytes: 0, take: () => undefined, takeWhole: () => undefined, renew: () => undefined };
const context = (): Context => {
  const budget = new LogBudget(turns, principal);
  return contextOf(ports, { principal, budget, requestId: 'bench', reading, from: {} });
};
useServer({ schema, context }, sockets);
const port = await listen(server);

const commands = {
  ports: async () => ({ graphql: port }),
  startRunning: () => startRunning(holdfast),
  head: ({ sessionId }: RunningSession) => ports.journal.head(sessionId),
  publish: ({ session, count, width }: { session: RunningSession; count: number; width: number }) =>
    inFlight(width, count, () => append(ports.journal, session.sessionId, [sampleEvent(0, session.turnId)])),
};
export type PerSubscriberCommands = typeof commands;

answerParent(commands, close);
