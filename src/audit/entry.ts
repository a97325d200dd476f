/**
 * An entry of the audit log: who changed what of an organisation, what it was before and is after, when, and from where. It holds no
 * secret and no text of prompts or messages: what of a thing is shown, its mutation declares (schema/auditing.ts).
 */
import type { AuditEntryId, OrganisationId } from '../kernel/id.ts';

/** What can be changed. */
export const TARGET_KINDS = [
  'organisation',
  'apiKey',
  'agent',
  'credential',
  'session',
  'retention',
] as const;
export type TargetKind = (typeof TARGET_KINDS)[number];

export const ACTOR_KINDS = ['key', 'client', 'system'] as const;

export const AUDIT_OUTCOMES = ['begun', 'done', 'replayed', 'refused', 'failed'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

export interface AuditActor {
  readonly kind: (typeof ACTOR_KINDS)[number];
  /** Of the API key; of a client token, of the session that it is for. */
  readonly id?: string | undefined;
  readonly name?: string | undefined;
}

export interface AuditTarget {
  readonly kind: TargetKind;
  readonly id: string;
}

/** Where a request came from: the other end of the connection, which is a proxy where there is one. */
export interface Origin {
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
}

/** What may be shown of a thing: a small flat object of JSON. */
export type Shown = Readonly<Record<string, unknown>>;

/** What is known before anything is done. */
export interface AskedChange {
  readonly organisationId: OrganisationId;
  /** Milliseconds since the epoch: when it was asked for. */
  readonly at: number;
  /** The name of the mutation, or of what the server did by itself. */
  readonly action: string;
  readonly actor: AuditActor;
  readonly requestId?: string | undefined;
  readonly from?: Origin | undefined;
  readonly target?: AuditTarget | undefined;
}

/** What came of it. */
export interface Settlement {
  readonly outcome: AuditOutcome;
  /** Why it was refused, or failed. */
  readonly code?: string | undefined;
  readonly target?: AuditTarget | undefined;
  /** Only what differs. */
  readonly before?: Shown | undefined;
  readonly after?: Shown | undefined;
}

export interface AuditEntry extends AskedChange, Settlement {
  readonly id: AuditEntryId;
}

/** Bytes of what was before, and as many of what is after: names, scopes, dates and limits have some hundred. */
const SHOWN_BYTES_MAX = 4 * 1024;
/** What a client says of itself is as long as it likes. */
const USER_AGENT_CHARS_MAX = 256;

/** Within the bounds of an entry. */
export function boundedSettlement({ before, after, ...rest }: Settlement): Settlement {
  return { ...rest, before: boundedShown(before), after: boundedShown(after) };
}

export function boundedOrigin({ address, userAgent }: Origin): Origin {
  return { address, userAgent: userAgent?.slice(0, USER_AGENT_CHARS_MAX).toWellFormed() };
}

function boundedShown(shown: Shown | undefined): Shown | undefined {
  if (shown === undefined) return undefined;
  const bytes = Buffer.byteLength(JSON.stringify(shown));
  return bytes <= SHOWN_BYTES_MAX ? shown : { leftOut: true, bytes };
}

/** Of two states, what differs; all of the one where the other is none. */
export function differences(
  before: Shown | undefined,
  after: Shown | undefined,
): Pick<Settlement, 'before' | 'after'> {
  if (before === undefined || after === undefined) return { before, after };
  const differing = Object.keys({ ...before, ...after }).filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  const pick = (from: Shown): Shown => Object.fromEntries(differing.map((name) => [name, from[name]]));
  return { before: pick(before), after: pick(after) };
}
