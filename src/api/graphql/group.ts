/**
 * Followers of one session who want the same: one reader of the log, one rendering and one payload text per frame for all
 * of them. A member joins where its own history ends; what it has already seen it is not sent again.
 *
 * GROUP-1 a member is sent every event after its own seq once, in order, whatever the group's seq is when it joins.
 * GROUP-2 a member that does not read is told SlowConsumer and leaves; the others do not notice.
 * GROUP-4 what is large is made in a turn (kernel/round-robin.ts), and so is each page of a member that joined in the middle of one; of many
 *    members some are sent it in one: followers of one session hold up neither the loop nor those of others.
 * GROUP-3 the reader is released when the last member has left.
 */
import { charsOf } from '../../../schema/body-weight.ts';
import type { SchemaPorts } from '../../../schema/context.ts';
import { Sift } from '../../../schema/frame-source.ts';
import { LARGE_BYTES } from '../../../schema/log-budget.ts';
import { type DeltaFrame, draftKey } from '../../journal/draft.ts';
import { type Follow, follow } from '../../journal/follow.ts';
import { type EventFilter, passes } from '../../journal/event-filter.ts';
import type { RecordedEvent } from '../../journal/event.ts';
import type { SessionId } from '../../kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../../kernel/limit.ts';
import type { RoundRobin } from '../../kernel/round-robin.ts';
import type { Renderer } from './renderer.ts';
import { payloadOf, type Payload } from './payload.ts';

/** What was being written is in the log now, or never will be: its pieces are forgotten. */
const ENDS_MESSAGE: ReadonlySet<string> = new Set([
  'agent.message',
  'model.completed',
  'brain.lost',
  'turn.completed',
]);

/** Those of all sessions share turns, session by session. */
const FOLLOWERS = 'followers';
/** Members that are sent something in one turn: some milliseconds of writing to sockets. */
const MEMBERS_PER_TURN = 500;

export interface Member {
  /** The last event that it has been sent, or that its filter left out. */
  seq: number;
  readonly buffered: number;
  send(payload: Payload): void;
  /** The group is done with it; `error` when the log could not be read. */
  leave(error?: unknown): void;
}

export interface GroupPorts extends Pick<SchemaPorts, 'journal' | 'live'> {
  readonly highWaterBytes: number;
  readonly turns: Pick<RoundRobin, 'turn'>;
}

export interface Wanted {
  readonly sessionId: SessionId;
  readonly filter: EventFilter;
  readonly deltas: boolean;
  readonly thinking: boolean;
  readonly renderer: Renderer;
}

export class Group {
  readonly #wanted: Wanted;
  readonly #members = new Set<Member>();
  readonly #abort = new AbortController();
  readonly #sift: Sift;
  readonly #highWaterBytes: number;
  readonly #turns: GroupPorts['turns'];
  readonly #closed: () => void;
  /** Text so far of what the model is writing, for those who join in the middle. */
  readonly #partial = new Map<string, DeltaFrame>();
  #seq: number;

  /** `seq`: where its first member stands. `closed` is called when nobody can join any more. */
  constructor(ports: GroupPorts, wanted: Wanted, seq: number, closed: () => void) {
    this.#wanted = wanted;
    this.#seq = seq;
    this.#closed = closed;
    this.#highWaterBytes = ports.highWaterBytes;
    this.#turns = ports.turns;
    this.#sift = new Sift(wanted.sessionId, seq, wanted.filter);
    const source = follow(
      ports,
      { sessionId: wanted.sessionId, after: seq, deltas: wanted.deltas, thinking: wanted.thinking },
      this.#abort.signal,
    );
    void this.#run(source); // owned: ends when the last member leaves, and never rejects
  }

