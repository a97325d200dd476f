/** The use case of changing what a session may use, while it runs or rests: one append, which replaces all of its limits (lifecycle.ts). */
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import type { Organisation, SessionId } from '../kernel/id.ts';
import { parseKey, requestHash } from '../kernel/request-hash.ts';
import type { Audits } from '../journal/journal.ts';
import type { Actor, BodyOf } from '../journal/event.ts';
import { SessionNotFound } from '../journal/faults.ts';
import { type Command, decideToTheEnd } from './lifecycle.ts';
import { type GivenLimits, givenOf, limitsAfter } from './limits.ts';
import type { Session } from './session.ts';
import type { SessionEntry, SessionJournal, SessionStore } from './session-store.ts';

export interface ChangeLimits {
  readonly sessionId: SessionId;
  /** null takes a limit away, undefined leaves it as it is. */
  readonly limits: GivenLimits;
  readonly actor: Actor;
  readonly idempotencyKey?: string | undefined;
  readonly audit?: Audits<Session> | undefined;
}

export interface LimitPorts {
  /** Only its own sessions are found. */
  readonly organisation: Pick<Organisation, 'id'>;
  readonly journal: SessionJournal;
  readonly sessions: SessionStore;
  /** Whether a call of this model can be kept within a limit of money. Default: the gateway says so at the call. */
  readonly isPriced?: ((model: string) => boolean) | undefined;
}

/** Throws InvalidInput, SessionNotFound, SessionArchived, LogFull, IdempotencyConflict. */
export async function changeLimits(
  ports: LimitPorts,
  { sessionId, limits, actor, idempotencyKey, audit }: ChangeLimits,
): Promise<SessionEntry & { readonly replayed: boolean }> {
  const { journal, sessions, organisation } = ports;
  const asked = parseKey('idempotencyKey', idempotencyKey);
  const key = asked === undefined ? undefined : `limits/${asked}`;
  const given = givenOf(limits);
  const command: Command = { kind: 'changeLimits', given, actor, isKeyed: key !== undefined };
  const { replayed, firstSeq, lastSeq, state } = await journal.append(sessionId, {
    organisationId: organisation.id,
    key, // REPLAY-1: looked for before anything is decided
    audit,
    decide(session, isFull) {
      const fault = whyNot(session, given, ports);
      return fault === undefined
        ? decideToTheEnd(session, command, isFull)
        : { kind: 'refuse' as const, fault };
    },
  });
  if (!replayed) return { session: state, head: lastSeq, replayed };
  const [event] = await journal.read(sessionId, { after: firstSeq - 1, limit: 1 });
  const body = JSON.parse(event?.body ?? '{}') as BodyOf<'session.limits_changed'>; // the append of this key wrote it
  if (requestHash(body.given) !== requestHash(given)) throw new IdempotencyConflict(asked ?? '');
  const entry = await sessions.get(sessionId, organisation.id);
  if (entry === undefined) throw new SessionNotFound(sessionId);
  return { ...entry, replayed };
}

/** A limit of money is for models whose price is known: no call could be made under another one. */
export function checkPriced(
  model: string,
  limits: GivenLimits,
  { isPriced }: Pick<LimitPorts, 'isPriced'>,
): void {
  if (typeof limits.costMicroUsd !== 'number' || isPriced === undefined || isPriced(model)) return;
  throw new InvalidInput(
    'limits.costMicroUsd',
    'the price of this model is not known, so this limit could not be kept. Give the server its price (HOLDFAST_PRICES), or leave the limit out.',
  );
}

function whyNot(session: Session, given: GivenLimits, ports: LimitPorts): InvalidInput | undefined {
  try {
    limitsAfter({}, given);
    checkPriced(session.model, given, ports);
    return undefined;
  } catch (error) {
    if (error instanceof InvalidInput) return error;
    throw error;
  }
}
