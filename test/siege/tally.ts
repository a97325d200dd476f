/** What one kind has done and what it was told: counts, and the last actions for the report of a failure. */
import { FOUND_MAX, LAST_ACTIONS_KEPT, LAST_ACTIONS_TOLD } from './limit.ts';

/** Codes that are counted apart; a server that makes up more of them has them counted as one. */
const CODES_MAX = 60;
/** Of one action. */
const TOLD_CHARS = 500;
/** What was begun so shortly before something went wrong may have to do with it. */
const BEFORE_MS = 300;
/** A wait begins with the question, which may have been asked just before what delays its answer. */
const AFTER_MS = 100;
/** Of those, in one line. */
const BEFORE_MAX = 4;
const NEAR_CHARS = 160;

export class Tally {
  actions = 0;
  answered = 0;
  readonly refusals = new Map<string, number>();
  readonly #last: { readonly at: number; readonly told: string }[] = [];
  readonly #found: string[] = [];

  begun(told: string): void {
    this.actions += 1;
    this.#last.push({ at: Date.now(), told: told.slice(0, TOLD_CHARS) });
    if (this.#last.length > LAST_ACTIONS_KEPT) this.#last.shift();
  }

  /** An answer or a frame: by the code that is in it. */
  heard(status: number, text: string): void {
    const code = /"code":\s*"([A-Z][A-Z_]{2,40})"/.exec(text)?.[1];
    if (code !== undefined) this.refused(code);
    else if (status >= 400) this.refused(`HTTP ${status}`);
    else this.answered += 1;
  }

  refused(code: string): void {
    const counted = this.refusals.has(code) || this.refusals.size < CODES_MAX ? code : 'others';
    this.refusals.set(counted, (this.refusals.get(counted) ?? 0) + 1);
  }

  /** Something that must not be, which this kind alone can see. */
  found(what: string): void {
    if (this.#found.length < FOUND_MAX && !this.#found.includes(what)) this.#found.push(what);
  }

  get findings(): readonly string[] {
    return this.#found;
  }

  get lastActions(): readonly string[] {
    return this.#last.slice(-LAST_ACTIONS_TOLD).map(({ told }) => told);
  }

  /** Actions that were begun about the time `at`, or the last one before it. */
  actionsAt(at: number): readonly string[] {
    const near = this.#last.filter((one) => one.at > at - BEFORE_MS && one.at < at + AFTER_MS);
    const before = this.#last.filter((one) => one.at <= at).slice(-1);
    return (near.length > 0 ? near : before)
      .slice(0, BEFORE_MAX)
      .map(({ told }) => told.slice(0, NEAR_CHARS));
  }
}
