/**
 * The fold of a session's log into all that the brain decides by: where the session stands (sessions/fold.ts, the same
 * fold that the control plane uses), the conversation with the model, and the calls of the running turn.
 *
 * C1 Everything here comes from the log: two brains that have read the same events hold the same conversation.
 * C2 A message of a user takes its place in the conversation at the first model.started that saw it (inputToSeq), so a
 *    request that is made again after a crash is the same request.
 * C3 An answer is in the conversation only once its model.completed is in the log.
 */
import type { Event, RecordedEvent, ToolOutcome } from '../journal/event.ts';
import { assert } from '../kernel/assert.ts';
import { derivedId, type TurnId } from '../kernel/id.ts';
import { fold } from '../sessions/fold.ts';
import { newSession, type Failure, type Session } from '../sessions/session.ts';
import type { Assignment } from '../sessions/unit-wire.ts';
import { purposeOf, type Purpose } from './call-id.ts';
import type { AnswerBlock } from './model.ts';

export interface ToolCallItem {
  readonly callId: string;
  readonly toolUseId: string;
  readonly tool: string;
  readonly input: unknown;
}

export interface AnswerItem {
  readonly kind: 'answer';
  readonly turn: number;
  readonly blocks: readonly AnswerBlock[];
  readonly tools: readonly ToolCallItem[];
  readonly stopReason: string;
  /** Seq of its last message for the user. */
  readonly messageSeq?: number | undefined;
}

export type Item =
  | { readonly kind: 'said'; readonly text: string }
  | { readonly kind: 'summary'; readonly text: string }
  | AnswerItem;

/** A model call that has started and not ended. */
export interface OpenCall {
  readonly callId: string;
  readonly purpose: Purpose;
  readonly failures: number;
  /** Set after a failure: when it happened, and the wait that was journalled. */
  readonly retry?: { readonly at: number; readonly waitMs: number } | undefined;
}

export interface ToolEnd {
  readonly outcome: ToolOutcome;
  readonly output: string;
}

/** What the running turn has done so far. */
export interface TurnProgress {
  /** Model calls that were started, compactions too. */
  readonly calls: number;
  readonly open?: OpenCall | undefined;
  /** The last answer of this turn that is still in the conversation. */
  readonly last?: AnswerItem | undefined;
  /** Seq of the question that `last` asked. */
  readonly askedSeq?: number | undefined;
  /** Set by error.model: the turn can only end. */
  readonly failure?: Failure | undefined;
}

interface Written {
  readonly blocks: AnswerBlock[];
  readonly tools: ToolCallItem[];
  messageSeq?: number | undefined;
}

const NO_PROGRESS: TurnProgress = { calls: 0 };

export class Conversation {
  readonly #items: Item[] = [];
  readonly #results = new Map<string, ToolEnd>();
  #session: Session;
  #head = 0;
  #throughSeq = 0;
  #progress: TurnProgress = NO_PROGRESS;
  #contextTokens: number | undefined;
  /** Messages that no model call has seen: of turns that have started, and of the next one. */
  #joined: { readonly seq: number; readonly text: string }[] = [];
  #waiting: { readonly seq: number; readonly text: string; readonly turnId: TurnId | undefined }[] = [];
  #written: Written = { blocks: [], tools: [] };

