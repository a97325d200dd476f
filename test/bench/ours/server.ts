/**
 * Ours as a server process: `server.ts <data folder> [<URI of a MongoDB database>]`. Both doors on TCP, so that both sides of a
 * row use the same wire.
 */
import { AuditExport } from '../../../src/api/audit-export.ts';
import { createGraphqlDoor } from '../../../src/api/graphql/graphql-door.ts';
import { listen as listenHttp } from '../../../src/api/http-server.ts';
import { createUnitDoor } from '../../../src/api/unit/unit-endpoint.ts';
import { answerParent } from '../child.ts';
import { listen } from '../listen.ts';
import { sampleEvent } from '../sample-events.ts';
import { append, fill, inFlight, openHoldfast, type RunningSession, startRunning } from './holdfast.ts';

const holdfast = await openHoldfast(process.argv[2] ?? '', process.argv[3]);
const { ports, close } = holdfast;
const tools = {
  call: () => Promise.reject(new Error('No hands here.')),
  cancel: () => undefined,
  checkpoint: async () => undefined,
};
const model = () => Promise.reject(new Error('No model here.'));
const unitPort = await listen(createUnitDoor({ ...ports, sessions: ports.runs, tools, model }));
const graphql = createGraphqlDoor(ports, { console: false });
const ready = () => Promise.resolve();
const http = await listenHttp(
  { graphql, auditExport: new AuditExport(ports), logger: ports.logger, ready },
  { port: 0, host: '127.0.0.1' },
);

const commands = {
  ports: async () => ({ unit: unitPort, graphql: http.port }),
  startRunning: () => startRunning(holdfast),
  fill: ({ session, count }: { session: RunningSession; count: number }) => fill(holdfast, session, count),
  head: ({ sessionId }: RunningSession) => ports.journal.head(sessionId),
  /** One event per append, `width` appends at a time. */
  publish: ({ session, count, width }: { session: RunningSession; count: number; width: number }) =>
    inFlight(width, count, () => append(ports.journal, session.sessionId, [sampleEvent(0, session.turnId)])),
};
export type ServerCommands = typeof commands;

answerParent(commands, async () => {
  await http.close();
  await close();
});
