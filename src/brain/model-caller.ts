/**
 * One attempt of the open model call, and what of it is to be appended: an answer or a summary, another attempt, a repair, a
 * change to the fallback model, or the end of the turn. Nothing is appended here.
 */
import type { NewEvent } from '../journal/event.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import { abortedEvent, type Said } from '../sessions/turn-events.ts';
import type { Turn } from '../sessions/session.ts';
import type { Assignment } from '../sessions/unit-wire.ts';
import { Attempt } from './attempt.ts';
import type { ToolInputs } from './client-tools.ts';
import { charsOf, SUMMARY_SHRINKS_MAX, SUMMARY_TRIES_MAX } from './compaction.ts';
import { lostSummary } from './compaction-failure.ts';
import type { Conversation } from './conversation.ts';
import { MODEL_UNAVAILABLE } from './item.ts';
import {
  answerEvents,
  completedEvent,
  errorEvent,
  failureEvent,
  requestOf,
  retriedEvent,
  type RetryPace,
  summaryEvents,
  unwritable,
} from './model-call.ts';
import { messagesOf } from './messages.ts';
import { ModelFailure, type Model, type ModelFailureCode } from './model.ts';
import { type OpenCall, SUMMARY_INVALID } from './progress.ts';
import { remedyFor } from './repair.ts';
import { runtimeSummary } from './runtime-summary.ts';
import type { Unit } from './unit.ts';

/** The code of model.retried after a repair. */
const REPAIRED = 'repaired';
/** The stop reason of a compaction that the runtime has done. */
const BY_RUNTIME = 'runtime_summary';
/** Turns in a row that ended with a refused request, after which a summary holds nothing of the conversation. */
const REFUSED_TURNS_MAX = 2;
/** Another model may do where this one is not to be had. */
const FALLS_BACK: ReadonlySet<ModelFailureCode> = new Set<ModelFailureCode>([
  'MODEL_UNKNOWN',
  'MODEL_OVERLOADED',
  'MODEL_RATE_LIMITED',
  'MODEL_UNAVAILABLE',
  'MODEL_REFUSED',
]);
/** The service's word for a key that may not use this model, and perhaps another one. */
const NOT_PERMITTED = 'permission_error';

export interface ModelCallerPorts {
  readonly model: Model;
  readonly unit: Unit;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of a session whose agent declares tools. */
  readonly inputs?: ToolInputs | undefined;
}

/** `what`: the key of the append, after the call's id. */
interface Appended {
  readonly kind: 'append';
  readonly what: string;
  readonly events: readonly NewEvent[];
}

export type Outcome =
  /** The step was made moot: nothing is to be written for it. */
  { readonly kind: 'moot' } | Appended | { readonly kind: 'outOfBudget'; readonly message: string };

export class ModelCaller {
  readonly #ports: ModelCallerPorts;
  readonly #assignment: Assignment;
  readonly #conversation: Conversation;
  readonly #pace: RetryPace;
  #attempt: Attempt | undefined;

  constructor(ports: ModelCallerPorts, assignment: Assignment, conversation: Conversation, pace: RetryPace) {
    this.#ports = ports;
    this.#assignment = assignment;
    this.#conversation = conversation;
    this.#pace = pace;
  }

  /** What people have seen of the open call, when it has not ended: for the append that ends its turn. */
  get said(): Said | undefined {
    const { open } = this.#conversation.progress;
    return open === undefined ? undefined : this.#saidOf(open);
  }