  constructor(assignment: Assignment) {
    // The fold looks at the state only; the origin holds what a brain knows of it.
    this.#session = newSession({
      id: assignment.sessionId,
      createdAt: 0,
      agentId: derivedId('agent', assignment.sessionId),
      agentRevision: 1,
      model: assignment.model,
      limits: assignment.limits,
      requestHash: '',
    });
  }

  get session(): Session {
    return this.#session;
  }

  /** The seq of the last event that was read. */
  get head(): number {
    return this.#head;
  }

  get items(): readonly Item[] {
    return this.#items;
  }

  get progress(): TurnProgress {
    return this.#progress;
  }

  /** Size of the context after the last answer, as metered; undefined when there was none since the last compaction. */
  get contextTokens(): number | undefined {
    return this.#contextTokens;
  }

  /** The seq up to which a summary written now would stand for. */
  get throughSeq(): number {
    return this.#throughSeq;
  }

  result(callId: string): ToolEnd | undefined {
    return this.#results.get(callId);
  }

  /** Tool calls of the last answer that have not ended. */
  openTools(): readonly ToolCallItem[] {
    return (this.#progress.last?.tools ?? []).filter((call) => !this.#results.has(call.callId));
  }

  /** Events come dense and in order; one that was read before is passed over. */
  absorb(recorded: RecordedEvent): void {
    if (recorded.seq <= this.#head) return;
    assert(recorded.seq === this.#head + 1, `event ${recorded.seq} follows ${this.#head}`);
    this.#head = recorded.seq;
    const event = parse(recorded);
    this.#session = fold(this.#session, event) ?? this.#session; // a type of a later version folds to nothing
    this.#apply(event);
  }

  #apply(event: Event): void {
    switch (event.type) {
      case 'user.message':
        this.#hear(event);
        return;
      case 'turn.started':
        this.#progress = NO_PROGRESS;
        this.#join(event.turnId);
        return;
      case 'model.started':
        this.#start(event);
        return;
      case 'model.retried':
        this.#retry(event);
        return;
      case 'model.usage':
        this.#measure(event);
        return;
      case 'agent.thinking':
      case 'agent.message':
      case 'tool.call':
        this.#write(event);
        return;
      case 'conversation.compacted':
        this.#compact(event);
        return;
      case 'model.completed':
        this.#complete(event);
        return;
      case 'tool.result':
        this.#results.set(event.body.callId, { outcome: event.body.outcome, output: event.body.output });
        this.#throughSeq = event.seq;
        return;
      case 'error.model': {
        const { code, message } = event.body;
        this.#progress = { ...this.#progress, failure: { code, message } };
        return;
      }
      case 'turn.completed':
        this.#progress = NO_PROGRESS;
        return;
      case 'turn.cancel_requested':
      case 'error.runtime':
      case 'brain.started':
      case 'brain.lost':
      case 'session.hibernated':
      case 'session.archived':
      case 'log.limit_reached':
        return;
    }
  }

  #hear(event: Extract<Event, { type: 'user.message' }>): void {
    const { seq, turnId } = event;
    const { text } = event.body;
    const turn = this.#session.turn;
    if (turn?.state === 'running' && turn.id === turnId) this.#joined.push({ seq, text });
    else this.#waiting.push({ seq, text, turnId });
  }

  #join(turnId: TurnId | undefined): void {
    this.#joined.push(...this.#waiting.filter((message) => message.turnId === turnId));
    this.#waiting = this.#waiting.filter((message) => message.turnId !== turnId);
  }

  #start(event: Extract<Event, { type: 'model.started' }>): void {
    const { callId, inputToSeq } = event.body;
    const purpose = purposeOf(callId);
    const { calls, last } = this.#progress;
    this.#progress = { calls: calls + 1, last, open: { callId, purpose, failures: 0 } };
    this.#written = { blocks: [], tools: [] };
    if (purpose === 'compaction') return;
    for (const { seq, text } of this.#joined) {
      if (seq <= inputToSeq) this.#items.push({ kind: 'said', text }); // C2
    }
    this.#joined = this.#joined.filter((message) => message.seq > inputToSeq);
    this.#throughSeq = event.seq;
  }

  #retry(event: Extract<Event, { type: 'model.retried' }>): void {
    const { callId, attempt, waitMs } = event.body;
    const open = this.#openCall(callId);
    if (open === undefined) return;
    this.#progress = {
      ...this.#progress,
      open: { ...open, failures: attempt, retry: { at: event.at, waitMs } },
    };
  }

  #measure(event: Extract<Event, { type: 'model.usage' }>): void {
    const { callId, complete, inputTokens, outputTokens } = event.body;
    if (!complete || purposeOf(callId) === 'compaction') return;
    this.#contextTokens =
      inputTokens + outputTokens + event.body.cacheCreationInputTokens + event.body.cacheReadInputTokens;
  }

  #write(event: Extract<Event, { type: 'agent.thinking' | 'agent.message' | 'tool.call' }>): void {
    const callId = event.type === 'tool.call' ? event.body.modelCallId : event.body.callId;
    if (this.#openCall(callId) === undefined) {
      if (event.type === 'agent.message') this.#progress = { ...this.#progress, askedSeq: event.seq };
      return;
    }
    const { blocks, tools } = this.#written;
    if (event.type === 'agent.message') {
      blocks.push({ kind: 'text', text: event.body.text });
      if (event.level === 'user') this.#written.messageSeq = event.seq;
    } else if (event.type === 'tool.call') {
      const { callId: id, toolUseId, tool, input } = event.body;
      blocks.push({ kind: 'tool', toolUseId, tool, input });
      tools.push({ callId: id, toolUseId, tool, input });
    } else {
      const { text, signature, redacted } = event.body;
      blocks.push(
        redacted === undefined ? { kind: 'thinking', text, signature } : { kind: 'redacted', data: redacted },
      );
    }
  }

  #compact(event: Extract<Event, { type: 'conversation.compacted' }>): void {
    this.#items.splice(0, this.#items.length, { kind: 'summary', text: event.body.summary });
    this.#results.clear();
    this.#contextTokens = undefined;
    this.#progress = { ...this.#progress, last: undefined };
  }

  #complete(event: Extract<Event, { type: 'model.completed' }>): void {
    const { callId, stopReason } = event.body;
    const open = this.#openCall(callId);
    if (open === undefined) return;
    this.#progress = { ...this.#progress, open: undefined };
    if (open.purpose === 'compaction') return;
    const last: AnswerItem = { kind: 'answer', turn: this.#session.turnCount, stopReason, ...this.#written };
    this.#items.push(last); // C3
    this.#progress = { ...this.#progress, last };
    this.#throughSeq = event.seq;
  }

  #openCall(callId: string): OpenCall | undefined {
    const open = this.#progress.open;
    return open?.callId === callId ? open : undefined;
  }
}

/** The unit door sends what the journal accepted, with whole bodies; a type of a later version is let through. */
function parse(recorded: RecordedEvent): Event {
  const { body, ...rest } = recorded;
  return { ...rest, body: JSON.parse(body) } as Event; // the journal validated it against EVENTS
}
