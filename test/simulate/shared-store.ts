/**
 * The one store that all servers share, and their lines to it: requests take time, are lost before they arrive or after they
 * have been carried out, and hints come late, twice or never. What the adapter under it does is real.
 */
import { Outage } from '../../src/kernel/outage.ts';
import type { Decision, Hint } from '../../src/journal/journal.ts';
import type { AgentStore } from '../../src/sessions/agent-store.ts';
import type { SessionJournal, SessionStore } from '../../src/sessions/session-store.ts';
import type { OwnerStore } from '../../src/supervisor/owner-store.ts';
import type { Log } from './log.ts';
import { SimNode } from './node.ts';
import type { Rates } from './faults.ts';
import type { World } from './world.ts';

export interface StorePorts {
  readonly journal: SessionJournal;
  readonly sessions: SessionStore;
  readonly agents: AgentStore;
  readonly owners: OwnerStore;
}

/** Breaks a rule on purpose, to see that the simulation finds it. */
export type StoreMutant = 'no fence' | 'no keys' | 'read leaves out' | 'lost write';

/** What an outage takes until it is told. */
const OUTAGE_MS = [20, 3_000] as const;
const AWAY_SENTENCE = 'The store does not answer.';

function stopsTurn(decision: Decision): boolean {
  if (decision.kind !== 'append') return false;
  return decision.events.some(({ type }) => type === 'turn.cancel_requested' || type === 'turn.completed');
}

export class SharedStore {
  readonly node = new SimNode('store');
  rates: Rates;
  /** Nobody reaches it until then. */
  awayUntil = -Infinity;
  readonly #world: World;
  readonly #log: Log;
  readonly #mutant: StoreMutant | undefined;
  /** Whether a request is carried out in one step: for adapters whose work is real input and output. */
  readonly #isStill: boolean;
  readonly #listeners = new Set<{ readonly node: SimNode; readonly listener: (hint: Hint) => void }>();
  #ports: StorePorts | undefined;
  /** Whose clock stamps what is being decided. */
  #writer: SimNode | undefined;

  constructor(
    world: World,
    options: { log: Log; rates: Rates; mutant: StoreMutant | undefined; isStill: boolean },
  ) {
    this.#world = world;
    this.#log = options.log;
    this.rates = options.rates;
    this.#mutant = options.mutant;
    this.#isStill = options.isStill;
  }

