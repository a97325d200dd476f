/**
 * A control plane in memory for tests of the brain: the real lifecycle and the real fold over an array. It can crash the
 * brain at any append, before or after the append has landed, and it counts how often each tool really ran.
 */
import { EVENTS } from '../../src/journal/event-catalog.ts';
import { type EventType, type NewEvent, type RecordedEvent } from '../../src/journal/event.ts';
import { parseBody } from '../../src/journal/codec.ts';
import { EpochStale } from '../../src/journal/faults.ts';
import type { ToolResult } from '../../src/hands/wire.ts';
import { Fault } from '../../src/kernel/fault.ts';
import { newId } from '../../src/kernel/id.ts';
import { UnitRefusal, type Unit } from '../../src/brain/unit.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import { fold, type FoldEvent } from '../../src/sessions/fold.ts';
import type { AgentTool } from '../../src/sessions/agent-tool.ts';
import { originTools } from '../../src/sessions/session-tools.ts';
import { newSession, type Limits, type Session } from '../../src/sessions/session.ts';
import { planOf } from '../../src/models/model-table.ts';
import type { ModelSettings } from '../../src/sessions/model-plan.ts';
import { WakeSearch, type WakePlace } from '../../src/sessions/wake-place.ts';
import type { Assignment, UnitAppended, UnitDelta, UnitToolCall } from '../../src/sessions/unit-wire.ts';
import { OURS } from '../support/organisation.ts';

export class Crash extends Error {}

export interface DoubleOptions {
  readonly model?: string;
  readonly settings?: ModelSettings;
  /** A model's name. */
  readonly fallback?: string;
  readonly prompt?: string;
  readonly limits?: Limits;
  /** Those that somebody outside runs. */
  readonly tools?: readonly AgentTool[];
  readonly tool?: (callId: string, call: UnitToolCall, canceled: AbortSignal) => Promise<ToolResult>;
}

export class UnitDouble implements Unit {
  readonly log: RecordedEvent[] = [];
  readonly runs = new Map<string, number>();
  readonly deltas: UnitDelta[] = [];
  readonly canceled: string[] = [];
  /** Keys of appends, in the order in which they were tried. */
  readonly appends: string[] = [];
  /** Called with each append's number, from 1, before and after it lands; throws to crash the brain there. */
  crash: (append: number, when: 'before' | 'after') => void = () => undefined;
  /** Called after each append that wrote something. */
  onEvents: (events: readonly NewEvent[]) => void = () => undefined;
  session: Session;
  readonly #keys = new Map<string, UnitAppended>();
  readonly #results = new Map<string, Promise<ToolResult>>();
  readonly #running = new Map<string, AbortController>();
  readonly #listeners = new Set<() => void>();
  readonly #options: DoubleOptions;
  #tried = 0;

  constructor(options: DoubleOptions = {}) {
    this.#options = options;
    this.session = newSession({
      id: newId('session'),
      organisationId: OURS.id,
      createdAt: 0,
      agentId: newId('agent'),
      agentRevision: 1,
      model: `rehearsal/${options.model ?? 'echo'}`,
      limits: options.limits ?? {},
      ...originTools(options, undefined),
      requestHash: '',
    });
  }

