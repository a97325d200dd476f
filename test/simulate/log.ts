/**
 * What was really written, in the order of the commits, and the rules that hold of it at every event. It is told by the store
 * itself and knows nothing of those who write; the rules are stated again here and share no code with what keeps them, but for
 * the fold, which is what records are compared with.
 */
import type { RecordedEvent } from '../../src/journal/event.ts';
import type { Appended } from '../../src/journal/journal.ts';
import { type SessionId, turnIdOf } from '../../src/kernel/id.ts';
import { TURN_SECONDS_MAX } from '../../src/kernel/limit.ts';
import { fold, type FoldEvent } from '../../src/sessions/fold.ts';
import { newSession, type Session, type SessionOrigin } from '../../src/sessions/session.ts';
import type { SimNode } from './node.ts';
import { TurnRules } from './turn-rules.ts';
import type { World } from './world.ts';

export interface SessionLog {
  readonly events: RecordedEvent[];
  readonly rules: TurnRules;
  /** Origin and all events folded. */
  session: Session;
  epoch: number;
  /** When the epoch began, by the world's time. */
  epochSince: number;
  /** When the status last changed, by the world's time. */
  statusSince: number;
  /** Brains lost since the last progress. */
  losses: number;
  /** Seqs at which a lease was taken. */
  readonly leases: { readonly seq: number; readonly epoch: number; readonly owner: string }[];
  readonly keys: Map<string, string>;
  /** Of each cancel with a key: the request that came first, and the turn that it was about. */
  readonly cancels: Map<string, { readonly request: object; turn: number }>;
}

/** A call that was let in may take so long until it is made. */
const ON_ITS_WAY_MS = 1_000;
/** What shows that brains get on: a loss after it is the first one again. */
const PROGRESS = new Set(['model.completed', 'tool.result', 'turn.completed', 'session.hibernated']);

interface Guards {
  readonly key: string | undefined;
  readonly epoch: number | undefined;
}

export class Log {
  readonly #world: World;
  readonly #sessions = new Map<SessionId, SessionLog>();
  readonly #origins = new Map<SessionId, SessionOrigin>();
  readonly #eventsMax: number;
  /** Whether that server could have kept its lease until now; told by whoever runs the history. */
  isLiving: (owner: string) => boolean = () => false;
  turnEnded: (sessionId: SessionId, number: number) => void = () => undefined;
  appends = 0;

  constructor(world: World, eventsMax: number) {
    this.#world = world;
    this.#eventsMax = eventsMax;
  }

  get sessions(): ReadonlyMap<SessionId, SessionLog> {
    return this.#sessions;
  }

  of(sessionId: SessionId): SessionLog | undefined {
    return this.#sessions.get(sessionId);
  }