  /** For the adapter: an append is stamped by the server that makes it. */
  get clock() {
    const { clockOf } = this.#world;
    return {
      ...clockOf.call(this.#world, this.node),
      now: (): number => this.#world.wallNow(this.#writer?.skewMs ?? 0),
    };
  }

  use(ports: StorePorts): void {
    this.#ports = ports;
    ports.journal.onHint((hint) => {
      if (hint.events === undefined) return; // from elsewhere: this is the only process
      this.#log.committed(hint.sessionId, hint.events);
      for (const it of this.#listeners) this.#tell(it, hint);
    });
  }

  /** Without a line: for those who look at the world from outside. */
  get ports(): StorePorts {
    if (this.#ports === undefined) throw new Error('The store is not open yet.');
    return this.#ports;
  }

  lineOf(node: SimNode): StorePorts {
    const { journal, sessions, agents, owners } = this.ports;
    const line =
      <A extends unknown[], T>(what: string, ask: (...args: A) => Promise<T>) =>
      (...args: A): Promise<T> =>
        this.call(node, what, () => ask(...args));
    return {
      journal: {
        append: (id, request) => this.call(node, 'append', () => this.#append(node, id, request)),
        read: line('read', async (id, range) => {
          const events = await journal.read(id, range);
          return this.#mutant === 'read leaves out' ? events.filter((_, at) => at !== 2) : events;
        }),
        scan: line('scan', (id, range) => journal.scan(id, range)),
        readBody: line('readBody', (id, seq) => journal.readBody(id, seq)),
        head: line('head', (id) => journal.head(id)),
        onHint: (listener) => {
          const it = { node, listener };
          this.#listeners.add(it);
          return () => this.#listeners.delete(it);
        },
      },
      sessions: {
        create: (origin, decide) =>
          this.call(node, 'create', () => {
            this.#log.creating(origin);
            return sessions.create(origin, this.#stampedBy(node, decide));
          }),
        get: line('get', (...asked) => sessions.get(...asked)),
        list: line('list', (...asked) => sessions.list(...asked)),
        turns: line('turns', (...asked) => sessions.turns(...asked)),
        turn: line('turn', (...asked) => sessions.turn(...asked)),
        wanted: line('wanted', (wish) => sessions.wanted(wish)),
        waiting: line('waiting', (...asked) => sessions.waiting(...asked)),
      },
      agents: {
        create: line('agent', (agent) => agents.create(agent)),
        update: line('agent', (agent, before) => agents.update(agent, before)),
        delete: line('agent', (...asked) => agents.delete(...asked)),
        get: line('agent', (...asked) => agents.get(...asked)),
        byName: line('agent', (...asked) => agents.byName(...asked)),
        revision: line('agent', (...asked) => agents.revision(...asked)),
        list: line('agent', (...asked) => agents.list(...asked)),
      },
      owners: {
        beat: line('beat', (owner) => owners.beat(owner)),
        heartbeats: line('heartbeats', () => owners.heartbeats()),
        retire: line('retire', (owner) => owners.retire(owner)),
      },
    };
  }

  /** One request from `node`; whatever becomes of it, a node that has died hears nothing. */
  call<T>(node: SimNode, what: string, ask: () => Promise<T>): Promise<T> {
    const world = this.#world;
    const { dice } = world;
    return new Promise((resolve, reject) => {
      if (!node.alive) return;
      const fail = (): void => {
        world.tell(node.name, `${what} fails`);
        reject(new Outage('SIMULATED', AWAY_SENTENCE));
      };
      const answer = (deliver: () => void): void => {
        const isLost = dice.hits(this.rates.answerLost);
        world.schedule(node, isLost ? dice.between(...OUTAGE_MS) : this.#delayMs(), isLost ? fail : deliver);
      };
      if (dice.hits(this.rates.requestLost)) {
        world.schedule(node, dice.between(...OUTAGE_MS), fail);
        return;
      }
      world.schedule(this.node, this.#delayMs(), () => {
        if (world.now < this.awayUntil) {
          world.schedule(node, dice.between(...OUTAGE_MS), fail);
          return;
        }
        this.#writer = node;
        const done = ask().then(
          (value) => answer(() => resolve(value)),
          (error: unknown) => answer(() => reject(error)),
        );
        if (this.#isStill) world.freeze(done);
      });
    });
  }

  async #append(node: SimNode, ...[sessionId, request]: Parameters<SessionJournal['append']>) {
    const { key, epoch, decide } = request;
    const appended = await this.ports.journal.append(sessionId, {
      key: this.#mutant === 'no keys' ? undefined : key,
      epoch: this.#mutant === 'no fence' ? undefined : epoch,
      decide: this.#stampedBy(node, (session, isFull) => {
        if (this.#mutant === 'lost write' && key?.endsWith('/result') === true) return { kind: 'nothing' };
        const decision = decide(session, isFull);
        if (key !== undefined) this.#log.decided(sessionId, key, request, session, stopsTurn(decision));
        return decision;
      }),
    });
    this.#log.appended(sessionId, { key, epoch }, appended, node);
    return appended;
  }

  #stampedBy<A extends readonly unknown[], D>(node: SimNode, decide: (...known: A) => D): (...known: A) => D {
    return (...known) => {
      this.#writer = node;
      return decide(...known);
    };
  }

  #tell({ node, listener }: { node: SimNode; listener: (hint: Hint) => void }, hint: Hint): void {
    const { dice } = this.#world;
    const { hintLost, hintDoubled, hintLate } = this.rates;
    if (dice.hits(hintLost)) return;
    const { sessionId, head, concerns } = hint;
    // From another process a hint says how far the log goes; within one it brings the events.
    const given: Hint = dice.hits(0.5) ? { sessionId, head, concerns } : hint;
    const deliver = (): void => {
      const late = dice.hits(hintLate) ? dice.between(100, 5_000) : 0;
      this.#world.schedule(node, this.#delayMs() + late, () => listener(given));
    };
    deliver();
    if (dice.hits(hintDoubled)) deliver();
  }

  #delayMs(): number {
    return this.#world.dice.between(0.1, this.rates.delayMs);
  }
}