  /** A control plane that stands where `log` does, its tools' results kept. */
  static resumed(from: UnitDouble, upTo: number): UnitDouble {
    const double = new UnitDouble(from.#options);
    double.session = newSession({ ...from.session });
    for (const event of from.log.slice(0, upTo)) double.#put({ ...event, sessionId: from.session.id });
    for (const [callId, result] of from.#results) double.#results.set(callId, result);
    return double;
  }

  assignmentNow(): Assignment {
    const { model = 'echo', prompt = 'Be brief.', limits = {}, settings, fallback, tools } = this.#options;
    return {
      sessionId: this.session.id,
      epoch: this.session.epoch,
      prompt,
      limits,
      tools,
      plan: planOf(model, settings),
      fallback: fallback === undefined ? undefined : planOf(fallback, settings),
      wake: this.#wakePlace(),
    };
  }

  assignment(): Promise<Assignment> {
    return Promise.resolve(this.assignmentNow());
  }

  /** As a door would: refuses by throwing. */
  command(command: Command): UnitAppended {
    const decision = decide(this.session, command);
    if (decision.kind === 'refuse') throw decision.fault;
    const firstSeq = this.log.length + 1;
    if (decision.kind === 'append') {
      for (const event of decision.events) this.#put(this.#recorded(event));
      for (const listener of [...this.#listeners]) listener();
      this.onEvents(decision.events);
    }
    return {
      firstSeq,
      lastSeq: firstSeq + (decision.kind === 'append' ? decision.events.length : 0) - 1,
      replayed: false,
    };
  }

  /** An event of another part: the control plane's. */
  note(event: NewEvent): void {
    this.#put(this.#recorded(event));
    for (const listener of [...this.#listeners]) listener();
  }

  say(text: string, mode: 'queue' | 'steer' | 'interrupt' = 'steer'): void {
    this.command({ kind: 'send', text, mode, actor: { kind: 'human' } });
  }

  read(after: number, to: number, receive: Parameters<Unit['read']>[2]): Promise<void> {
    receive({ events: this.log.slice(after, to), head: this.log.length });
    return Promise.resolve();
  }

  async follow(after: number, receive: Parameters<Unit['follow']>[1], signal: AbortSignal): Promise<void> {
    let read = after;
    const flush = (): void => {
      const events = this.log.slice(read);
      read = this.log.length;
      receive({ events, head: read });
    };
    flush();
    await new Promise<void>((resolve) => {
      const wake = (): void => void setImmediate(() => (signal.aborted ? undefined : flush())); // never inside the append
      this.#listeners.add(wake);
      signal.addEventListener('abort', () => {
        this.#listeners.delete(wake);
        resolve();
      });
      if (signal.aborted) resolve();
    });
  }

  async append({ key, command }: Parameters<Unit['append']>[0]): Promise<UnitAppended> {
    this.appends.push(key);
    this.#tried += 1;
    const number = this.#tried;
    await new Promise(setImmediate);
    this.crash(number, 'before');
    const known = this.#keys.get(key);
    const appended = known === undefined ? this.#refusing(command) : { ...known, replayed: true };
    if (appended.firstSeq <= appended.lastSeq) this.#keys.set(key, appended);
    this.crash(number, 'after');
    return appended;
  }

  postDelta(delta: UnitDelta): Promise<void> {
    this.deltas.push(delta);
    return Promise.resolve();
  }

  runTool(callId: string, call: UnitToolCall, signal: AbortSignal): Promise<ToolResult> {
    let result = this.#results.get(callId);
    if (result === undefined) {
      const canceled = new AbortController();
      this.#running.set(callId, canceled);
      this.runs.set(callId, (this.runs.get(callId) ?? 0) + 1);
      const run = this.#options.tool ?? ((_, { input }) => Promise.resolve(ok(JSON.stringify(input))));
      result = run(callId, call, canceled.signal);
      this.#results.set(callId, result);
    }
    const kept = result;
    return new Promise((resolve, reject) => {
      const left = (): void => reject(new Error('aborted'));
      signal.addEventListener('abort', left, { once: true });
      if (signal.aborted) left();
      void kept.then(resolve, reject).finally(() => signal.removeEventListener('abort', left));
    });
  }

  cancelTool(callId: string): Promise<void> {
    this.canceled.push(callId);
    this.#running.get(callId)?.abort();
    return Promise.resolve();
  }

  /** What happened, without what differs from run to run. */
  story(): readonly string[] {
    return this.log
      .filter(({ type }) => type !== 'brain.started' && type !== 'brain.lost')
      .map(({ type, level, body }) => `${type} ${level} ${body}`);
  }

  bodies<T = Record<string, unknown>>(type: EventType): readonly T[] {
    return this.log.filter((event) => event.type === type).map(({ body }) => JSON.parse(body) as T);
  }

  /** As sessions/wake-place.ts finds it in a log that is read. */
  #wakePlace(): WakePlace | undefined {
    const search = new WakeSearch();
    if (!this.log.toReversed().some((event) => search.see(event)) || search.turn === undefined)
      return undefined;
    const firstCall = this.log.findIndex(({ type }) => type === 'model.started') + 1;
    const beginningTo = search.saysTools ? 0 : firstCall;
    return search.turn.after <= beginningTo ? undefined : { beginningTo, ...search.turn };
  }

  #refusing(command: Command): UnitAppended {
    try {
      if (command.kind === 'record') for (const { type, body } of command.events) parseBody(type, body);
      return this.command(command);
    } catch (error) {
      if (error instanceof Fault) throw new UnitRefusal(error.code, error.message);
      throw error;
    }
  }

  #recorded(event: NewEvent): RecordedEvent {
    const { type, actor, turnId, level = EVENTS[type].level, body } = event;
    const place = { sessionId: this.session.id, seq: this.log.length + 1, at: Date.now() };
    return {
      ...place,
      type,
      level,
      actor,
      ...(turnId === undefined ? {} : { turnId }),
      body: JSON.stringify(body),
    };
  }

  #put(event: RecordedEvent): void {
    this.log.push(event);
    this.session = fold(this.session, { ...event, body: JSON.parse(event.body) } as FoldEvent);
  }
}

export function ok(output: string): ToolResult {
  return { outcome: 'ok', output, exitCode: 0, durationMs: 1 };
}

export function replaced(): UnitRefusal {
  const { code, message } = new EpochStale(1, 2);
  return new UnitRefusal(code, message);
}
