/**
 * A summary without the model, for when it writes none: what the log itself says, cut to what matters most. Worse than one that
 * the model writes, so it says what it is, and far better than a session that cannot go on.
 */
import type { AnswerItem, Item } from './item.ts';

/** Of the whole: some thousand tokens, which fit beside any question. */
const SUMMARY_CHARS_MAX = 16_000;
/** Of the first message, which says what it is all about. */
const FIRST_CHARS_MAX = 4_000;
/** Of each of the last messages. */
const MESSAGE_CHARS_MAX = 1_500;
const MESSAGES_MAX = 8;
/** Of each call: the file or the command. */
const CALL_CHARS_MAX = 200;
const CALLS_MAX = 40;
/** Of what the model wrote instead of a summary. */
const WROTE_CHARS_MAX = 4_000;

const OPENING =
  'This summary was put together by the runtime from the log, since the model wrote none. It lacks what is not named here: \
look at the files before you rely on it.';

/** Pure. `wrote`: what the model answered instead of a summary. */
export function runtimeSummary(items: readonly Item[], wrote?: string): string {
  const first = items.find((item) => item.kind === 'summary' || item.kind === 'said');
  const parts = [OPENING];
  if (first !== undefined) {
    const what = first.kind === 'summary' ? 'The summary before this one' : 'What the user said first';
    parts.push(`${what}:\n${cut(first.text, FIRST_CHARS_MAX)}`);
  }
  if (wrote !== undefined)
    parts.push(`What you wrote when you were asked for a summary:\n${cut(wrote, WROTE_CHARS_MAX)}`);
  const calls = items.flatMap((item) => (item.kind === 'answer' ? callsOf(item) : [])).slice(-CALLS_MAX);
  if (calls.length > 0) parts.push(`The last calls of tools:\n${calls.join('\n')}`);
  const talk = items
    .filter((item) => item !== first)
    .flatMap(talkOf)
    .slice(-MESSAGES_MAX);
  if (talk.length > 0) parts.push(`What was said last:\n${talk.join('\n')}`);
  return cut(parts.join('\n\n'), SUMMARY_CHARS_MAX);
}

function talkOf(item: Item): readonly string[] {
  if (item.kind === 'said') return [`The user: ${cut(item.text, MESSAGE_CHARS_MAX)}`];
  if (item.kind === 'aborted') return [`You, before you were cut: ${cut(item.text, MESSAGE_CHARS_MAX)}`];
  if (item.kind !== 'answer' || item.stopReason === 'refusal') return [];
  const texts = item.blocks.flatMap((block) => (block.kind === 'text' ? [block.text] : []));
  return texts.length === 0 ? [] : [`You: ${cut(texts.join('\n'), MESSAGE_CHARS_MAX)}`];
}

function callsOf({ tools }: AnswerItem): readonly string[] {
  return tools.map(({ tool, input }) => `${tool} ${cut(subjectOf(input), CALL_CHARS_MAX)}`);
}

/** The file or the command of a call, which says more than the rest of its input. */
function subjectOf(input: unknown): string {
  const fields = new Map(Object.entries(Object(input) as object));
  const subject = fields.get('path') ?? fields.get('command') ?? fields.get('pattern');
  return typeof subject === 'string' ? subject : JSON.stringify(input);
}

/** Head and tail. */
function cut(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text.toWellFormed();
  const half = charsMax / 2;
  return `${text.slice(0, half)}\n[…]\n${text.slice(-half)}`.toWellFormed();
}
