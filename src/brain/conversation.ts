/**
 * The fold of a session's log into all that the brain decides by: where the session stands (sessions/fold.ts, the same
 * fold that the control plane uses), the conversation with the model (transcript.ts), and the calls of the running turn.
 *
 * CONVERSATION-1 Everything here comes from the log: two brains that have read the same events hold the same conversation.
 * CONVERSATION-2 A message of a user takes its place in the conversation at the first model.started that saw it (inputToSeq), so a
 *    request that is made again after a crash is the same request. So do the words of the runtime (notes.ts).
 *    A turn that is canceled takes what it was told with it, marked as stopped: the model must not act on it as if it
 *    had just been said, and has to know it when the user comes back to it.
 * CONVERSATION-3 An answer is in the conversation only once its model.completed is in the log. What was journalled of one that was cut
 *    (`aborted`) is in it when the turn ended there; when the call was made again and completed, it was said anew.
 * CONVERSATION-4 The model is offered the tools that the log says (model.started.tools), whatever this version has (pinned-tools.ts).
 * CONVERSATION-5 What stands in the log before the first tools is of a version that told no news, left nothing out after a refusal, and
 *    asked no silent model to go on. It is read as that version did, so that what the service has cached is found.
 */
import type { Event, RecordedEvent } from '../journal/event.ts';
import { assert } from '../kernel/assert.ts';
import { fold } from '../sessions/fold.ts';
import type { Session } from '../sessions/session.ts';
import type { Assignment } from '../sessions/unit-wire.ts';
import type { WakePlace } from '../sessions/wake-place.ts';
import { Approvals } from './approvals.ts';
import { AnswerDraft, type AnswerEvent } from './answer-draft.ts';
import { type Purpose, purposeOf } from './call-id.ts';
import { specsOf } from './client-tools.ts';
import { COMPACT_AT_EVENTS } from './compaction.ts';
import { Inbox } from './inbox.ts';
import { cutOff, type Item, MODEL_UNAVAILABLE, type OpenToolCall } from './item.ts';
import type { ModelFailureCode, ToolSpec } from './model.ts';
import { continuationOf } from './notes.ts';
import {
  answered,
  NO_PROGRESS,
  type OpenCall,
  retried,
  type ToolEnd,
  type TurnProgress,
} from './progress.ts';
import type { Repairs } from './repairs.ts';
import { PinnedTools } from './pinned-tools.ts';
import { parsedEvent } from './parsed-event.ts';
import { Transcript } from './transcript.ts';
import { unread } from './unread-session.ts';

/** Of the turns that end since the service does not take their request, for nothing that could be repaired. */
const REQUEST_INVALID = 'MODEL_REQUEST_INVALID' satisfies ModelFailureCode;

const REFUSED = 'MODEL_REFUSED' satisfies ModelFailureCode;

export class Conversation {
  readonly #transcript: Transcript;
  #inbox = new Inbox();
  #session: Session;
  #head = 0;
  #throughSeq = 0;
  #progress: TurnProgress = NO_PROGRESS;
  /** Of the newest brain.started: this brain's. */
  #brainSeq = 0;
  readonly #draft = new AnswerDraft();
  readonly #pinned: PinnedTools;
  /** Of the last compaction. */
  #compactedSeq = 0;
  readonly #approvals = new Approvals();
  /** Of the turn.started before which only messages count (sessions/wake-place.ts). */
  #beginsSeq = 0;

  constructor(assignment: Assignment) {
    this.#transcript = new Transcript(assignment.prompt);
    this.#session = unread(assignment);
    this.#pinned = new PinnedTools(specsOf(assignment));
  }

  get session(): Session {
    return this.#session;
  }

  /** The seq of the last event that was read. */
  get head(): number {
    return this.#head;
  }

  get items(): readonly Item[] {
    return this.#transcript.items;
  }

  get repairs(): Repairs {
    return this.#transcript.repairs;
  }

  get progress(): TurnProgress {
    return this.#progress;
  }

  /** CONVERSATION-4 */
  get tools(): readonly ToolSpec[] {
    return this.#pinned.specs;
  }

  /** CONVERSATION-5: whether a call has said its tools. */
  get saysTools(): boolean {
    return this.#pinned.isSaid;
  }

  toolsToSay(purpose: Purpose): readonly ToolSpec[] | undefined {
    return this.#pinned.toSay(purpose);
  }

