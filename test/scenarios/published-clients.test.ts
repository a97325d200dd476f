/** Clients that people use, as their manuals say: urql and Apollo, over HTTP and graphql-ws, with a client token as a browser has it. */
import { ApolloClient, gql as apolloGql, HttpLink, InMemoryCache } from '@apollo/client/core/index.js';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions/index.js';
import { cacheExchange, Client, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { World } from '../support/world.ts';

const EVENTS = `subscription ($id: ID!, $after: Cursor) { sessionEvents(sessionId: $id, after: $after) {
  __typename
  ... on EventBatch { cursor events { __typename seq type ... on AgentMessage { text } ... on TurnCompleted { outcome } } }
} }`;
const SEND = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) {
  __typename ... on SendMessagePayload { turnId } ... on Fault { code message } } }`;

interface Batch {
  readonly events: readonly { readonly seq: number; readonly text?: string; readonly outcome?: string }[];
}

let world: World;
beforeAll(async () => {
  world = await World.open();
  await world.createAgent({ name: 'echo', model: 'rehearsal/echo' });
});
afterAll(() => world.close());

/** A session and the token that its browser gets. */
async function started(): Promise<{ id: string; token: string }> {
  const { startSession } = await world.graphql(
    `mutation { startSession(input: { agent: "echo", input: "first" }) {
      ... on StartSessionPayload { session { id } clientToken { token } } } }`,
  );
  return { id: startSession.session.id, token: startSession.clientToken.token };
}

/** Collects what a client's subscription gives until `turns` turns have ended. */
class Reading {
  readonly seqs: number[] = [];
  readonly texts: string[] = [];
  readonly done: Promise<void>;
  #turns: number;
  #resolve!: () => void; // set in the constructor

  constructor(turns: number) {
    this.#turns = turns;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  take(data: unknown): void {
    const frame = (data as { sessionEvents?: Partial<Batch> } | undefined)?.sessionEvents;
    for (const { seq, text, outcome } of frame?.events ?? []) {
      this.seqs.push(seq);
      if (text !== undefined) this.texts.push(text);
      if (outcome !== undefined) this.#turns -= 1;
    }
    if (this.#turns === 0) this.#resolve();
  }
}

function socketOf(token: string): ReturnType<typeof createClient> {
  return createClient({
    url: `${world.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
  });
}

function expectWhole(reading: Reading): void {
  expect(reading.seqs).toEqual(reading.seqs.map((_, index) => index + 1));
  expect(reading.texts).toEqual(['first', 'second']);
}

it('urql reads a session live and speaks to it', async () => {
  const { id, token } = await started();
  const socket = socketOf(token);
  const client = new Client({
    url: `${world.url}/graphql`,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization: `Bearer ${token}` } },
    exchanges: [
      cacheExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe(
              { query, variables: variables ?? {} },
              {
                next: (value) => sink.next(value as Parameters<typeof sink.next>[0]),
                error: (error) => sink.error(error),
                complete: () => sink.complete(),
              },
            ),
          }),
        }),
      }),
    ],
  });
  const reading = new Reading(2);
  const subscription = client.subscription(gql(EVENTS), { id }).subscribe(({ data }) => reading.take(data));

  await world.sees(id, 'turn.completed');
  const { data } = await client
    .mutation(gql(SEND), { input: { sessionId: id, text: 'second', mode: 'QUEUE' } })
    .toPromise();
  expect(data.sendMessage.__typename).toBe('SendMessagePayload');
  await reading.done;
  subscription.unsubscribe();
  await socket.dispose();
  expectWhole(reading);
});

it('Apollo reads a session live and speaks to it', async () => {
  const { id, token } = await started();
  const socket = socketOf(token);
  const http = new HttpLink({ uri: `${world.url}/graphql`, headers: { authorization: `Bearer ${token}` } });
  const live = new ApolloClient({ cache: new InMemoryCache(), link: new GraphQLWsLink(socket) });
  const client = new ApolloClient({ cache: new InMemoryCache(), link: http });
  const reading = new Reading(2);
  const subscription = live
    .subscribe({ query: apolloGql(EVENTS), variables: { id }, fetchPolicy: 'no-cache' })
    .subscribe(({ data }) => reading.take(data));

  await world.sees(id, 'turn.completed');
  const { data } = await client.mutate<{ sendMessage: { __typename: string } }>({
    mutation: apolloGql(SEND),
    variables: { input: { sessionId: id, text: 'second', mode: 'QUEUE' } },
  });
  expect(data?.sendMessage.__typename).toBe('SendMessagePayload');
  await reading.done;
  subscription.unsubscribe();
  await socket.dispose();
  client.stop();
  live.stop();
  expectWhole(reading);
});
