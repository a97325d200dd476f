/**
 * Identifiers: a prefix naming the kind, an underscore, 24 lower-case hex digits (the form of the v3 wire).
 * They are branded, so a session id cannot be passed where an agent id is meant.
 */
import { createHash, createHmac } from 'node:crypto';
import { type Chance, systemChance } from './chance.ts';
import { InvalidInput } from './fault.ts';

declare const brand: unique symbol;
type Id<Kind extends string> = string & { readonly [brand]: Kind };

export type OrganisationId = Id<'organisation'>;
export type AgentId = Id<'agent'>;
export type SessionId = Id<'session'>;
export type TurnId = Id<'turn'>;
export type EventId = Id<'event'>;
export type CredentialId = Id<'credential'>;
export type ApiKeyId = Id<'apiKey'>;
export type AuditEntryId = Id<'auditEntry'>;

const PREFIX = {
  organisation: 'org',
  agent: 'agt',
  session: 'ses',
  turn: 'trn',
  event: 'evt',
  credential: 'cred',
  apiKey: 'key',
  auditEntry: 'aud',
} as const;
export type IdKind = keyof typeof PREFIX;

const DIGITS = 24;
const SEQ_DIGITS = 11;
const PATTERN = /^[0-9a-f]{24}$/;

/** A fresh random id (96 bits). */
export function newId<K extends IdKind>(kind: K, chance: Chance = systemChance): Id<K> {
  return `${PREFIX[kind]}_${chance.hex(DIGITS / 2)}` as Id<K>; // brand: made here
}

/** The id that everyone derives from the same parts; used where a crash must find the same id again. */
export function derivedId<K extends IdKind>(kind: K, ...parts: readonly (string | number)[]): Id<K> {
  const digest = createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, DIGITS);
  return `${PREFIX[kind]}_${digest}` as Id<K>; // brand: made here
}

/** Whose things are meant: everything that is stored belongs to one organisation. */
export interface Organisation {
  readonly id: OrganisationId;
  /** The one that there is from the first start on. */
  readonly isFirst: boolean;
}

/**
 * The id that an organisation's idempotency key stands for. The first one's are as they were when there was no other. Those of others
 * are of another function, not of another text: whatever text the first one uses for a key, it meets no id of anybody else.
 */
export function keyedId<K extends IdKind>(kind: K, { id, isFirst }: Organisation, key: string): Id<K> {
  if (isFirst) return derivedId(kind, key);
  const digest = createHmac('sha256', id).update(key).digest('hex').slice(0, DIGITS);
  return `${PREFIX[kind]}_${digest}` as Id<K>; // brand: made here
}

/** Parses an id given by a caller; throws InvalidInput naming `field` when it has another form. */
export function parseId<K extends IdKind>(kind: K, text: string, field: string = `${kind}Id`): Id<K> {
  if (!isId(kind, text)) {
    throw new InvalidInput(field, `expected "${PREFIX[kind]}_" and ${DIGITS} hex digits.`);
  }
  return text;
}

export function isId<K extends IdKind>(kind: K, text: string): text is Id<K> {
  const prefix = PREFIX[kind];
  return (
    text.length === prefix.length + 1 + DIGITS &&
    text.startsWith(`${prefix}_`) &&
    PATTERN.test(text.slice(prefix.length + 1))
  );
}

/**
 * An event's id is derived from its session and its seq (docs/adr/0003-event-ids.md): 13 digits of the session's id,
 * 11 of the seq. It needs no index, and it is the same in every adapter.
 */
export function eventIdOf(sessionId: SessionId, seq: number): EventId {
  return `evt_${sessionId.slice(4, 4 + DIGITS - SEQ_DIGITS)}${seq.toString(16).padStart(SEQ_DIGITS, '0')}` as EventId;
}

/** The seq in an event id, or undefined when the id belongs to another session. */
export function seqOfEventId(eventId: string, sessionId: SessionId): number | undefined {
  const seq = Number.parseInt(eventId.slice(4 + DIGITS - SEQ_DIGITS), 16);
  return eventIdOf(sessionId, seq) === eventId ? seq : undefined;
}

/** A turn's id is derived from its session and number, so a message knows its turn before the turn starts. */
export function turnIdOf(sessionId: SessionId, number: number): TurnId {
  return derivedId('turn', sessionId, number);
}