  /** False when the member must read on first: the group has gone on, or has ended. */
  async join(member: Member): Promise<boolean> {
    const { sessionId, renderer } = this.#wanted;
    let chars = 0;
    for (const { text } of this.#partial.values()) chars += text.length;
    await this.#turnToMake(chars);
    const texts = [await renderer.render({ kind: 'caughtUp', sessionId, seq: member.seq })];
    for (const frame of this.#partial.values()) {
      for (const piece of renderer.cut.pieces(frame)) texts.push(await renderer.render(piece));
    }
    if (this.#abort.signal.aborted || member.seq < this.#seq) return false; // GROUP-1, judged in the same turn as joining
    for (const text of texts) member.send(text);
    this.#members.add(member);
    return true;
  }

  /** Also for one that never joined: a group without members ends. */
  remove(member: Member): void {
    this.#members.delete(member);
    if (this.#members.size === 0) this.#close(); // GROUP-3
  }

  async #run(source: AsyncIterableIterator<Follow>): Promise<void> {
    let failure: unknown;
    try {
      for await (const item of source) await this.#take(item);
    } catch (error) {
      failure = error;
    }
    this.#close();
    for (const member of this.#members) member.leave(failure);
    this.#members.clear();
  }

  #close(): void {
    this.#abort.abort();
    this.#closed();
  }

  async #take(item: Follow): Promise<void> {
    switch (item.kind) {
      case 'events':
        for (let at = 0; at < item.events.length; at += PAGE_EVENTS_MAX) {
          const page = item.events.slice(at, at + PAGE_EVENTS_MAX);
          for (const part of this.#wanted.renderer.cut.parts(page)) {
            await this.#turnToMake(charsOf(part));
            await this.#events(part);
          }
        }
        return;
      case 'delta':
      case 'thinking': {
        this.#remember(item);
        for (const piece of this.#wanted.renderer.cut.pieces(item)) {
          await this.#turnToMake(piece.text.length);
          const text = await this.#wanted.renderer.render(piece, this.#abort.signal);
          await this.#toAll((member) => {
            if (!this.#slow(member)) member.send(text);
          });
        }
        return;
      }
      case 'caughtUp':
        return; // each member is told its own
    }
  }

  async #events(page: readonly RecordedEvent[]): Promise<void> {
    const first = page[0];
    const last = page.at(-1);
    if (first === undefined || last === undefined) return;
    if (this.#partial.size > 0 && page.some(({ type }) => ENDS_MESSAGE.has(type))) this.#partial.clear();
    const frame = this.#sift.events(page, last.seq);
    const text =
      frame === undefined
        ? undefined
        : payloadOf(await this.#wanted.renderer.render(frame, this.#abort.signal));
    this.#seq = last.seq; // who joins from here on has this page already
    const ahead: Member[] = [];
    await this.#toAll((member) => {
      if (member.seq >= last.seq || this.#slow(member)) return; // GROUP-1
      if (member.seq >= first.seq) ahead.push(member);
      else if (text !== undefined) member.send(text);
      if (member.seq < first.seq) member.seq = last.seq;
    });
    for (const member of ahead) await this.#rest(member, page, last.seq);
  }

  /** Those who are members now. Who joins meanwhile has what they are sent. GROUP-4 */
  async #toAll(send: (member: Member) => void): Promise<void> {
    let sent = 0;
    for (const member of [...this.#members]) {
      if (sent === MEMBERS_PER_TURN) {
        await this.#turn();
        sent = 0;
      }
      sent += 1;
      if (this.#members.has(member)) send(member);
    }
  }

  #turn(): Promise<void> {
    return this.#turns.turn(FOLLOWERS, this.#wanted.sessionId);
  }

  /** Undefined where it need not wait. */
  #turnToMake(chars: number): Promise<void> | undefined {
    return chars < LARGE_BYTES ? undefined : this.#turn(); // GROUP-4
  }

  /** For a member that joined in the middle of this page: what of it is new to it (GROUP-1). */
  async #rest(member: Member, page: readonly RecordedEvent[], seq: number): Promise<void> {
    await this.#turn(); // GROUP-4
    if (!this.#members.has(member)) return;
    const { sessionId, filter, renderer } = this.#wanted;
    const events = page.filter((event) => event.seq > member.seq && passes(filter, event));
    member.seq = seq;
    const text = await renderer.render({ kind: 'events', sessionId, events, seq }, this.#abort.signal);
    if (this.#members.has(member)) member.send(text);
  }

  /** GROUP-2. True when the member has left for that. */
  #slow(member: Member): boolean {
    if (member.buffered <= this.#highWaterBytes) return false;
    this.#members.delete(member);
    const { sessionId, renderer } = this.#wanted;
    const told = Promise.resolve(renderer.render({ kind: 'slow', sessionId, seq: member.seq }));
    void told.then(
      (text) => {
        member.send(text);
        member.leave();
        this.remove(member);
      },
      (error: unknown) => member.leave(error),
    ); // owned by the member, which waits for leave()
    return true;
  }

  #remember(frame: DeltaFrame): void {
    const { kind, callId, offset, text } = frame;
    const key = draftKey({ kind: kind === 'thinking' ? kind : 'message', callId });
    const known = this.#partial.get(key)?.text ?? '';
    this.#partial.set(key, { kind, callId, offset: 0, text: known.slice(0, offset) + text });
  }
}
