/**
 * GET /audit.ndjson: the audit log of the key's organisation, newest first, a JSON object on each line, as GraphQL names and writes it, with a
 * `cursor`. `after=<cursor>` goes on behind that line, also of an export that was cut; the filter of `auditEntries` is given by name.
 *
 * EXPORT-1 An export holds one part of AUDIT_READ_ENTRIES_MAX entries at a time, and reads the next when its client has taken that one; it ends
 *    when the client goes, and when it has taken as long as a slow line would not (outgoing.ts, OUTGOING-2). An organisation has at most
 *    EXPORTS_MAX under way; one more is refused TOO_MANY_OPERATIONS (429). It is cut when its key may ask no more (ACCESS-2).
 * EXPORT-2 It begins among the operations of its key, and reads each part in a turn among that key's other reads (TURNS-2, BUDGET-2).
 * EXPORT-3 Entries of one moment have an order, by their ids. Going on at a cursor nothing is left out and nothing comes twice, and `since` of one
 *    export as the `until` of another neither: an entry of that very moment is in the first.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { auditPlaceOf, parseAuditPlace, toldEntry } from '../../schema/audit-entry.ts';
import type { Access } from '../access/access.ts';
import { bearerOf } from '../access/bearer.ts';
import { authorize } from '../access/policy.ts';
import { AUDIT_READ_ENTRIES_MAX, type AuditFilter, type AuditLog } from '../audit/audit-log.ts';
import type { AuditPlace } from '../audit/audit-store.ts';
import { Fault, InvalidInput } from '../kernel/fault.ts';
import type { OrganisationId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import { Outage } from '../kernel/outage.ts';
import { retryAfterSeconds, statusOf } from './fault-table.ts';
import type { GraphqlDoor } from './graphql/graphql-door.ts';

/** Of one organisation at once: one that runs, and one that was begun again. */
const EXPORTS_MAX = 2;
/** When to ask again: an export takes some seconds. */
const RETRY_AFTER_MS = 5_000;
const NAMES = ['after', 'since', 'until', 'action', 'actorId', 'targetId'];

class TooManyExports extends Fault {
  readonly code = 'TOO_MANY_OPERATIONS';

  constructor() {
    super(
      `${EXPORTS_MAX} exports of an organisation at once are the most. Wait until one has ended, then try again.`,
      { retryAfterMs: RETRY_AFTER_MS },
    );
  }
}

export interface ExportPorts {
  readonly access: Access;
  readonly audit: AuditLog;
  readonly logger: Logger;
}

interface Asked {
  readonly filter: AuditFilter;
  readonly before: AuditPlace | undefined;
}

export class AuditExport {
  readonly #ports: ExportPorts;
  readonly #underWay = new Map<OrganisationId, number>();

  constructor(ports: ExportPorts) {
    this.#ports = ports;
  }

  /** Never rejects. `door`: whose answers and turns it shares. */
  async handle(
    req: IncomingMessage,
    res: ServerResponse,
    door: Pick<GraphqlDoor, 'owns' | 'turnsOf'>,
  ): Promise<void> {
    const requestId = randomUUID();
    try {
      if (req.method !== 'GET') return refuse(res, 405, 'METHOD_NOT_ALLOWED', 'Use GET.', { allow: 'GET' });
      const principal = await this.#ports.access.authenticate(bearerOf(req.headers.authorization));
      authorize(principal, 'audit.read');
      const request = { ...asked(req.url ?? ''), organisationId: principal.organisationId };
      const end = this.#begin(principal.organisationId);
      const forget = door.owns(res, principal);
      try {
        const turns = door.turnsOf(req, principal);
        await turns.begin(); // EXPORT-2
        await this.#send(res, request, () => turns.read());
      } finally {
        forget();
        end();
      }
    } catch (error) {
      this.#fail(res, error, requestId);
    }
  }

  /** EXPORT-1 */
  async #send(
    res: ServerResponse,
    { organisationId, filter, before: from }: Asked & { readonly organisationId: OrganisationId },
    turn: () => Promise<void>,
  ): Promise<void> {
    const gone = new AbortController();
    res.once('close', () => gone.abort());
    const { audit } = this.#ports;
    let before = from;
    while (!res.destroyed) {
      const page = { limit: AUDIT_READ_ENTRIES_MAX, before };
      const { entries, lookedTo } = await audit.list(organisationId, filter, page, turn);
      if (!res.headersSent)
        res.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
      const lines = entries.map((entry) =>
        JSON.stringify({ cursor: auditPlaceOf(entry), ...toldEntry(entry) }),
      );
      const isTaken = lines.length === 0 || res.write(`${lines.join('\n')}\n`);
      before = lookedTo ?? entries.at(-1);
      if (lookedTo === undefined && entries.length < AUDIT_READ_ENTRIES_MAX) break;
      if (!isTaken && !(await drained(res, gone.signal))) return;
    }
    res.end();
  }

  /** Throws TooManyExports. */
  #begin(organisationId: OrganisationId): () => void {
    const count = this.#underWay.get(organisationId) ?? 0;
    if (count >= EXPORTS_MAX) throw new TooManyExports();
    this.#underWay.set(organisationId, count + 1);
    return () => {
      const left = (this.#underWay.get(organisationId) ?? 1) - 1;
      if (left === 0) this.#underWay.delete(organisationId);
      else this.#underWay.set(organisationId, left);
    };
  }

  #fail(res: ServerResponse, error: unknown, requestId: string): void {
    const isOurs = !(error instanceof Fault) || error instanceof Outage;
    if (isOurs) this.#ports.logger.error('an export of the audit log failed', { requestId, error });
    if (res.headersSent) return void res.destroy(); // cut off: no client takes it for the whole log
    if (!(error instanceof Fault)) {
      const message = `Something failed on our side. Tell your operator the request id ${requestId}.`;
      return refuse(res, 500, 'INTERNAL', message);
    }
    const wait = error.retryAfterMs === undefined ? {} : { 'retry-after': String(retryAfterSeconds(error)) };
    const who = error.code === 'UNAUTHENTICATED' ? { 'www-authenticate': 'Bearer' } : {};
    const status = error instanceof TooManyExports ? 429 : statusOf(error);
    refuse(res, status, error.code, error.message, { ...wait, ...who });
  }
}

/** False when the client has gone. */
async function drained(res: ServerResponse, signal: AbortSignal): Promise<boolean> {
  try {
    await once(res, 'drain', { signal });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

function refuse(
  res: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify({ error: { code, message } }));
}

/** Throws InvalidInput, also for what has no meaning here. */
function asked(url: string): Asked {
  const mark = url.indexOf('?');
  const given = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  for (const name of given.keys()) {
    if (!NAMES.includes(name)) throw new InvalidInput('query', `expected only ${NAMES.join(', ')}.`);
  }
  const text = (name: string): string | undefined => given.get(name) ?? undefined;
  const filter = {
    action: text('action'),
    actorId: text('actorId'),
    targetId: text('targetId'),
    since: momentOf('since', text('since')),
    until: momentOf('until', text('until')),
  };
  return { filter, before: parseAuditPlace(text('after')) };
}

function momentOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new InvalidInput(name, 'expected ISO 8601, for example 2026-11-22T18:56:00Z.');
  return at;
}
