/**
 * What a kind stands on: a server with a tenant of its own to attack, a session with a long log, one with large bodies, client tokens of
 * both, and sessions whose commands it chooses. Made once per start of the server; counts and connections are a kind's own.
 */
import { pause } from './probe.ts';
import { Client } from './client.ts';
import { Held } from './held.ts';
import type { KeyWatch } from './key-watch.ts';
import { ANSWER_MS_MAX, CALL_GRACE_MS, FOUND_MAX, MACHINE_GRACE_MS } from './limit.ts';
import { messageOf, type ModelScript } from './model-script.ts';
import { Tally } from './tally.ts';

const CREATE_KEY = `mutation ($input: CreateCredentialInput!) { createCredential(input: $input) { __typename ... on Fault { code message } } }`;
const CREATE_AGENT = `mutation ($input: CreateAgentInput!) { createAgent(input: $input) { __typename ... on Fault { code message } } }`;
const START = `mutation ($input: StartSessionInput!) { startSession(input: $input) {
  ... on StartSessionPayload { session { id } turnId } ... on Fault { code message } } }`;
const SEND = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) {
  ... on SendMessagePayload { turnId } ... on Fault { code message } } }`;
const TOKEN = `mutation ($id: ID!, $scopes: [ClientScope!]) { createClientToken(sessionId: $id, scopes: $scopes, ttlSeconds: 86400) {
  ... on CreateClientTokenPayload { clientToken { token } } ... on Fault { code message } } }`;
const TURN = `query ($id: ID!, $turn: ID!) { turn(sessionId: $id, id: $turn) {
  __typename ... on Turn { state outcome } ... on Fault { code } } }`;
const ARCHIVE = `mutation ($id: ID!) { archiveSession(sessionId: $id) { __typename } }`;
const CANCEL = `mutation ($id: ID!) { cancelTurn(sessionId: $id) { __typename } }`;
const LAST = `query ($id: ID!) { session(id: $id) { ... on Session { head } } }`;
const EVENTS = `query ($id: ID!, $after: Cursor) { session(id: $id) { ... on Session { events(first: 50, after: $after) {
  nodes { seq type turnId fullBody } pageInfo { hasNextPage endCursor } } } } }`;

const LOOK_AGAIN_MS = 100;
/** Preparing is no attack: what is not answered by then is tried again. */
const TRIES_MAX = 8;
/** Messages under way at a time while a log is filled. */
const FILLERS = 8;

export interface GroundSize {
  /** Messages of the long log, of 30 KB each. */
  readonly longLog: number;
  /** Messages of the session with large bodies, of 250 KB twice. */
  readonly largeBodies: number;
}

export interface LoggedEvent {
  readonly seq: number;
  readonly type: string;
  readonly turnId: string | null;
  // oxlint-disable-next-line typescript/no-explicit-any -- kinds look into bodies of many types
  readonly fullBody: any;
}

interface Page {
  readonly session: {
    readonly events: {
      readonly nodes: readonly LoggedEvent[];
      readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
    };
  };
}

/** How a turn ended: its outcome, or that it had to be given up. */
export interface TurnEnd {
  readonly outcome: string;
  readonly sessionId: string;
  readonly turnId: string;
}

export class Ground {
  readonly key: string;
  /** The model key that nobody may ever be told. */
  readonly canary: string;
  readonly port: number;
  readonly keys: KeyWatch;
  readonly #echoes = new Set<string>();
  longLog = '';
  largeBodies = '';
  /** Of the long log. */
  readToken = '';
  steerToken = '';
  /** Of the session with large bodies. */
  bodiesToken = '';
  tally = new Tally();
  held = new Held();
  client: Client;
  readonly #lanes = new Map<number, string>();
  readonly #busy = new Set<number>();

  constructor(port: number, key: string, canary: string, keys: KeyWatch) {
    this.port = port;
    this.key = key;
    this.canary = canary;
    this.keys = keys;
    this.client = this.#newClient();
  }

  get echoes(): readonly string[] {
    return [...this.#echoes];
  }

  /** Counts and connections anew. */
  begin(): void {
    this.tally = new Tally();
    this.held = new Held();
    this.#echoes.clear();
    this.client.close();
    this.client = this.#newClient();
  }

  async prepare(size: GroundSize): Promise<void> {
    await this.ask(CREATE_KEY, { input: { provider: 'anthropic', key: this.canary } });
    for (const [name, model] of [
      ['attacked', 'anthropic/claude-siege'],
      ['polite', 'rehearsal/echo'],
    ])
      await this.ask(CREATE_AGENT, { input: { name, model, prompt: 'Be brief.' } });
    this.longLog = await this.#waitingSession();
    this.largeBodies = await this.#waitingSession();
    await this.#fill(this.longLog, size.longLog, 'x'.repeat(30_000));
    await this.#fill(this.largeBodies, size.largeBodies, 'x'.repeat(250_000), { a: 'y'.repeat(250_000) });
    this.readToken = await this.token(this.longLog, ['READ']);
    this.steerToken = await this.token(this.longLog, ['STEER']);
    this.bodiesToken = await this.token(this.largeBodies, ['READ']);
  }

  /** Preparing and looking, as the owner; throws what was refused. */
  // oxlint-disable-next-line typescript/no-explicit-any -- callers read what they asked for
  async ask(query: string, variables: object): Promise<any> {
    for (let tries = 1; ; tries += 1) {
      try {
        const response = await fetch(`http://127.0.0.1:${this.port}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${this.key}` },
          body: JSON.stringify({ query, variables }),
          signal: AbortSignal.timeout(ANSWER_MS_MAX),
        });
        const text = await response.text();
        this.#heard(text);
        const { data } = JSON.parse(text) as { data?: unknown };
        if (data === undefined || data === null) throw new Error(text.slice(0, 500));
        return data;
      } catch (error) {
        if (tries === TRIES_MAX) throw error;
        await pause(LOOK_AGAIN_MS * tries);
      }
    }
  }

  async token(sessionId: string, scopes: readonly string[]): Promise<string> {
    const { createClientToken } = await this.ask(TOKEN, { id: sessionId, scopes });
    return createClientToken.clientToken.token;
  }

  async startSession(input: string): Promise<{ id: string; turnId: string }> {
    const { startSession } = await this.ask(START, { input: { agent: 'attacked', input } });
    if (startSession.session === undefined) throw new Error(JSON.stringify(startSession));
    return { id: startSession.session.id, turnId: startSession.turnId };
  }

  /** One turn of a session that nobody else uses meanwhile; it is cancelled when it takes longer than it may. */
  async turn(script: ModelScript, msMax: number): Promise<TurnEnd> {
    const lane = this.#freeLane();
    try {
      return await this.turnIn(await this.#sessionOf(lane), script, msMax);
    } catch (error) {
      this.#lanes.delete(lane); // its session is gone: full, archived, or never made
      throw error;
    } finally {
      this.#busy.delete(lane);
    }
  }

  async turnIn(sessionId: string, script: ModelScript, msMax: number): Promise<TurnEnd> {
    const input = { sessionId, text: messageOf(script), mode: 'INTERRUPT' };
    const { sendMessage } = await this.ask(SEND, { input });
    if (sendMessage.turnId === undefined) throw new Error(JSON.stringify(sendMessage));
    return this.#ended(sessionId, sendMessage.turnId, msMax);
  }

  /** A command of the model, with this deadline; the control plane keeps it too, some seconds later. */
  async command(command: string, timeoutMs: number): Promise<TurnEnd> {
    const call = { tool: 'bash', input: { command, timeout_ms: timeoutMs } };
    const end = await this.turn(
      { kind: 'call', calls: [call] },
      timeoutMs + CALL_GRACE_MS + MACHINE_GRACE_MS,
    );
    this.tally.heard(200, `"code":"TURN_${end.outcome}"`);
    return end;
  }

  /** Whether a turn that was given up ends after all. */
  async isOver(sessionId: string, turnId: string, msMax: number): Promise<boolean> {
    return (await this.#ended(sessionId, turnId, msMax)).outcome !== 'GIVEN_UP';
  }

  async cancel(sessionId: string): Promise<void> {
    await this.ask(CANCEL, { id: sessionId });
  }

  async head(sessionId: string): Promise<number> {
    return (await this.ask(LAST, { id: sessionId })).session.head;
  }

  /** All events with their bodies, as their owner sees them: looked through for the key on the way. */
  async events(sessionId: string): Promise<readonly LoggedEvent[]> {
    const all: LoggedEvent[] = [];
    for (let after: string | null = null; ; ) {
      const { session }: Page = await this.ask(EVENTS, { id: sessionId, after });
      const { events } = session;
      all.push(...events.nodes);
      if (!events.pageInfo.hasNextPage) return all;
      after = events.pageInfo.endCursor;
    }
  }

  /** Archives the sessions of the kind, whose logs are read first. */
  async leave(): Promise<void> {
    this.held.releaseAll();
    for (const sessionId of this.#lanes.values()) {
      await this.events(sessionId);
      await this.ask(ARCHIVE, { id: sessionId });
    }
    this.#lanes.clear();
  }

  async #ended(sessionId: string, turnId: string, msMax: number): Promise<TurnEnd> {
    const giveUpAt = performance.now() + msMax;
    for (;;) {
      const { turn } = await this.ask(TURN, { id: sessionId, turn: turnId });
      if (turn.state === 'COMPLETED') return { outcome: turn.outcome ?? 'NONE', sessionId, turnId };
      if (performance.now() > giveUpAt) {
        await this.cancel(sessionId);
        return { outcome: 'GIVEN_UP', sessionId, turnId };
      }
      await pause(LOOK_AGAIN_MS);
    }
  }

  async #sessionOf(lane: number): Promise<string> {
    const known = this.#lanes.get(lane);
    if (known !== undefined) return known;
    const { id, turnId } = await this.startSession(messageOf({ kind: 'say', text: 'Ready.' }));
    this.#lanes.set(lane, id);
    await this.#ended(id, turnId, MACHINE_GRACE_MS);
    return id;
  }

  #freeLane(): number {
    let lane = 0;
    while (this.#busy.has(lane)) lane += 1;
    this.#busy.add(lane);
    return lane;
  }

  /** A session whose model never answers, so that messages wait in its log. */
  async #waitingSession(): Promise<string> {
    return (await this.startSession(messageOf({ kind: 'misbehave', how: 'hang' }))).id;
  }

  async #fill(sessionId: string, messages: number, text: string, raw?: object): Promise<void> {
    const input = { sessionId, text, mode: 'QUEUE', ...(raw === undefined ? {} : { raw }) };
    let left = messages;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await this.ask(SEND, { input });
    };
    await Promise.all(Array.from({ length: FILLERS }, worker));
  }

  #newClient(): Client {
    const { port, keys, tally, held } = this;
    return new Client({ port, keys, tally, held, echoed: (what) => this.#echoed(what) });
  }

  #heard(text: string): void {
    const how = this.keys.find(text);
    if (how === undefined) return;
    // Of a page of events: the one that holds it.
    const event = text.split('{"seq":').find((one) => this.keys.find(one) !== undefined) ?? text;
    this.#echoed(`the key (${how}) is in a log: ${event.slice(0, 600)}`);
  }

  #echoed(what: string): void {
    if (this.#echoes.size < FOUND_MAX) this.#echoes.add(what);
  }
}