  creating(origin: SessionOrigin): void {
    if (!this.#sessions.has(origin.id)) this.#origins.set(origin.id, origin);
  }

  /** JOURNAL-1, JOURNAL-2: called once the events are durable, before anybody else hears of them. */
  committed(sessionId: SessionId, events: readonly RecordedEvent[]): void {
    const log = this.#sessions.get(sessionId) ?? this.#open(sessionId);
    if (log === undefined) return;
    for (const event of events) {
      const last = log.events.at(-1);
      if (event.seq !== log.events.length + 1)
        return this.#world.violate(
          'JOURNAL-1 dense',
          `${sessionId}: seq ${event.seq} after ${log.events.length}`,
        );
      if (last !== undefined && event.at < last.at)
        this.#world.violate('time does not go back in a log', `${sessionId} seq ${event.seq}`);
      const mayFollow = last?.type === 'log.limit_reached' && event.type === 'session.archived';
      const seqMax = event.type === 'log.limit_reached' ? this.#eventsMax : this.#eventsMax - 1;
      if (!mayFollow && event.seq > seqMax)
        return this.#world.violate('JOURNAL-6 capped', `${sessionId}: seq ${event.seq} is ${event.type}`);
      log.events.push(event);
      const body: unknown = JSON.parse(event.body);
      this.#world.tell('log', `${sessionId.slice(4, 8)} ${event.seq} ${event.type}`, {
        body: event.body.slice(0, 160),
      });
      this.#lease(log, event, body);
      log.rules.event(event, body);
      const { status } = log.session;
      log.session = fold(log.session, { ...event, body } as FoldEvent); // what was read from the log was checked before it was written
      if (log.session.status !== status) log.statusSince = this.#world.now;
    }
  }

  /** JOURNAL-2, JOURNAL-4, JOURNAL-5: what the store answers to one append, also when the answer is lost on its way. */
  appended(sessionId: SessionId, { key, epoch }: Guards, appended: Appended<Session>, node: SimNode): void {
    const log = this.#sessions.get(sessionId);
    const { firstSeq, lastSeq, replayed } = appended;
    const wrote = firstSeq <= lastSeq && !replayed;
    if (log === undefined) return;
    this.appends += wrote ? 1 : 0;
    if (log.events.length < lastSeq)
      this.#world.violate('JOURNAL-2 durable', `${sessionId}: ${lastSeq} is acknowledged and not in the log`);
    if (wrote && epoch !== undefined && epoch !== epochBefore(log, firstSeq))
      this.#world.violate(
        'JOURNAL-4 fenced',
        `${node.name} wrote seq ${firstSeq} of ${sessionId} with epoch ${epoch}`,
      );
    if (key === undefined || firstSeq > lastSeq) return;
    const place = `${firstSeq}-${lastSeq}`;
    const before = log.keys.get(key);
    log.keys.set(key, before ?? place);
    if (before !== undefined && before !== place)
      this.#world.violate('JOURNAL-5 idempotent', `${sessionId}: ${key} is at ${before} and at ${place}`);
  }

  /** JOURNAL-4 from the other end: a brain was told that what it wrote has landed. */
  wrote(sessionId: SessionId, epoch: number, firstSeq: number): void {
    const log = this.#sessions.get(sessionId);
    if (log !== undefined && epochBefore(log, firstSeq) !== epoch)
      this.#world.violate(
        'JOURNAL-4 fenced',
        `a brain of epoch ${epoch} wrote seq ${firstSeq} of ${sessionId}`,
      );
  }

  /** UNIT-1: a brain that was replaced long ago makes no model call. */
  asked(sessionId: SessionId, epoch: number, server: SimNode): void {
    const log = this.#sessions.get(sessionId);
    if (log === undefined || log.epoch === epoch) return;
    const since = Math.max(log.epochSince, server.deafUntil);
    if (this.#world.now - since > ON_ITS_WAY_MS)
      this.#world.violate(
        'who was replaced asks no model',
        `${sessionId}: epoch ${epoch} while it is ${log.epoch}`,
      );
  }

  /** REPLAY-2: a cancel with a key is about the turn that it met first, whatever comes of it: asked again it touches no other. */
  decided(sessionId: SessionId, key: string, request: object, session: Session, stops: boolean): void {
    const cancels = this.#sessions.get(sessionId)?.cancels;
    if (cancels === undefined || !key.startsWith('cancel/')) return;
    const turn = session.turnCount + (session.status === 'queued' ? 1 : 0);
    const first = cancels.get(key);
    if (first === undefined || first.request === request) cancels.set(key, { request, turn });
    else if (stops && first.turn !== turn)
      this.#world.violate(
        'REPLAY-2: a cancel that is asked for again cancels no later turn',
        `${sessionId}: ${key} was about turn ${first.turn} and cancels turn ${turn}`,
      );
  }

  /** WORKBENCH-4: a command runs on files that have all that the log says was done, but for what it says is lost. */
  ranOn(sessionId: SessionId, callId: string, files: ReadonlyMap<string, unknown>): void {
    const events = this.#sessions.get(sessionId)?.events ?? [];
    const told = events.findLastIndex(({ type }) => type === 'workspace.reverted');
    for (const { seq, type, body } of events.slice(told + 1)) {
      if (type !== 'tool.result') continue;
      const result = JSON.parse(body) as { tool: string; callId: string; outcome: string }; // event-catalog.ts
      if (result.tool !== 'bash' || result.outcome !== 'ok' || files.has(result.callId)) continue;
      const what = `${sessionId}: ${callId} runs without what seq ${seq} did`;
      return this.#world.violate('lost files are told', what);
    }
  }

  #open(sessionId: SessionId): SessionLog | undefined {
    const origin = this.#origins.get(sessionId);
    if (origin === undefined) {
      this.#world.violate('sessions are started', `${sessionId} has events and nobody created it`);
      return undefined;
    }
    const rules = new TurnRules({
      violate: (rule, what) => this.#world.violate(rule, `${sessionId} ${what}`),
      turnIdOf: (number) => turnIdOf(sessionId, number),
      ended: (number) => this.turnEnded(sessionId, number),
      now: () => this.#world.now,
      turnMs: (origin.limits.turnSeconds ?? TURN_SECONDS_MAX) * 1_000,
      turnsMax: origin.limits.turns ?? Infinity,
    });
    const session = newSession(origin);
    const log: SessionLog = {
      events: [],
      rules,
      session,
      epoch: 0,
      losses: 0,
      epochSince: 0,
      statusSince: this.#world.now,
      leases: [],
      keys: new Map(),
      cancels: new Map(),
    };
    this.#sessions.set(sessionId, log);
    return log;
  }

  #lease(log: SessionLog, { type, seq, sessionId }: RecordedEvent, body: unknown): void {
    const isGivenUp = type === 'session.hibernated' && ['queued', 'running'].includes(log.session.status);
    if (PROGRESS.has(type) && !isGivenUp) log.losses = 0; // a lease that is given up in the middle of a turn is none
    if (type === 'brain.lost') {
      log.losses += 1;
      if ((body as { attempt: number }).attempt !== log.losses)
        this.#world.violate('losses are counted since the last progress', `${sessionId} seq ${seq}`);
    }
    if (type !== 'brain.started') return;
    const { epoch, owner } = body as { epoch: number; owner: string }; // event-catalog.ts
    if (epoch !== log.epoch + 1)
      this.#world.violate('epochs are counted', `${sessionId}: ${epoch} after ${log.epoch}`);
    log.epoch = epoch;
    log.epochSince = this.#world.now;
    log.leases.push({ seq, epoch, owner });
    const holder = log.session.lease?.owner;
    if (holder !== undefined && holder !== owner && this.isLiving(holder))
      this.#world.violate(
        'no lease is taken from the living',
        `${sessionId}: ${owner} takes epoch ${epoch} from ${holder}`,
      );
  }
}

function epochBefore({ leases }: SessionLog, seq: number): number {
  return leases.findLast((lease) => lease.seq < seq)?.epoch ?? 0;
}
