/**
 * A session's frames as text for a terminal: what the agent says as it says it, what it does as one line each. The terminal obeys none of
 * it (TERMINAL-1), and no line of it is endless.
 */
import type { Frame } from '../client/follow.ts';
import { visible } from '../kernel/visible.ts';

type Event = Extract<Frame, { __typename?: 'EventBatch' }>['events'][number];

/** Of an event and of a line of output: one line of a wide terminal. */
const LINE_CHARS_MAX = 110;
/** Of the output of a tool: enough to see how it went. */
const OUTPUT_LINES_MAX = 8;
/** Of what is said in one line: long paragraphs fit, a file without ends of lines does not fill the screen for minutes. */
const SAID_LINE_CHARS_MAX = 4_000;
/** Of the runtime's own business, what a person wants to see. */
const QUIET = new Set(['model.started', 'model.usage', 'model.completed', 'agent.thinking', 'user.message']);

export class Narration {
  readonly #write: (text: string) => void;
  readonly #startedAt = Date.now();
  /** The last model call whose words were shown as they came, and those words. */
  #spoken: { readonly callId: string; text: string } | undefined;
  #midLine = false;
  /** Characters that were said since the last end of a line. */
  #column = 0;

  constructor(write: (text: string) => void) {
    this.#write = (text) => write(visible(text)); // TERMINAL-1: whatever it is, and wherever it comes from
  }

  title(text: string): void {
    this.#endMessage();
    this.#write(`\n${text}\n\n`);
  }

  step(text: string): void {
    this.#endMessage();
    this.#write(`\n>>> ${text}\n\n`);
  }

  line(text: string): void {
    this.#endMessage();
    this.#write(`${text}\n`);
  }

  frame(frame: Frame): void {
    if (frame.__typename === 'MessageDelta') this.#delta(frame.callId, frame.offset, frame.text);
    if (frame.__typename !== 'EventBatch') return;
    for (const event of frame.events) this.#event(event);
  }

  #delta(callId: string, offset: number, text: string): void {
    if (this.#spoken?.callId !== callId || offset < this.#spoken.text.length) {
      this.#endMessage();
      this.#spoken = { callId, text: ' '.repeat(offset) };
    }
    if (!this.#midLine) this.#write(`${this.#clock()}  agent  `);
    this.#midLine = true;
    this.#say(text);
    this.#spoken.text += text;
  }

  /** Goes on in the line; what is longer than a line may be is left out up to its end. */
  #say(text: string): void {
    for (const [at, line] of text.replaceAll('\r\n', '\n').split('\n').entries()) {
      if (at > 0) {
        this.#write('\n');
        this.#column = 0;
      }
      const room = SAID_LINE_CHARS_MAX - this.#column;
      if (room > 0 && line !== '') this.#write(line.length > room ? `${line.slice(0, room)}…` : line);
      this.#column += line.length;
    }
  }

  #event(event: Event): void {
    if (event.__typename === 'AgentMessage') {
      const { callId, text } = event;
      if (this.#spoken?.callId !== callId) this.#said('agent', text);
      else if (this.#midLine) this.#say(unsaid(this.#spoken.text, text)); // shown as it was written, but for the last pieces
      if (event.aborted === true) this.line('        (unfinished)');
      if (event.retracted === true) this.line('        (taken back by the model service)');
      return;
    }
    if (event.__typename === 'UserMessage') return this.#said('you', event.text);
    if (QUIET.has(event.type)) return;
    this.#endMessage();
    this.#write(`${this.#clock()}  ${String(event.seq).padStart(4)}  ${event.type}  ${cut(detail(event))}\n`);
    if (event.__typename === 'ToolResult') this.#write(indented(event.output));
  }

  #said(who: string, text: string): void {
    this.#endMessage();
    this.#write(`${this.#clock()}  ${who}  `);
    this.#say(text);
    this.#write('\n');
    this.#column = 0;
  }

  #endMessage(): void {
    if (this.#midLine) this.#write('\n');
    this.#midLine = false;
    this.#column = 0;
  }

  #clock(): string {
    return `${((Date.now() - this.#startedAt) / 1000).toFixed(1).padStart(6)}s`;
  }
}

/** What of `text` has not been spoken yet: `spoken` ends with the beginning of it, or holds all of it. */
function unsaid(spoken: string, text: string): string {
  if (spoken.includes(text)) return '';
  let known = Math.min(spoken.length, text.length);
  while (!spoken.endsWith(text.slice(0, known))) known -= 1;
  return text.slice(known);
}

function detail(event: Event): string {
  switch (event.__typename) {
    case 'ToolCall':
      return `${event.tool} ${JSON.stringify(event.input)}`;
    case 'ToolResult':
      return `${event.toolOutcome.toLowerCase()}${event.exitCode === null || event.exitCode === undefined ? '' : `, exit code ${event.exitCode}`}`;
    case 'ToolRequested':
      return `${event.tool} ${JSON.stringify(event.input)} waits ${event.requestKind === 'CLIENT' ? 'for who runs it' : 'to be approved'} (call ${event.callId})`;
    case 'ToolResolved': {
      const { tool, resolution, said } = event;
      return `${tool} ${resolution.toLowerCase()}${said === null || said === undefined ? '' : `: ${said}`}`;
    }
    case 'TurnStarted':
      return `turn ${event.number}`;
    case 'TurnCompleted':
      return `turn ${event.number}: ${event.turnOutcome.toLowerCase()}`;
    case 'BrainLost':
      return event.reason;
    case 'BrainStarted':
      return `epoch ${event.epoch}`;
    default:
      return event.type === 'session.hibernated' ? 'brain and hands have ended; log and workspace stay' : '';
  }
}

function indented(output: string): string {
  const lines = output.trimEnd().split(/\r?\n/);
  const shown = lines.slice(0, OUTPUT_LINES_MAX).map((line) => `               | ${cut(line)}\n`);
  return (
    shown.join('') +
    (lines.length > OUTPUT_LINES_MAX
      ? `               | … ${lines.length - OUTPUT_LINES_MAX} more lines\n`
      : '')
  );
}

function cut(text: string): string {
  const line = visible(text.slice(0, LINE_CHARS_MAX).replaceAll('\n', ' ')); // before it is measured: an escape becomes four characters
  return line.length <= LINE_CHARS_MAX && text.length <= LINE_CHARS_MAX
    ? line
    : `${line.slice(0, LINE_CHARS_MAX - 1)}…`;
}
