/**
 * The unit endpoint (sessions/unit-wire.ts): what brains may ask of the control plane, over HTTP.
 *
 * UNIT-1 The token alone names session and epoch; every write carries that epoch into the journal (JOURNAL-4), and everything else is
 *    refused when the epoch is not the current one: a brain that was replaced makes no model call and reads no more.
 * UNIT-2 A brain writes only what brains write: BRAIN_WRITES, each body checked against the event table. What it writes is well-formed
 *    text, whatever the model wrote: what is in the log once goes to the model for ever.
 * UNIT-3 A closed tool request does not stop the tool; only `cancel` does.
 * UNIT-4 A tool runs only for a call that is journalled in the running turn, with this tool and this input, and has no result yet.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Access } from '../../access/access.ts';
import { bearerOf } from '../../access/bearer.ts';
import { authorizeUnit } from '../../access/policy.ts';
import type { Principal } from '../../access/principal.ts';
import type { ToolCall, ToolResult } from '../../hands/wire.ts';
import { InvalidInput } from '../../kernel/fault.ts';
import type { OrganisationId, SessionId } from '../../kernel/id.ts';
import { excessOf } from '../../kernel/json-bounds.ts';
import { BODY_BYTES_MAX, REQUEST_DEPTH_MAX } from '../../kernel/limit.ts';
import type { Logger } from '../../kernel/logger.ts';
import { parseWellFormedJson } from '../../kernel/well-formed.ts';
import type { TurnOutcome } from '../../journal/event-catalog.ts';
import { EpochStale } from '../../journal/faults.ts';
import type { Live } from '../../journal/live.ts';
import type { Agents } from '../../sessions/agents.ts';
import type { ContextWindows } from '../../models/model-table.ts';
import { plansOf } from '../../models/session-plans.ts';
import { SessionArchived } from '../../sessions/faults.ts';
import { decide } from '../../sessions/lifecycle.ts';
import type { SessionEntry, SessionJournal } from '../../sessions/session-store.ts';
import type { SessionRuns } from '../../sessions/session-runs.ts';
import { type Assignment, type UnitAppended, type UnitCommand } from '../../sessions/unit-wire.ts';
import { wakePlace } from '../../sessions/wake-place.ts';
import { BodyRefused, RequestBody } from '../request-body.ts';
import { journalledCall } from './journalled-call.ts';
import { refuse, send, sendRefusal } from './unit-answer.ts';
import { sendEvents } from './unit-events.ts';
import { parseAppend, parseCallId, parseDelta, parseToolCall } from './unit-request.ts';

/** One append at its limit: a body of BODY_BYTES_MAX and its neighbours. */
const UNIT_REQUEST_BYTES_MAX = 2 * BODY_BYTES_MAX;
/** Values in it: some times what the longest answer of a model can write (128,000 tokens). Parsing them takes some hundred milliseconds. */
const VALUES_MAX = 500_000;

export interface UnitDoorPorts {
  readonly access: Access;
  readonly sessions: SessionRuns;
  readonly useCasesOf: (organisationId: OrganisationId) => { readonly agents: Pick<Agents, 'revision'> };
  readonly journal: SessionJournal;
  readonly live: Live;
  readonly logger: Logger;
  /** Runs a tool call or fetches its result by id. */
  readonly tools: {
    call(sessionId: SessionId, call: ToolCall): Promise<ToolResult>;
    cancel(sessionId: SessionId, callId: string): void;
    /** Before a turn is over: keeps what its tools have done to the files. Resolves also when it takes too long. */
    checkpoint(
      sessionId: SessionId,
      place: { readonly seq: number; readonly turn: number },
      outcome: TurnOutcome,
    ): Promise<void>;
  };
  /** Of models, as the deployment sets them. */
  readonly contextWindows?: ContextWindows | undefined;
  /** Forwards a model call; writes the whole answer, refusals too. */
  readonly model: (request: IncomingMessage, response: ServerResponse, sessionId: SessionId) => Promise<void>;
}

type Unit = Extract<Principal, { kind: 'unit' }>;

export function createUnitDoor(ports: UnitDoorPorts): Server {
  const server = createServer((request, response) => {
    void answer(ports, request, response).catch((error: unknown) =>
      refuse(ports.logger, request, response, error),
    );
  });
  server.requestTimeout = 0; // a tool call may run for an hour; the brain is ours, and its socket is not the world's
  server.keepAliveTimeout = 0;
  return server;
}

