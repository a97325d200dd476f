/** When a rule or a part of a script is for a request: what is looked at in its conversation. */
import { readBoolean, readNumber, readRegExp, readText, ScriptFields } from './script-field.ts';

/** Everything that is given must hold; nothing given always holds. */
export interface When {
  /** How many answers the conversation has. */
  readonly answers?: number | undefined;
  /** The last text of the user. */
  readonly user?: RegExp | undefined;
  /** Any text of the user. */
  readonly said?: RegExp | undefined;
  /** Any tool result of the last message. */
  readonly result?: RegExp | undefined;
  /** The last answer used this tool. */
  readonly tool?: string | undefined;
  /** Whether the user has said something in the middle of the work, beside tool results. */
  readonly steered?: boolean | undefined;
}

export function readWhen(where: string, value: unknown): When {
  const given = new ScriptFields(where, value, ['answers', 'user', 'said', 'result', 'tool', 'steered']);
  return {
    answers: given.get('answers', readNumber),
    user: given.get('user', readRegExp),
    said: given.get('said', readRegExp),
    result: given.get('result', readRegExp),
    tool: given.get('tool', readText),
    steered: given.get('steered', readBoolean),
  };
}
