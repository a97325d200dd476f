/**
 * JSON-1 JSON of a client is parsed when it is at most REQUEST_DEPTH_MAX levels deep and of at most REQUEST_VALUES_MAX values, over
 *    HTTP and on sockets: parsing more of it would hold up everybody. It is refused before.
 */
import type { GraphQLError } from 'graphql';
import { excessOf } from '../../kernel/json-bounds.ts';
import { REQUEST_DEPTH_MAX, REQUEST_VALUES_MAX } from '../../kernel/limit.ts';
import { refusal } from './masking.ts';

/** The refusal; undefined when it may be parsed. Its sentence fits the reason of a close (123 bytes). */
export function requestExcess(text: string): GraphQLError | undefined {
  switch (excessOf(text, { depthMax: REQUEST_DEPTH_MAX, valuesMax: REQUEST_VALUES_MAX })) {
    case 'depth':
      return refusal('TOO_DEEP', `expected JSON of at most ${REQUEST_DEPTH_MAX} levels.`, 400);
    case 'values':
      return refusal('TOO_MANY_VALUES', `expected JSON of at most ${REQUEST_VALUES_MAX} values.`, 400);
    case undefined:
      return undefined;
  }
}
