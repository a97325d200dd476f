/**
 * The grammar of one session's log: turns follow each other and end once, each message is in exactly one, each tool call has
 * at most one result, and has it when its turn ends. Told event by event.
 */
import type { RecordedEvent } from '../../src/journal/event.ts';
import type { TurnId } from '../../src/kernel/id.ts';

interface Ports {
  violate(rule: string, what: string): void;
  turnIdOf(number: number): TurnId;
  /** Told after each turn. */
  ended(number: number): void;
  /** The world's time: those in the log are of clocks that may disagree. */
  now(): number;
  /** Milliseconds that a turn has. */
  readonly turnMs: number;
  /** Turns that the session has. */
  readonly turnsMax: number;
}

interface Running {
  readonly number: number;
  /** Seq of the last message that joined, and of the last that a model call has seen. */
  joined: number;
  consumed: number;
  /** How it was asked to end. */
  readonly asked: Set<string>;
  /** By the world's time. */
  readonly startedAt: number;
  readonly startedSeq: number;
  hasAsked: boolean;
  readonly openTools: Set<string>;
}

/** Model calls of one turn (kernel/limit.ts). */
const MODEL_CALLS_MAX = 200;
/** Of a turn that ends while it runs, the brain's own words. */
const OF_A_TURN = new Set([
  'model.started',
  'model.retried',
  'model.completed',
  'agent.thinking',
  'agent.message',
  'tool.call',
  'tool.result',
  'conversation.compacted',
  'conversation.repaired',
  'error.model',
]);