async function answer(
  ports: UnitDoorPorts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const unit = await unitOf(ports.access, request);
  const url = request.url ?? '';
  if (url === '/unit/append' && request.method === 'POST') return append(ports, unit, request, response);
  const entry = await ports.sessions.get(unit.sessionId, unit.organisationId);
  const { session } = entry;
  if (session.epoch !== unit.epoch) throw new EpochStale(unit.epoch, session.epoch); // UNIT-1
  if (request.method === 'GET') {
    if (url === '/unit/assignment') return send(response, 200, await assignment(ports, unit, entry));
    if (url.startsWith('/unit/events')) return sendEvents(ports, unit.sessionId, request, response);
  }
  if (request.method === 'POST') {
    if (session.status === 'archived') throw new SessionArchived(session.id);
    if (url === '/v1/messages') return ports.model(request, response, unit.sessionId);
    if (url === '/unit/deltas') return delta(ports, unit, request, response);
    if (url.startsWith('/unit/tools/')) return tool(ports, entry, request, response);
  }
  noSuchPath(response);
}

async function append(
  ports: UnitDoorPorts,
  unit: Unit,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { key, command } = parseAppend(parseJson(await readText(request), parseWellFormedJson)); // UNIT-2
  if (command.kind === 'completeTurn') await keepFiles(ports, unit, command);
  const { firstSeq, lastSeq, replayed } = await ports.sessions.write(
    unit.sessionId,
    unit.epoch,
    key,
    command,
    unit.organisationId,
  ); // UNIT-1
  const appended: UnitAppended = { firstSeq, lastSeq, replayed };
  send(response, 200, appended);
}

/** Not for a turn that goes on: its files would count as those of a turn that is over. */
async function keepFiles(
  ports: UnitDoorPorts,
  { sessionId, organisationId, epoch }: Unit,
  command: Extract<UnitCommand, { kind: 'completeTurn' }>,
): Promise<void> {
  const { session, head } = await ports.sessions.get(sessionId, organisationId);
  if (session.epoch !== epoch || decide(session, command).kind !== 'append') return; // the append says so
  await ports.tools.checkpoint(sessionId, { seq: head, turn: session.turnCount }, command.outcome);
}

async function delta(
  ports: UnitDoorPorts,
  unit: Unit,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  ports.live.delta(unit.sessionId, parseDelta(parseJson(await readText(request))));
  response.writeHead(204).end();
}

async function tool(
  ports: UnitDoorPorts,
  entry: SessionEntry,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { id } = entry.session;
  const [callId = '', verb, ...more] = (request.url ?? '').slice('/unit/tools/'.length).split('/');
  if (more.length > 0 || (verb !== undefined && verb !== 'cancel')) return noSuchPath(response);
  parseCallId(callId);
  if (verb === 'cancel') {
    ports.tools.cancel(id, callId);
    response.writeHead(204).end();
    return;
  }
  const asked = parseToolCall(callId, parseJson(await readText(request), parseWellFormedJson));
  const call = await journalledCall(ports.journal, entry, asked); // UNIT-4
  send(response, 200, await ports.tools.call(id, call)); // UNIT-3
}

function noSuchPath(response: ServerResponse): void {
  sendRefusal(response, 404, { code: 'NOT_FOUND', message: 'The unit endpoint has no such path.' });
}

async function assignment(
  ports: UnitDoorPorts,
  unit: Unit,
  { session, head }: SessionEntry,
): Promise<Assignment> {
  const { journal, live } = ports;
  const { agents } = ports.useCasesOf(session.organisationId);
  const { prompt, settings, tools } = await agents.revision(session.agentId, session.agentRevision);
  return {
    sessionId: session.id,
    epoch: unit.epoch,
    prompt: prompt.toWellFormed(), // revisions of before texts were made so may hold half a character
    ...plansOf(session.model, settings, ports.contextWindows),
    limits: session.limits,
    ...(tools === undefined ? {} : { tools }),
    wake: await wakePlace({ journal, scheduler: live.scheduler }, { session, head }),
  };
}

async function unitOf(access: Access, request: IncomingMessage): Promise<Unit> {
  const principal = await access.authenticate(bearerOf(request.headers.authorization));
  authorizeUnit(principal);
  return principal;
}

async function readText(request: IncomingMessage): Promise<string> {
  try {
    return (await new RequestBody(request, { bytesMax: UNIT_REQUEST_BYTES_MAX }).read()).toString();
  } catch (error) {
    throw error instanceof BodyRefused ? new InvalidInput('body', error.message) : error;
  }
}

function parseJson(text: string, parse: (text: string) => unknown = JSON.parse): unknown {
  const excess = excessOf(text, { depthMax: REQUEST_DEPTH_MAX, valuesMax: VALUES_MAX });
  if (excess !== undefined)
    throw new InvalidInput(
      'body',
      `expected less JSON: it has too many ${excess === 'depth' ? 'levels' : excess}.`,
    );
  try {
    return parse(text);
  } catch {
    throw new InvalidInput('body', 'expected JSON.'); // what the parser says repeats some of it
  }
}
