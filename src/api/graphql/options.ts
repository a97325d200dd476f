/** What this door needs, and what an operator can choose about it. */
import type { SchemaPorts } from '../../../schema/context.ts';
import type { BearerWatch } from '../../access/bearer-watch.ts';
import type { Logger } from '../../kernel/logger.ts';
import type { RoundRobin } from '../../kernel/round-robin.ts';
import type { BodyLimits } from './bodies.ts';
import type { OperationLimits } from './operations.ts';

/** `*`: any page, since a token is needed anyway and no cookie is read. */
export type Origins = '*' | readonly string[];

export interface GraphqlPorts extends SchemaPorts {
  readonly logger: Logger;
}

/** With what all operations of one door share. */
export interface DoorPorts extends GraphqlPorts {
  /** Of those that read (BUDGET-2). */
  readonly turns: RoundRobin;
  /** Of those that begin (TURNS-2). */
  readonly admission: RoundRobin;
  /** Of what is open (ACCESS-2). */
  readonly watch: BearerWatch;
}

export interface GraphqlOptions {
  /** Whether clients may ask for the schema. Default: true. */
  readonly introspection?: boolean | undefined;
  /** Whether GET /graphql with a browser answers GraphiQL. Default: true. */
  readonly console?: boolean | undefined;
  /** Web origins that may use the API. Default: all. */
  readonly origins?: Origins | undefined;
  /** Sockets at once, where there are files for fewer than SOCKETS_MAX. */
  readonly socketsMax?: number | undefined;
  /** For tests: HIGH_WATER_BYTES. */
  readonly highWaterBytes?: number | undefined;
  /** For tests: the bounds of outgoing.ts. */
  readonly outgoingBytesMax?: number | undefined;
  readonly stallMs?: number | undefined;
  /** For tests: the bounds of operations.ts. */
  readonly operations?: Partial<OperationLimits> | undefined;
  /** For tests: the bounds of bodies.ts. */
  readonly bodies?: Partial<BodyLimits> | undefined;
}

/** Whether a request with this Origin header is let in. One without is of no page: of a program. */
export function isWelcome(origin: string | null | undefined, { origins = '*' }: GraphqlOptions): boolean {
  return origins === '*' || origin === null || origin === undefined || origins.includes(origin);
}
