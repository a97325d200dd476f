/**
 * The session in the answer of a mutation. Who may change a session may not always read it: such a caller sees its id and its status.
 *
 * PAYLOAD-1 What of a session an answer of a mutation shows is what its caller may read elsewhere, by the same rows of the policy, and it is
 *    settled before anything is done: a refusal has changed nothing.
 */
import { GraphQLError, type GraphQLResolveInfo } from 'graphql';
import { actionOf } from '../src/access/policy.ts';
import { Forbidden } from '../src/kernel/fault.ts';
import type { SessionId } from '../src/kernel/id.ts';
import { askedOf } from './asked-field.ts';
import { type Context, permit } from './context.ts';

/** What everybody sees of a session that they may change: without it they would not know what has come of it. */
const OF_CHANGING: ReadonlySet<string> = new Set(['__typename', 'id', 'status']);
export const PAYLOAD_SESSION = 'As it is now; to a caller who may not read the session, its id and status.';

/** Where turns are in it. */
const TURN_PATHS = [['turn'], ['turns', 'nodes'], ['turns', 'edges', 'node']] as const;

/**
 * Throws an error and not a Fault of the result: what is refused is a part of the answer, not the change. `sessionId`: absent of one that is
 * about to be started, which only an API key does.
 */
export function permitPayload(context: Context, info: GraphQLResolveInfo, sessionId?: SessionId): void {
  const asked = [...askedOf(info, 'session')].filter((field) => !OF_CHANGING.has(field));
  const ofTurns = TURN_PATHS.flatMap((path) => [...askedOf(info, 'session', ...path)]);
  const all = [
    ...asked.map((field) => ({ field, more: actionOf(`Session.${field}`) })),
    ...ofTurns.map((field) => ({ field, more: actionOf(`Turn.${field}`) })),
  ];
  for (const { field, more } of all) {
    try {
      permit(context, 'session.read', sessionId); // PAYLOAD-1
      if (more !== undefined) permit(context, more, sessionId);
    } catch (error) {
      if (!(error instanceof Forbidden)) throw error;
      const refusal = new Forbidden(
        `${error.message} Ask for \`session\` without \`${field}\`: its id and status are for everybody who may do this. Nothing was done.`,
      );
      // with what it comes of: its own words are shown, as those of no other error are (masking.ts)
      throw new GraphQLError(refusal.message, {
        originalError: refusal,
        extensions: { code: refusal.code },
      });
    }
  }
}
