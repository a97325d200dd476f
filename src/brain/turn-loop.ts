/**
 * The brain: reads the log, asks brain/resume.ts for the next step, performs it, waits until the log shows it, asks again.
 *
 * TURN-1 Every step ends in one append under a key that is derived from the step, so a step that is performed again after a
 *    crash writes nothing new (JOURNAL-5).
 * TURN-2 No decision is taken before the log has been read to where it was when the brain came, and none after an append
 *    before that append has been read back.
 * TURN-3 A step that the log makes pointless (the turn was stopped or ended elsewhere) is aborted at once.
 * TURN-4 A brain that was replaced, or whose session is closed, ends without a word.
 */
import type { NewEvent } from '../journal/event.ts';
import { assert } from '../kernel/assert.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { ModelPlan } from '../sessions/model-plan.ts';
import type { Turn } from '../sessions/session.ts';
import type { Assignment, UnitCommand } from '../sessions/unit-wire.ts';
import type { ToolInputs } from './client-tools.ts';
import { LogView } from './log-view.ts';
import { RETRY_PACE, type RetryPace } from './model-call.ts';
import { ModelCaller } from './model-caller.ts';
import type { Model } from './model.ts';
import { nextStep, type Step } from './resume.ts';
import { canceledEvents, resultEvents, runTools, unwritableResult } from './tool-calls.ts';
import { isInvalid, type Unit, UnitRefusal } from './unit.ts';

export interface BrainPorts {
  readonly unit: Unit;
  readonly model: Model;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Checks calls of the tools that the agent declares; without it they are as the model writes them. */
  readonly inputs?: ToolInputs | undefined;
}

export interface BrainOptions {
  readonly retryPace?: RetryPace | undefined;
}

/** Works until `signal` aborts (`stopped`) or there is nothing to do here any more (`replaced`); rejects otherwise. */
export async function runBrain(
  ports: BrainPorts,
  assignment: Assignment,
  signal: AbortSignal,
  options: BrainOptions = {},
): Promise<'stopped' | 'replaced'> {
  const stop = new AbortController();
  const all = AbortSignal.any([signal, stop.signal]);
  const view = new LogView(assignment);
  let failed: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    if (!all.aborted) failed ??= { error };
    stop.abort();
  };
  const following = view.read(ports.unit, all).catch(fail);
  await new TurnLoop(ports, assignment, view, options).run(all).catch(fail);
  stop.abort();
  await following;
  if (failed === undefined) return signal.aborted ? 'stopped' : 'replaced';
  if (failed.error instanceof UnitRefusal && failed.error.final) return 'replaced'; // TURN-4
  throw failed.error;
}

class TurnLoop {
  readonly #ports: BrainPorts;
  readonly #assignment: Assignment;
  readonly #view: LogView;
  readonly #caller: ModelCaller;

  constructor(ports: BrainPorts, assignment: Assignment, view: LogView, options: BrainOptions) {
    this.#ports = ports;
    this.#assignment = assignment;
    this.#view = view;
    const pace = options.retryPace ?? RETRY_PACE;
    this.#caller = new ModelCaller(ports, assignment, view.conversation, pace);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#view.until(() => this.#view.caughtUp, signal); // TURN-2
    while (!signal.aborted) {
      const step = this.#next();
      if (step.kind === 'end') return;
      this.#ports.logger.debug('step', { step: step.kind, head: this.#view.conversation.head });
      await this.#perform(step, signal);
    }
  }

