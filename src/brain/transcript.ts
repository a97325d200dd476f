/**
 * What the model is to know: the items of the conversation in their order, the results of its tools, and what of it goes on in
 * another form. Items are added and never changed, so a request is the beginning of the next one and its prompt cache is found;
 * only a compaction, a repair and a refusal change what was before, since without that the session could not go on.
 */
import type { BodyOf } from '../journal/event.ts';
import type { TurnOutcome } from '../journal/event-catalog.ts';
import { purposeOf } from './call-id.ts';
import { ContextSize } from './context-size.ts';
import type { Heard } from './inbox.ts';
import { type AnswerItem, type Item, keptBlocks } from './item.ts';
import { CANCELED, cutNoteOf, revertedNews, SKIPPED, sleptNews, SUMMARY_RETRACTED } from './notes.ts';
import type { ToolEnd } from './progress.ts';
import { Repairs } from './repairs.ts';

export class Transcript {
  readonly repairs = new Repairs();
  readonly size: ContextSize;
  readonly #items: Item[] = [];
  readonly #results = new Map<string, ToolEnd>();
  /** What the model is told before the next message of the user. */
  #news: string[] = [];
  /** Whether the hands did something since the session last slept. */
  #usedTools = false;
  /** Refused answers in a row. */
  #refusals = 0;

  constructor(prompt: string) {
    this.size = new ContextSize(prompt);
  }

  get items(): readonly Item[] {
    return this.#items;
  }

  /** Whether there is anything that a compaction would make shorter. */
  get condensable(): boolean {
    return this.#items.some(({ kind }) => kind !== 'summary' && kind !== 'note' && kind !== 'news');
  }

  result(callId: string): ToolEnd | undefined {
    return this.#results.get(callId);
  }

  /** Messages of users take their place, after what happened to the session in the meantime. */
  say(messages: readonly Heard[]): void {
    for (const { seq, text } of messages) {
      this.#items.push({ kind: 'said', text, seq });
      this.size.add(text);
    }
  }

  note(text: string | undefined): void {
    if (text === undefined) return;
    this.#items.push({ kind: 'note', text });
    this.size.add(text);
  }

  /** The news since the last call. */
  tellNews(): void {
    for (const text of this.#news) {
      this.#items.push({ kind: 'news', text });
      this.size.add(text);
    }
    this.#news = [];
  }

  /** The version that made the call told none. */
  dropNews(): void {
    this.#news = [];
  }

  slept(body: BodyOf<'session.hibernated'>): void {
    if (this.#usedTools) this.#news.push(sleptNews(body));
    this.#usedTools = false;
  }

  reverted(body: BodyOf<'workspace.reverted'>): void {
    this.#news.push(revertedNews(body));
  }

  metered(usage: BodyOf<'model.usage'>): void {
    const { callId, complete, inputTokens, outputTokens } = usage;
    if (!complete || purposeOf(callId) === 'compaction') return;
    const { cacheCreationInputTokens, cacheReadInputTokens } = usage;
    this.size.meter(callId, inputTokens + outputTokens + cacheCreationInputTokens + cacheReadInputTokens);
  }

  answer(item: AnswerItem, callId: string): void {
    this.#items.push(item);
    if (keptBlocks(item).length > 0) this.#refusals = 0;
    if (!this.size.isMetered(callId)) this.size.add(JSON.stringify(item.blocks));
  }

  /** The first one counts: while servers of two versions run, a turn may be ended with a result of a call that has one. */
  resulted(callId: string, end: ToolEnd): void {
    if (this.#results.has(callId)) return;
    this.#results.set(callId, end);
    this.#usedTools = true;
    this.size.add(end.output);
  }

  /** The turn ended while `said` was being said: that is what the user has read, and what the model has to know of. */
  cut(said: Heard, outcome: TurnOutcome): void {
    this.#items.push({ kind: 'aborted', ...said });
    this.size.add(said.text);
    if (outcome !== 'canceled') this.note(cutNoteOf(outcome));
  }

  canceled(): void {
    this.note(CANCELED);
  }

  /**
   * Takes out what the refused answer was asked with: what was said since the last good answer, and the results of that one's
   * tools. When the next answer is refused too, the answer before goes as well, and so on: a session is not refused for ever.
   */
  retract(by: 'answer' | 'error'): void {
    const answer = this.#items.findLastIndex(
      (item) => item.kind === 'answer' && item.stopReason === 'refusal',
    );
    const at = by === 'answer' ? answer : this.#items.length;
    if (at < 0) return;
    this.#refusals += 1;
    let from = at;
    let answers = this.#refusals;
    for (; from > 0; from -= 1) {
      const item = this.#items[from - 1];
      if (item === undefined) break;
      if (item.kind === 'summary') {
        // Refused twice with nothing else in common: it is the summary.
        if (this.#refusals > 1) this.#items[from - 1] = { ...item, text: SUMMARY_RETRACTED };
        break;
      }
      if (item.kind !== 'answer' || keptBlocks(item).length === 0) continue; // one of nothing is no good one
      answers -= 1;
      if (answers > 0) continue;
      for (const { callId } of item.tools) this.#withhold(callId);
      break;
    }
    const news = this.#items.slice(from, at).filter(({ kind }) => kind === 'news');
    const until = by === 'answer' ? at + 1 : at;
    if (until > from) this.#items.splice(from, until - from, { kind: 'retracted' }, ...news);
  }

  /** What comes next in the log is not read: only that something is missing is known of it. */
  skip(): void {
    this.#news = [];
    this.#usedTools = false;
    this.#refusals = 0;
    this.note(SKIPPED);
  }

  /** The conversation was replaced by `summary`. */
  restart(summary: string, seq: number): void {
    this.#items.splice(0, this.#items.length, { kind: 'summary', text: summary, seq });
    this.#results.clear();
    this.repairs.clear();
    this.#refusals = 0;
    this.size.restart(summary);
  }

  #withhold(callId: string): void {
    const end = this.#results.get(callId);
    if (end !== undefined) this.#results.set(callId, { ...end, withheld: true });
  }
}