  /** Size of the context of the next call: as metered last, and an estimate of what has come since. */
  get contextTokens(): number {
    return this.#transcript.size.tokensWith(this.#inbox.joined);
  }

  /** Whether there is anything that a compaction would make shorter. */
  get condensable(): boolean {
    return this.#transcript.condensable;
  }

  /** Whether so much has happened since the last compaction that the next wake would take long. */
  get isLong(): boolean {
    return this.#head - this.#compactedSeq >= COMPACT_AT_EVENTS;
  }

  /** The seq up to which a summary written now would stand for. */
  get throughSeq(): number {
    return this.#throughSeq;
  }

  result(callId: string): ToolEnd | undefined {
    return this.#transcript.result(callId);
  }

  /** Tool calls of the last answer that have not ended. */
  openTools(): readonly OpenToolCall[] {
    const open = (this.#progress.last?.tools ?? []).filter((call) => this.result(call.callId) === undefined);
    return open.map((call) => this.#approvals.open(call, this.#brainSeq));
  }

  /**
   * Goes on at `place` without what is before it. A compaction comes after it, which ends what was read so far; where none does, the
   * model is told that something is missing, and the conversation is condensed at its next call (isLong).
   */
  begin({ after, turnSeq }: WakePlace, assignment: Assignment): void {
    assert(after >= this.#head, 'a brain begins after what it has read');
    this.#head = after;
    this.#beginsSeq = turnSeq;
    this.#session = unread(assignment);
    this.#inbox = new Inbox();
    this.#progress = NO_PROGRESS;
    this.#draft.begin();
    this.#transcript.skip();
  }

  /** Events come dense and in order; one that was read before is passed over. */
  absorb(recorded: RecordedEvent): void {
    if (recorded.seq <= this.#head) return;
    assert(recorded.seq === this.#head + 1, `event ${recorded.seq} follows ${this.#head}`);
    this.#head = recorded.seq;
    const event = parsedEvent(recorded);
    this.#session = fold(this.#session, event) ?? this.#session; // a type of a later version folds to nothing
    if (event.seq >= this.#beginsSeq || event.type === 'user.message') this.#apply(event);
  }

  // oxlint-disable-next-line max-lines-per-function -- one case per event type: the switch is the table
  #apply(event: Event): void {
    switch (event.type) {
      case 'user.message':
        this.#hear(event);
        return;
      case 'turn.started':
        this.#progress = { ...NO_PROGRESS, refusedTurns: this.#progress.refusedTurns };
        this.#inbox.join(event.turnId);
        return;
      case 'model.started':
        this.#start(event);
        return;
      case 'model.retried':
        this.#retry(event);
        return;
      case 'model.usage':
        this.#transcript.metered(event.body);
        return;
      case 'agent.thinking':
      case 'agent.message':
      case 'tool.call':
        this.#write(event);
        return;
      case 'conversation.compacted':
        this.#transcript.restart(event.body.summary, event.seq);
        this.#progress = { ...this.#progress, last: undefined };
        this.#pinned.compacted();
        this.#compactedSeq = event.seq;
        return;
      case 'conversation.repaired': {
        this.#transcript.repairs.apply(event.body);
        const { repairs, condensed } = this.#progress;
        const condenses = event.body.repair === 'condensed';
        this.#progress = { ...this.#progress, repairs: repairs + 1, condensed: condensed || condenses };
        return;
      }
      case 'model.completed':
        this.#complete(event);
        return;
      case 'tool.result': {
        const { body, seq } = event;
        this.#transcript.resulted(body.callId, { outcome: body.outcome, output: body.output, seq });
        this.#throughSeq = seq;
        return;
      }
      case 'error.model': {
        const { code, message } = event.body;
        this.#progress = { ...this.#progress, failure: { code, message } };
        return;
      }
      case 'turn.completed':
        this.#end(event);
        return;
      case 'brain.started':
        this.#brainSeq = event.seq;
        return;
      case 'session.hibernated':
        this.#transcript.slept(event.body);
        return;
      case 'workspace.reverted':
        this.#transcript.reverted(event.body);
        return;
      case 'tool.resolved':
        this.#approvals.apply(event.body, event.seq);
        return;
      case 'tool.requested': // of the session (sessions/fold.ts)
      case 'request.claimed':
      case 'request.released':
      case 'turn.cancel_requested': // of the session (sessions/fold.ts)
      case 'turn.cancel_ignored':
      case 'session.limits_changed':
      case 'budget.threshold_reached':
      case 'error.runtime':
      case 'brain.lost':
      case 'session.archived':
      case 'log.limit_reached':
    }
  }

  #hear(event: Extract<Event, { type: 'user.message' }>): void {
    const { seq, turnId } = event;
    const turn = this.#session.turn;
    const joins = turn?.state === 'running' && turn.id === turnId;
    this.#inbox.hear({ seq, text: event.body.text, turnId }, joins);
  }

  #start(event: Extract<Event, { type: 'model.started' }>): void {
    const { callId, inputToSeq, model } = event.body;
    const { calls, last, onFallback } = this.#progress;
    const purpose = purposeOf(callId);
    this.#progress = {
      ...this.#progress,
      calls: calls + 1,
      open: { callId, purpose, model, failures: 0, refusedAsTooLong: 0, badSummaries: 0, plain: false },
      askedSeq: undefined,
      failure: undefined,
      onFallback: onFallback || model !== undefined,
    };
    this.#draft.begin();
    this.#pinned.started(purpose, event.body);
    if (purpose === 'compaction') return;
    // What the model declined the fallback is asked once more; what the fallback declined stands.
    const isAskedAgain = model !== undefined && !onFallback;
    if (last?.stopReason === 'refusal' && !isAskedAgain && this.saysTools) this.#transcript.retract('answer');
    if (last !== undefined && (this.saysTools || cutOff(last))) this.#transcript.note(continuationOf(last));
    if (this.saysTools) this.#transcript.tellNews();
    else this.#transcript.dropNews(); // CONVERSATION-5
    this.#transcript.say(this.#inbox.take(inputToSeq)); // CONVERSATION-2
    this.#throughSeq = event.seq;
  }

  #end(event: Extract<Event, { type: 'turn.completed' }>): void {
    const { outcome } = event.body;
    const { open } = this.#progress;
    const { cut } = this.#draft;
    if (open?.purpose === 'answer' && cut !== undefined) this.#transcript.cut(cut, outcome); // CONVERSATION-3
    if (this.saysTools) this.#retract(event, cut !== undefined);
    if (outcome === 'canceled') {
      this.#transcript.say(this.#inbox.take(Infinity));
      this.#transcript.canceled(); // CONVERSATION-2
    }
    const refused = event.body.errorCode === REQUEST_INVALID;
    this.#progress = { ...NO_PROGRESS, refusedTurns: refused ? this.#progress.refusedTurns + 1 : 0 };
  }

  /** Some services say a refusal as an error. What people have seen of an answer by then stays, and what it answered with it. */
  #retract({ body }: Extract<Event, { type: 'turn.completed' }>, wasSeen: boolean): void {
    if (this.#progress.last?.stopReason === 'refusal') this.#transcript.retract('answer');
    else if (body.errorCode === REFUSED && !wasSeen) this.#transcript.retract('error');
  }

  #retry({ body, at }: Extract<Event, { type: 'model.retried' }>): void {
    const open = this.#openCall(body.callId);
    if (open !== undefined) this.#progress = { ...this.#progress, open: retried(open, body, at) };
  }

  #write(event: AnswerEvent): void {
    const callId = event.type === 'tool.call' ? event.body.modelCallId : event.body.callId;
    if (this.#openCall(callId) !== undefined) this.#draft.write(event);
    else if (event.type === 'agent.message' && event.body.aborted !== true)
      this.#progress = { ...this.#progress, askedSeq: event.seq };
  }

  #complete(event: Extract<Event, { type: 'model.completed' }>): void {
    const { callId, stopReason } = event.body;
    const open = this.#openCall(callId);
    if (open === undefined) return;
    const answer = this.#draft.complete(this.#session.turnCount, open.model, event.body);
    if (open.purpose === 'compaction') {
      const onFallback = this.#progress.onFallback || stopReason === MODEL_UNAVAILABLE;
      this.#progress = { ...this.#progress, open: undefined, onFallback };
      return;
    }
    this.#progress = answered(this.#progress, answer);
    this.#transcript.answer(answer, callId); // CONVERSATION-3
    this.#throughSeq = event.seq;
  }

  #openCall(callId: string): OpenCall | undefined {
    const open = this.#progress.open;
    return open?.callId === callId ? open : undefined;
  }
}
