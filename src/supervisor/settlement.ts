/**
 * What a slot writes once its brain has ended, and what it does before that.
 *
 * SLOT-3 What the slot writes about its brain carries the brain's epoch: a slot that was replaced writes nothing.
 * SETTLE-1 Each end is one append (sessions/brain-end.ts): a crash leaves all of it or nothing. A session that has nothing to do after
 *          it holds no lease.
 * SETTLE-2 Before a turn ends for its brain, its commands have ended, or were given the time to, and its files are kept as they are then.
 */
import { never } from '../kernel/assert.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import type { TurnOutcome } from '../journal/event-catalog.ts';
import type { LeftBehind } from '../sessions/brain-end.ts';
import { wantsBrain } from '../sessions/lifecycle.ts';
import type { Session } from '../sessions/session.ts';
import type { SessionRuns } from '../sessions/session-runs.ts';
import type { ToolEnd } from '../sessions/turn-events.ts';
import type { Judgement } from './judgement.ts';
import { LOSSES_MAX } from './limit.ts';
import { logPlaceOf } from './log-place.ts';
import { type DraftOf, unfinishedEvents, unfinishedIn } from './unfinished.ts';
import type { Workbench } from './workbench.ts';

export interface SettlementPorts {
  readonly sessions: SessionRuns;
  readonly workbench: Pick<Workbench, 'cancelAll' | 'checkpoint' | 'background'>;
  readonly logger: Logger;
  readonly draftOf: DraftOf;
  /** A brain was lost, and this is the loss of that number in a row: how long the next one is waited for. */
  readonly retryInMs: (attempt: number) => number;
}

/** Why the watch over a brain ended. */
export type Outcome = Exclude<Judgement, { kind: 'wait' | 'idle' }> | { readonly kind: 'hibernated' };

export class Settlement {
  readonly #sessionId: SessionId;
  readonly #ports: SettlementPorts;

  constructor(sessionId: SessionId, ports: SettlementPorts) {
    this.#sessionId = sessionId;
    this.#ports = ports;
  }

  /** Writes what the end of the brain means (SLOT-3); answers whether the slot looks at the session again. */
  async settle(outcome: Outcome, epoch: number): Promise<'again' | 'done'> {
    switch (outcome.kind) {
      case 'lost':
        await this.#lose(outcome.how, epoch);
        return 'again';
      case 'deadline':
        await this.#endTurn(outcome.turn, 'deadline_exceeded', epoch);
        return 'again';
      case 'stopOverdue':
        await this.#endTurn(outcome.turn, outcome.outcome, epoch);
        return 'again';
      case 'shutdown':
        await this.#shutDown(epoch);
        return 'done';
      case 'hibernated':
      case 'replaced':
        return 'done';
      default:
        return never(outcome);
    }
  }

  /** False when a message came in between: the brain stays. */
  async hibernate(epoch: number): Promise<boolean> {
    const { sessions, workbench } = this.#ports;
    const processes = await workbench.background(this.#sessionId);
    const command = { kind: 'hibernate', processes } as const;
    const { firstSeq, lastSeq } = await sessions.supervise(this.#sessionId, command, epoch);
    return lastSeq >= firstSeq;
  }

  /** Brains that keep dying end the turn. */
  async #lose(how: string, epoch: number): Promise<void> {
    const { sessions, logger, draftOf } = this.#ports;
    const { session } = await sessions.get(this.#sessionId);
    const attempt = session.losses + 1;
    const retryInMs = wantsBrain(session) ? this.#ports.retryInMs(attempt) : 0;
    if (wantsBrain(session)) logger.warn('brain lost', { epoch, how, attempt, retryInMs });
    const goesOn = wantsBrain(session) && attempt < LOSSES_MAX;
    const left = goesOn ? { said: unfinishedIn(session, draftOf) } : await this.#endTurnOf(session);
    const lost = { kind: 'loseBrain', reason: how, attemptMax: LOSSES_MAX, retryInMs, ...left } as const;
    await sessions.supervise(this.#sessionId, lost, epoch);
  }

  async #endTurnOf(session: Session): Promise<LeftBehind> {
    return this.#leftBehind(wantsBrain(session) ? await this.#endTools(session.turnCount, 'error') : []);
  }

  /** Ends a turn for its brain, and what its tools still do; nothing when another turn runs by now. */
  async #endTurn(number: number, outcome: TurnOutcome, epoch: number): Promise<void> {
    const results = await this.#endTools(number, outcome);
    const left = await this.#leftBehind(results);
    const command = { kind: 'endTurn', number, outcome, ...left } as const;
    await this.#ports.sessions.supervise(this.#sessionId, command, epoch);
  }

  /** SETTLE-2; answers the results of what has ended. */
  async #endTools(turn: number, outcome: TurnOutcome): Promise<readonly ToolEnd[]> {
    const { sessions, workbench } = this.#ports;
    const results = await workbench.cancelAll(this.#sessionId);
    const place = logPlaceOf(await sessions.get(this.#sessionId), turn);
    await workbench.checkpoint(this.#sessionId, place, outcome);
    return results;
  }

  async #leftBehind(results: readonly ToolEnd[]): Promise<LeftBehind> {
    const { sessions, workbench, draftOf } = this.#ports;
    const { session } = await sessions.get(this.#sessionId);
    const processes = await workbench.background(this.#sessionId);
    return { said: unfinishedIn(session, draftOf), results, processes };
  }

  /** The server ends, perhaps in the middle of a message, or while commands run in the background, which the model is to know. */
  async #shutDown(epoch: number): Promise<void> {
    const { sessions, workbench, draftOf } = this.#ports;
    const { session } = await sessions.get(this.#sessionId);
    const events = unfinishedEvents(session, draftOf);
    if (events.length > 0) await sessions.supervise(this.#sessionId, { kind: 'record', events }, epoch);
    else if (!wantsBrain(session) && (await workbench.background(this.#sessionId)) > 0)
      await this.hibernate(epoch);
  }
}