  async #perform(step: Exclude<Step, { kind: 'end' }>, signal: AbortSignal): Promise<void> {
    switch (step.kind) {
      case 'wait': {
        const { head } = this.#view.conversation;
        return this.#view.until(() => this.#view.conversation.head > head, signal);
      }
      case 'beginTurn': {
        await this.#append(`t${step.number}/started`, { kind: 'beginTurn' }, signal);
        // When the turn was canceled before it began, the log says so soon.
        return this.#view.until(() => this.#session.turnCount >= step.number || this.#ended, signal);
      }
      case 'startCall': {
        const { turn, callId, inputToSeq, tools, model } = step;
        const event: NewEvent = {
          type: 'model.started',
          actor: { kind: 'system' },
          turnId: turn.id,
          body: {
            callId,
            inputToSeq,
            ...(tools === undefined ? {} : { tools }),
            ...(model === undefined ? {} : { model }),
          },
        };
        return this.#record(turn, `${callId}/started`, [event], signal);
      }
      case 'callModel':
        return this.#whileWanted(step.turn, signal, (wanted) => this.#callModel(step, wanted, signal));
      case 'runTools':
        return this.#whileWanted(step.turn, signal, (wanted) => this.#runTools(step, wanted, signal));
      case 'giveUp': {
        const { turn, failure } = step;
        const event: NewEvent = {
          type: 'error.model',
          actor: { kind: 'system' },
          turnId: turn.id,
          body: { ...failure, retriable: false },
        };
        return this.#record(turn, `t${turn.number}/gaveUp`, [event], signal);
      }
      case 'cancelTools':
        return this.#cancelTools(step, signal);
      case 'finish':
        return this.#finish(step, signal);
    }
  }

  #next(): Step {
    const { outputTokensMax } = this.#plan;
    const fallback = this.#assignment.fallback?.name;
    return nextStep(this.#view.conversation, this.#contextWindow, { outputTokensMax, fallback });
  }

  async #callModel(
    { turn, call }: Extract<Step, { kind: 'callModel' }>,
    wanted: AbortSignal,
    signal: AbortSignal,
  ): Promise<void> {
    const outcome = await this.#caller.call(turn, call, this.#contextWindow, wanted);
    switch (outcome.kind) {
      case 'moot':
        return;
      case 'outOfBudget': {
        const failure = { code: 'BUDGET_EXCEEDED', message: outcome.message };
        return this.#finish({ kind: 'finish', turn, outcome: 'budget_exceeded', failure }, signal);
      }
      case 'append':
        try {
          await this.#record(turn, `${call.callId}/${outcome.what}`, outcome.events, signal);
        } catch (error) {
          if (!isInvalid(error)) throw error;
          this.#ports.logger.warn('answer refused by the journal', { callId: call.callId, error });
          const { what, events } = this.#caller.unwritable(turn, call, error.message);
          await this.#record(turn, `${call.callId}/${what}`, events, signal);
        }
    }
  }

  #runTools(
    { turn, calls }: Extract<Step, { kind: 'runTools' }>,
    wanted: AbortSignal,
    signal: AbortSignal,
  ): Promise<void> {
    const ports = { ...this.#ports, offered: this.#view.conversation.tools };
    return runTools(
      ports,
      calls,
      { wanted, signal },
      async (call, result) => {
        const key = `${call.callId}/result`;
        try {
          await this.#record(turn, key, resultEvents(turn.id, call, result), signal);
        } catch (error) {
          if (!isInvalid(error)) throw error;
          this.#ports.logger.warn('tool result refused by the journal', { callId: call.callId, error });
          await this.#record(turn, key, unwritableResult(turn.id, call, result, error.message), signal);
        }
      },
      {
        calls: () => {
          const step = this.#next();
          return step.kind === 'runTools' ? step.calls : [];
        },
        onChange: (listener) => this.#view.onChange(listener),
      },
    );
  }

  async #cancelTools(
    { turn, calls }: Extract<Step, { kind: 'cancelTools' }>,
    signal: AbortSignal,
  ): Promise<void> {
    await Promise.all(calls.map((call) => this.#ports.unit.cancelTool(call.callId, signal)));
    for (const call of calls) {
      await this.#record(turn, `${call.callId}/result`, canceledEvents(turn.id, call), signal);
    }
  }

  async #finish(step: Extract<Step, { kind: 'finish' }>, signal: AbortSignal): Promise<void> {
    const { turn, outcome, resultEventId, failure } = step;
    const { said } = this.#caller;
    const command: UnitCommand = {
      kind: 'completeTurn',
      outcome,
      ...(resultEventId === undefined ? {} : { resultEventId }),
      ...(failure === undefined ? {} : { failure }),
      ...(said === undefined ? {} : { said }),
    };
    try {
      await this.#append(`t${turn.number}/completed`, command, signal);
    } catch (error) {
      if (!(error instanceof UnitRefusal)) throw error;
      if (error.code === 'INPUT_PENDING')
        return this.#view.until(() => this.#hasUnseenInput || !this.#runs(turn), signal);
      if (error.code !== 'TURN_OVER') throw error;
      await this.#view.until(() => !this.#runs(turn), signal);
    }
  }

  async #record(turn: Turn, key: string, events: readonly NewEvent[], signal: AbortSignal): Promise<void> {
    try {
      await this.#append(key, { kind: 'record', events }, signal);
    } catch (error) {
      if (!(error instanceof UnitRefusal) || error.code !== 'TURN_OVER') throw error;
      await this.#view.until(() => !this.#runs(turn), signal); // ended elsewhere: a deadline, an archive
    }
  }

  async #append(key: string, command: UnitCommand, signal: AbortSignal): Promise<void> {
    const { firstSeq, lastSeq } = await this.#ports.unit.append({ key, command }, signal); // TURN-1
    if (firstSeq <= lastSeq)
      await this.#view.until(() => this.#view.conversation.head >= lastSeq, signal); // TURN-2
    else assert(command.kind === 'beginTurn', `append ${key} writes something`);
  }

  /** Runs `step` with a signal that aborts when the turn is stopped or over (TURN-3). */
  async #whileWanted(
    turn: Turn,
    signal: AbortSignal,
    step: (wanted: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const moot = new AbortController();
    const check = (): void => {
      if (!this.#runs(turn) || this.#session.turn?.stopping !== undefined) moot.abort();
    };
    const unsubscribe = this.#view.onChange(check);
    try {
      check();
      await step(AbortSignal.any([signal, moot.signal]));
    } finally {
      unsubscribe();
    }
  }

  /** Of the model that the turn is at. */
  get #plan(): ModelPlan {
    const { plan, fallback } = this.#assignment;
    return this.#view.conversation.progress.onFallback ? (fallback ?? plan) : plan;
  }

  get #contextWindow(): number {
    return this.#plan.contextWindow;
  }

  get #session() {
    return this.#view.conversation.session;
  }

  get #ended(): boolean {
    return this.#session.status === 'archived';
  }

  get #hasUnseenInput(): boolean {
    const { turn } = this.#session;
    return turn !== undefined && (turn.inputToSeq > turn.consumedToSeq || turn.stopping !== undefined);
  }

  #runs(turn: Turn): boolean {
    const now = this.#session.turn;
    return this.#session.status === 'running' && now?.number === turn.number && now.state === 'running';
  }
}
