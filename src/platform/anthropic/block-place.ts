/** Where in the conversation the service sees a fault: it names blocks by their numbers in the request, or by the id of a call. */
import type { MessagePlace, ModelMessage } from '../../brain/model.ts';
import { type RenderedMessage, rendered } from './message-params.ts';

/** `messages.3.content.1.tool_use.input`, `messages[3].content[1]`, `messages.[3].role`, `messages.3`. */
const PATH = /\bmessages\.?\[?(\d{1,6})\]?(?:\.content\.?\[?(\d{1,6})\]?)?/;
/** `messages: … at index 3`. */
const INDEX = /\bmessages?\b[^.]{0,200}? (?:at )?index (\d{1,6})\b/;
const ID = /[a-zA-Z0-9_-]+/g;
const SPEAKS_OF_CALLS = /tool_use|tool_result|tool call/i;

/** Undefined when it names none. */
export function placeIn(messages: readonly ModelMessage[], said: string): MessagePlace | undefined {
  const request = rendered(messages);
  const path = PATH.exec(said) ?? INDEX.exec(said);
  const at = path === null ? undefined : Number(path[1]);
  if (at === undefined) return placeOfCall(request, said);
  const message = request[at];
  if (message === undefined) return undefined;
  if (path?.[2] === undefined) return placeOfCall(request, said, at) ?? { message: at };
  return { message: at, block: message.blocks[Number(path[2])]?.from };
}

/** The call, or else its result, whose id is said; in that message, or in the last one that has it. */
function placeOfCall(
  request: readonly RenderedMessage[],
  said: string,
  only?: number,
): MessagePlace | undefined {
  if (!SPEAKS_OF_CALLS.test(said)) return undefined;
  const ids = new Set(said.match(ID));
  const places = request.flatMap(({ blocks }, message) =>
    only !== undefined && message !== only
      ? []
      : blocks.map(({ param, from }) => ({ param, place: { message, block: from } })),
  );
  const call = places.findLast(({ param }) => param.type === 'tool_use' && ids.has(param.id));
  const result = places.findLast(({ param }) => param.type === 'tool_result' && ids.has(param.tool_use_id));
  return (call ?? result)?.place;
}