  /** Rejects when the unit endpoint refuses, or with what is no failure of a model. */
  async call(turn: Turn, call: OpenCall, contextWindow: number, wanted: AbortSignal): Promise<Outcome> {
    const { clock, logger } = this.#ports;
    if (call.retry !== undefined) {
      const { at, waitMs } = call.retry;
      await clock.sleep(Math.min(Math.max(at + waitMs - clock.now(), 0), waitMs), wanted);
    }
    if (wanted.aborted) return { kind: 'moot' };
    if (call.badSummaries >= SUMMARY_TRIES_MAX || call.refusedAsTooLong >= SUMMARY_SHRINKS_MAX)
      return this.#summarize(turn, call);
    const { throughSeq } = this.#conversation;
    const request = requestOf(this.#assignment, this.#conversation, call, contextWindow);
    this.#attempt = new Attempt(call.callId, this.#attempt?.said);
    try {
      const answer = await this.#attempt.make(this.#ports, request, wanted);
      const events =
        call.purpose === 'answer'
          ? answerEvents(turn.id, call.callId, answer, this.#ports.inputs?.checks())
          : summaryEvents(turn.id, call.callId, answer, throughSeq, charsOf(messagesOf(this.#conversation)));
      return { kind: 'append', what: 'completed', events };
    } catch (error) {
      if (wanted.aborted) return { kind: 'moot' };
      if (!(error instanceof ModelFailure)) throw error;
      logger.info('model call failed', { callId: call.callId, code: error.code, type: error.type });
      return this.#failed(turn, call, error);
    }
  }

  /** Instead of an answer that the journal refuses; what is no summary for that may be followed by one. */
  unwritable(turn: Turn, call: OpenCall, reason: string): Appended {
    const failure = unwritable(reason);
    if (call.purpose === 'compaction' && call.badSummaries < SUMMARY_TRIES_MAX)
      return this.#again(turn, call, failure, SUMMARY_INVALID);
    const events = this.#final(turn, call, errorEvent(turn.id, failure, failure.message));
    return { kind: 'append', what: 'failed', events };
  }

  #failed(turn: Turn, call: OpenCall, failure: ModelFailure): Outcome {
    const { code, message } = failure;
    if (code === 'BUDGET_EXCEEDED') return { kind: 'outOfBudget', message };
    const remedy = remedyFor(turn.id, call, failure, this.#conversation);
    if (remedy?.kind === 'again') return this.#again(turn, call, failure, REPAIRED, remedy.events);
    if (remedy?.kind === 'condense') {
      const ended = this.#final(turn, call, completedEvent(turn.id, call.callId, remedy.stopReason));
      return { kind: 'append', what: 'completed', events: [...remedy.events, ...ended] };
    }
    const lost = lostSummary(call, failure, this.#conversation.progress);
    if (lost !== undefined) return this.#again(turn, call, failure, lost);
    const event = failureEvent(turn.id, call, failure, this.#pace);
    if (event.type === 'model.retried')
      return { kind: 'append', what: `retried/${call.failures + 1}`, events: [event] };
    if (event.type === 'model.completed')
      return { kind: 'append', what: 'completed', events: this.#final(turn, call, event) };
    const { fallback } = this.#assignment;
    if (
      (FALLS_BACK.has(code) || failure.type === NOT_PERMITTED) &&
      fallback !== undefined &&
      call.model === undefined
    ) {
      const ended = completedEvent(turn.id, call.callId, MODEL_UNAVAILABLE);
      return { kind: 'append', what: 'completed', events: this.#final(turn, call, ended) };
    }
    if (code !== 'MODEL_REQUEST_INVALID' || !this.#conversation.progress.condensed)
      return { kind: 'append', what: 'failed', events: this.#final(turn, call, event) };
    const hopeless = `${message} The conversation was condensed, and is refused still: send another message to go on without it, or start a new session.`;
    const events = this.#final(turn, call, errorEvent(turn.id, failure, hopeless));
    return { kind: 'append', what: 'failed', events };
  }

  /** The call is made again at once, after what `first` does to the conversation. */
  #again(
    turn: Turn,
    call: OpenCall,
    failure: ModelFailure,
    code: string,
    first: readonly NewEvent[] = [],
  ): Appended {
    const events = [...first, retriedEvent(turn.id, call, failure, 0, code)];
    return { kind: 'append', what: `retried/${call.failures + 1}`, events };
  }

  /** The call ends with `event` and without an answer; what people have seen of it is kept before that. */
  #final(turn: Turn, call: OpenCall, event: NewEvent): readonly NewEvent[] {
    const said = this.#saidOf(call);
    const aborted = said === undefined ? undefined : abortedEvent(turn.id, said);
    return aborted === undefined ? [event] : [aborted, event];
  }

  #saidOf({ callId }: OpenCall): Said | undefined {
    const said = this.#attempt?.said;
    return said?.callId === callId ? said : undefined;
  }

  /** The model wrote no summary: the runtime does. */
  #summarize(turn: Turn, { callId, wrote }: OpenCall): Outcome {
    const { items, progress, repairs, throughSeq } = this.#conversation;
    // Whatever is refused stood in what was left of the conversation before, so nothing of that is left this time.
    const isHopeless = progress.refusedTurns >= REFUSED_TURNS_MAX;
    const kept = isHopeless ? [] : items.filter((item) => !('seq' in item && repairs.isReplaced(item.seq)));
    const compacted: NewEvent = {
      type: 'conversation.compacted',
      actor: { kind: 'system' },
      turnId: turn.id,
      body: { callId, summary: runtimeSummary(kept, wrote), throughSeq, made: 'runtime' },
    };
    const events = [compacted, completedEvent(turn.id, callId, BY_RUNTIME)];
    return { kind: 'append', what: 'completed', events };
  }
}
