/**
 * The fold of a session's log into all that the brain decides by: where the session stands (sessions/fold.ts, the same
 * fold that the control plane uses), the conversation with the model, and the calls of the running turn.
 *
 * C1 Everything here comes from the log: two brains that have read the same events hold the same conversation.
 * C2 A message of a user takes its place in the conversation at the first model.started that saw it (inputToSeq), so a
 *    request that is made again after a crash is the same request.
 *    A turn that is canceled takes what it was told with it, marked as stopped: the model must not act on it as if it
 *    had just been said, and has to know it when the user comes back to it.
 * C3 An answer is in the conversation only once its model.completed is in the log.
 */
import type { Event, RecordedEvent } from '../journal/event.ts';
import { assert } from '../kernel/assert.ts';
import { derivedId, type TurnId } from '../kernel/id.ts';
import { fold } from '../sessions/fold.ts';
import { newSession, type Session } from '../sessions/session.ts';
import type { Assignment } from '../sessions/unit-wire.ts';
import { purposeOf } from './call-id.ts';
import { ContextSize } from './context-size.ts';
import {
  type AnswerItem,
  cutOff,
  type Item,
  keptBlocks,
  type OpenToolCall,
  type ToolCallItem,
} from './item.ts';
import { type AnswerBlock, PROMPT_TOO_LONG } from './model.ts';
import { NO_PROGRESS, type OpenCall, type ToolEnd, type TurnProgress } from './progress.ts';

interface Written {
  readonly blocks: AnswerBlock[];
  readonly tools: ToolCallItem[];
  messageSeq?: number | undefined;
}

export class Conversation {
  readonly #items: Item[] = [];
  readonly #results = new Map<string, ToolEnd>();
  #session: Session;
  #head = 0;
  #throughSeq = 0;
  #progress: TurnProgress = NO_PROGRESS;
  /** Of the newest brain.started: this brain's. */
  #brainSeq = 0;
  readonly #size: ContextSize;
  /** Messages that no model call has seen: of turns that have started, and of the next one. */
  #joined: { readonly seq: number; readonly text: string }[] = [];
  #waiting: { readonly seq: number; readonly text: string; readonly turnId: TurnId | undefined }[] = [];
  #written: Written = { blocks: [], tools: [] };

  constructor(assignment: Assignment) {
    this.#size = new ContextSize(assignment.prompt);
    // The fold looks at the state only; the origin holds what a brain knows of it.
    this.#session = newSession({
      id: assignment.sessionId,
      createdAt: 0,
      agentId: derivedId('agent', assignment.sessionId),
      agentRevision: 1,
      model: assignment.plan.name,
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

  /** Size of the context of the next call: as metered last, and an estimate of what has come since. */
  get contextTokens(): number {
    return this.#size.tokensWith(this.#joined);
  }

  /** Whether there is anything that a compaction would make shorter. */
  get condensable(): boolean {
    return this.#items.some(({ kind }) => kind !== 'summary');
  }

  /** The seq up to which a summary written now would stand for. */
  get throughSeq(): number {
    return this.#throughSeq;
  }

  result(callId: string): ToolEnd | undefined {
    return this.#results.get(callId);
  }

  /** Tool calls of the last answer that have not ended. */
  openTools(): readonly OpenToolCall[] {
    const open = (this.#progress.last?.tools ?? []).filter((call) => !this.#results.has(call.callId));
    return open.map((call) => ({ ...call, inherited: call.seq < this.#brainSeq }));
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
        this.#size.add(event.body.output);
        this.#throughSeq = event.seq;
        return;
      case 'error.model': {
        const { code, message } = event.body;
        this.#progress = { ...this.#progress, failure: { code, message } };
        return;
      }
      case 'turn.completed':
        if (event.body.outcome === 'canceled') this.#cancel();
        this.#progress = NO_PROGRESS;
        return;
      case 'turn.cancel_requested':
      case 'brain.started':
        this.#brainSeq = event.seq;
        return;
      case 'error.runtime':
      case 'brain.lost':
      case 'session.hibernated':
      case 'session.archived':
      case 'log.limit_reached':
      case 'conversation.repaired':
      case 'workspace.reverted':
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
    const { calls, last, emptyCuts, overflows } = this.#progress;
    const open = { callId, purpose, failures: 0, refusedAsTooLong: 0 };
    this.#progress = { calls: calls + 1, last, emptyCuts, overflows, open };
    this.#written = { blocks: [], tools: [] };
    if (purpose === 'compaction') return;
    this.#say(inputToSeq);
    this.#throughSeq = event.seq;
  }

  /** C2: messages up to `toSeq` take their place. */
  #say(toSeq: number): void {
    for (const { seq, text } of this.#joined) {
      if (seq > toSeq) continue;
      this.#items.push({ kind: 'said', text });
      this.#size.add(text);
    }
    this.#joined = this.#joined.filter((message) => message.seq > toSeq);
  }

  #cancel(): void {
    this.#say(Infinity);
    this.#items.push({ kind: 'canceled' }); // C2
  }

  #retry(event: Extract<Event, { type: 'model.retried' }>): void {
    const { callId, attempt, waitMs, code } = event.body;
    const open = this.#openCall(callId);
    if (open === undefined) return;
    this.#progress = {
      ...this.#progress,
      open: {
        ...open,
        failures: attempt,
        refusedAsTooLong: open.refusedAsTooLong + (code === PROMPT_TOO_LONG ? 1 : 0),
        retry: { at: event.at, waitMs },
      },
    };
  }

  #measure(event: Extract<Event, { type: 'model.usage' }>): void {
    const { callId, complete, inputTokens, outputTokens } = event.body;
    if (!complete || purposeOf(callId) === 'compaction') return;
    const { cacheCreationInputTokens, cacheReadInputTokens } = event.body;
    this.#size.meter(callId, inputTokens + outputTokens + cacheCreationInputTokens + cacheReadInputTokens);
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
      tools.push({ callId: id, toolUseId, tool, input, seq: event.seq });
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
    this.#size.restart(event.body.summary);
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
    if (!this.#size.isMetered(callId)) this.#size.add(JSON.stringify(last.blocks));
    const { emptyCuts, overflows } = this.#progress;
    this.#progress = {
      ...this.#progress,
      last,
      emptyCuts: cutOff(last) && keptBlocks(last).length === 0 ? emptyCuts + 1 : 0,
      overflows: stopReason === PROMPT_TOO_LONG ? overflows + 1 : 0,
    };
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