export class TurnRules {
  readonly #ports: Ports;
  #number = 0;
  #running: Running | undefined;
  #pending: number[] = [];
  readonly #tools = new Map<string, number>();
  #modelCalls = 0;
  /** Seq of a turn that ended as canceled though nobody had asked: an archive does that, right before itself. */
  #endedForArchive: number | undefined;
  #isClosed = false;
  /** An archive may follow, once (JOURNAL-6). */
  #isFull = false;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  get turn(): number {
    return this.#number;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  event(event: RecordedEvent, body: unknown): void {
    const of = body as Readonly<Record<string, string & number>>; // fields of event-catalog.ts, looked at where the type has them
    const isLast = this.#isFull && event.type === 'session.archived';
    if (this.#isClosed && event.type !== 'model.usage' && !isLast)
      return this.#violate('an archived log has ended', event);
    if (OF_A_TURN.has(event.type) && event.turnId !== this.#turnId())
      this.#violate('words belong to the running turn', event);
    if (this.#endedForArchive !== undefined && event.type !== 'session.archived')
      this.#violate('a turn is canceled when somebody asks', event);
    this.#endedForArchive = undefined;
    switch (event.type) {
      case 'user.message':
        return this.#message(event, String(of['mode']));
      case 'turn.started':
        return this.#started(event, of);
      case 'turn.cancel_requested':
        if (this.#running === undefined) return this.#violate('a cancel is of a running turn', event);
        this.#running.asked.add('canceled');
        return;
      case 'model.started':
        if (this.#running !== undefined) this.#running.consumed = Number(of['inputToSeq']);
        this.#modelCalls += 1;
        return;
      case 'tool.call':
        if (this.#tools.has(String(of['callId']))) this.#violate('tool calls have ids of their own', event);
        this.#tools.set(String(of['callId']), 0);
        this.#running?.openTools.add(String(of['callId']));
        return;
      case 'tool.result': {
        const results = (this.#tools.get(String(of['callId'])) ?? 1) + 1; // a result without its call is one too many
        this.#tools.set(String(of['callId']), results);
        if (results !== 1) this.#violate('a tool call has one result', event);
        this.#running?.openTools.delete(String(of['callId']));
        if (this.#running !== undefined && of['tool'] === 'ask' && of['outcome'] === 'ok')
          this.#running.hasAsked = true;
        return;
      }
      case 'turn.completed':
        return this.#completed(event, of);
      case 'session.archived':
      case 'log.limit_reached':
        this.#isClosed = true;
        this.#isFull = event.type === 'log.limit_reached';
        if (this.#running !== undefined && !isLast && event.type === 'session.archived')
          this.#violate('an archive ends the turn first', event);
    }
  }

  /** Once nothing happens any more. */
  rest(): void {
    if (this.#isClosed) return;
    if (this.#running !== undefined) this.#ports.violate('a turn ends', `turn ${this.#number} still runs`);
    if (this.#pending.length > 0)
      this.#ports.violate('a message is in a turn', `seq ${this.#pending.join(', ')} waits`);
  }

  #message(event: RecordedEvent, mode: string): void {
    const running = this.#running;
    if (running !== undefined && event.turnId === this.#turnId()) {
      if (mode !== 'steer' || running.asked.size > 0) this.#violate('only steering joins a turn', event);
      running.joined = event.seq;
      return;
    }
    if (event.turnId !== this.#ports.turnIdOf(this.#number + 1))
      this.#violate('a message is in the next turn', event);
    if (running !== undefined && mode === 'interrupt') running.asked.add('interrupted');
    this.#pending.push(event.seq);
  }

  #started(event: RecordedEvent, of: Readonly<Record<string, unknown>>): void {
    if (this.#running !== undefined || of['number'] !== this.#number + 1)
      this.#violate('turns follow each other', event);
    if (of['inputFromSeq'] !== this.#pending[0] || of['inputToSeq'] !== this.#pending.at(-1))
      this.#violate('a turn takes up all that waits', event);
    this.#number += 1;
    const joined = this.#pending.at(-1) ?? 0;
    this.#running = {
      number: this.#number,
      joined,
      consumed: 0,
      asked: new Set(),
      startedAt: this.#ports.now(),
      startedSeq: event.seq,
      hasAsked: false,
      openTools: new Set(),
    };
    this.#modelCalls = 0;
    this.#pending = [];
    if (event.turnId !== this.#turnId()) this.#violate('a turn has its own id', event);
  }

  #completed(event: RecordedEvent, of: Readonly<Record<string, unknown>>): void {
    const running = this.#running;
    if (running === undefined || of['number'] !== running.number)
      return this.#violate('a turn ends once', event);
    const outcome = String(of['outcome']);
    if (running.openTools.size > 0) this.#violate('a turn ends after its tool calls', event);
    const isSeen = running.joined <= running.consumed;
    if ((outcome === 'completed' || outcome === 'needs_input') && !isSeen && running.asked.size === 0)
      this.#violate('what joined a turn was seen by the model', event);
    if (!this.#isRight(running, outcome, event, of)) this.#violate('a turn ends as it says', event);
    this.#running = undefined;
    this.#ports.ended(running.number);
  }

  /** Whether what led to the turn's end is in the log. */
  #isRight(
    running: Running,
    outcome: string,
    { seq }: RecordedEvent,
    of: Readonly<Record<string, unknown>>,
  ): boolean {
    const { now, turnMs, turnsMax } = this.#ports;
    switch (outcome) {
      case 'canceled':
        if (running.startedSeq === seq - 1 || running.asked.has('canceled')) return true;
        this.#endedForArchive = seq;
        return true;
      case 'interrupted':
        return running.asked.has('interrupted');
      case 'deadline_exceeded':
        return now() - running.startedAt >= turnMs;
      case 'max_turns':
        return running.number > turnsMax || this.#modelCalls >= MODEL_CALLS_MAX;
      case 'needs_input':
        return running.hasAsked;
      case 'error':
        return of['errorCode'] !== undefined;
      default:
        return outcome === 'completed' && this.#modelCalls > 0;
    }
  }

  #turnId(): TurnId | undefined {
    return this.#running === undefined ? undefined : this.#ports.turnIdOf(this.#running.number);
  }

  #violate(rule: string, { seq, type, body }: RecordedEvent): void {
    this.#ports.violate(rule, `seq ${seq} ${type} ${body.slice(0, 200)}`);
  }
}
