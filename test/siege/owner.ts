/** The owner of what is attacked: prepares it, starts turns and looks at logs. What is refused is tried again for a while, since the server is busy. */
import type { KeyWatch } from './key-watch.ts';
import { ANSWER_MS_MAX } from './limit.ts';
import { messageOf, type ModelScript } from './model-script.ts';
import { pause } from './probe.ts';

const START = `mutation ($input: StartSessionInput!) { startSession(input: $input) {
  ... on StartSessionPayload { session { id } turnId } ... on Fault { code message } } }`;
const SEND = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) {
  ... on SendMessagePayload { turnId } ... on Fault { code message } } }`;
const TOKEN = `mutation ($id: ID!, $scopes: [ClientScope!]) { createClientToken(sessionId: $id, scopes: $scopes, ttlSeconds: 86400, messagesPerMinute: 6000) {
  ... on CreateClientTokenPayload { clientToken { token } } ... on Fault { code message } } }`;
const TURN = `query ($id: ID!, $turn: ID!) { turn(sessionId: $id, id: $turn) {
  __typename ... on Turn { state outcome } ... on Fault { code } } }`;
const ARCHIVE = `mutation ($id: ID!) { archiveSession(sessionId: $id) { __typename } }`;
const CANCEL = `mutation ($id: ID!) { cancelTurn(sessionId: $id) { __typename } }`;
const EVENTS = `query ($id: ID!, $after: Cursor) { session(id: $id) { ... on Session { events(first: 50, after: $after) {
  nodes { id seq type turnId body bodyTruncated } pageInfo { hasNextPage endCursor } } } } }`;
const EVENT = `query ($id: ID!, $event: ID!) { event(sessionId: $id, id: $event) { ... on Event { fullBody } } }`;

const LOOK_AGAIN_MS = 100;
const TRIES_MAX = 8;
/** Of an event that holds the key. */
const SAID_CHARS = 600;

export interface LoggedEvent {
  readonly id: string;
  readonly type: string;
  readonly turnId: string | null;
  readonly bodyTruncated: boolean;
  // oxlint-disable-next-line typescript/no-explicit-any -- kinds look into bodies of many types
  readonly body: any;
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

export class Owner {
  readonly #port: number;
  readonly #key: string;
  readonly #keys: KeyWatch;
  readonly #echoed: (what: string) => void;

  constructor(port: number, key: string, keys: KeyWatch, echoed: (what: string) => void) {
    this.#port = port;
    this.#key = key;
    this.#keys = keys;
    this.#echoed = echoed;
  }

  /** Throws what is refused for good. */
  // oxlint-disable-next-line typescript/no-explicit-any -- callers read what they asked for
  async ask(query: string, variables: object): Promise<any> {
    for (let tries = 1; ; tries += 1) {
      try {
        const response = await fetch(`http://127.0.0.1:${this.#port}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#key}` },
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

  async start(script: ModelScript): Promise<{ id: string; turnId: string }> {
    const input = { agent: 'attacked', input: messageOf(script) };
    const { startSession } = await this.ask(START, { input });
    if (startSession.session === undefined) throw new Error(JSON.stringify(startSession));
    return { id: startSession.session.id, turnId: startSession.turnId };
  }

  /** Answers the turn of the message. */
  async send(sessionId: string, message: { text: string; mode: string; raw?: object }): Promise<string> {
    const { sendMessage } = await this.ask(SEND, { input: { sessionId, ...message } });
    if (sendMessage.turnId === undefined) throw new Error(JSON.stringify(sendMessage));
    return sendMessage.turnId;
  }

  /** Resolves when the turn is over; cancels it when it is not by then. */
  async end(sessionId: string, turnId: string, msMax: number): Promise<TurnEnd> {
    const giveUpAt = performance.now() + msMax;
    for (;;) {
      const { turn } = await this.ask(TURN, { id: sessionId, turn: turnId });
      if (turn.state === 'COMPLETED') return { outcome: turn.outcome ?? 'NONE', sessionId, turnId };
      if (performance.now() > giveUpAt) {
        await this.ask(CANCEL, { id: sessionId });
        return { outcome: 'GIVEN_UP', sessionId, turnId };
      }
      await pause(LOOK_AGAIN_MS);
    }
  }

  /** All events with their whole bodies, looked through for the key on the way. */
  async events(sessionId: string): Promise<readonly LoggedEvent[]> {
    const all: LoggedEvent[] = [];
    for (let after: string | null = null; ; ) {
      const { session }: Page = await this.ask(EVENTS, { id: sessionId, after });
      const { nodes, pageInfo } = session.events;
      for (const event of nodes) {
        if (event.bodyTruncated) await this.ask(EVENT, { id: sessionId, event: event.id });
        all.push(event);
      }
      if (!pageInfo.hasNextPage) return all;
      after = pageInfo.endCursor;
    }
  }

  async archive(sessionId: string): Promise<void> {
    await this.ask(ARCHIVE, { id: sessionId });
  }

  #heard(text: string): void {
    const how = this.#keys.find(text);
    if (how === undefined) return;
    // Of a page of events: the one that holds it.
    const event = text.split('{"id":').find((one) => this.#keys.find(one) !== undefined) ?? text;
    this.#echoed(`the key (${how}) is in a log: ${event.slice(0, SAID_CHARS)}`);
  }
}
