/** What this door needs, and what an operator can choose about it. */
import type { SchemaPorts } from '../../../schema/context.ts';
import type { Logger } from '../../kernel/logger.ts';
import type { OperationLimits } from './operations.ts';

export interface GraphqlPorts extends SchemaPorts {
  readonly logger: Logger;
}

export interface GraphqlOptions {
  /** Whether clients may ask for the schema. Default: true. */
  readonly introspection?: boolean | undefined;
  /** Whether GET /graphql with a browser answers GraphiQL. Default: true. */
  readonly console?: boolean | undefined;
  /** Web origins that may open a socket; absent: all, since a token is needed anyway and no cookie is read. */
  readonly origins?: readonly string[] | undefined;
  /** Sockets at once, where there are files for fewer than SOCKETS_MAX. */
  readonly socketsMax?: number | undefined;
  /** For tests: HIGH_WATER_BYTES. */
  readonly highWaterBytes?: number | undefined;
  /** For tests: the bounds of outgoing.ts. */
  readonly outgoingBytesMax?: number | undefined;
  readonly stallMs?: number | undefined;
  /** For tests: the bounds of operations.ts. */
  readonly operations?: Partial<OperationLimits> | undefined;
}
