/** Slips of the pen around a model key, at every door: whatever is wrong with them, the key is in no answer and in no line of the log. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RawData, WebSocket } from 'ws';
import { Door, ROOT_KEY, textOf } from '../support/door.ts';
import { type Random, randomOf } from '../support/random.ts';

/** As keys look, and as a name could: what is not quoted is read as a name. */
const KEY = 'sk-ant-CanaryKeyQ7xZ9mP4vL2nR8tB5wJ3-HF';
const NAME = 'skCanaryKeyQ7xZ9mP4vL2nR8tB5wJ3';
/** Of both, the part that no word is like. */
const CANARY = 'Q7xZ9mP4vL2nR8tB5wJ3';
/** A piece of it that is as long is an echo. */
const PIECE_CHARS = 8;
const PIECES = Array.from({ length: CANARY.length - PIECE_CHARS + 1 }, (_, at) =>
  CANARY.slice(at, at + PIECE_CHARS),
);
/** Documents that are right but for a character or two, the same in every run. */
const SPOILED = 600;
const SEED = 11;
const INSERTED = [
  '',
  ' ',
  '"',
  '"""',
  '}',
  '(',
  '$',
  '\\',
  '#',
  '@',
  '...',
  '\n',
  '0',
  'é',
  '\u0000',
] as const;

let door: Door;
beforeAll(async () => {
  door = await Door.open({ console: false });
});
afterAll(() => door.close());

interface Slip {
  readonly query: string;
  readonly variables?: unknown;
  readonly operationName?: string;
}

/** A key as it may be written in a document. */
const LITERALS = [
  `"${KEY}"`,
  `["${KEY}"]`,
  `{ secret: "${KEY}" }`,
  `{ ${NAME}: 1 }`,
  `"""${KEY}"""`,
  NAME,
  KEY,
  `$${NAME}`,
  `"${KEY}`,
  `'${KEY}'`,
  `"${KEY}\\q"`,
  `"${KEY}\\u{${NAME}}"`,
  `12${KEY}`,
];
/** And in JSON. */
const VALUES: readonly unknown[] = [
  KEY,
  [KEY],
  [[KEY]],
  { secret: KEY },
  { [KEY]: 1 },
  { [NAME]: KEY },
  { toString: KEY },
];
const TYPES = [
  'String!',
  'Secret!',
  '[Secret!]!',
  'Int!',
  'Float!',
  'Boolean!',
  'ID!',
  'Cursor!',
  'DateTime!',
  'JSON!',
  'SafeInt!',
  'EventLevel!',
  'CreateCredentialInput!',
  'LimitsInput!',
  NAME,
];
/** Fields that a value can be put into: `@` is where. */
const PLACES = [
  'mutation { createCredential(input: { provider: "anthropic", key: @ }) { __typename ... on Fault { message } } }',
  'mutation { createCredential(input: { provider: @, key: "short" }) { __typename ... on Fault { message } } }',
  'mutation { createCredential(input: { provider: "anthropic", key: @, bogus: 1 }) { __typename ... on Fault { message } } }',
  'mutation { createCredential(input: { key: @ }) { __typename ... on Fault { message } } }',
  'mutation { createCredential(input: @) { __typename ... on Fault { message } } }',
  'mutation { createCredential(key: @) { __typename ... on Fault { message } } }',
  'mutation { updateCredential(input: { id: @, key: @ }) { __typename ... on Fault { message } } }',
  'mutation { updateCredential(input: { id: "cred_x", isDefault: @ }) { __typename ... on Fault { message } } }',
  'mutation { createAgent(input: { name: "a", model: @, prompt: "p", key: "k" }) { __typename ... on Fault { message } } }',
  'mutation { createAgent(input: { name: "a", model: "anthropic/x", key: @ }) { __typename ... on Fault { message } } }',
  'mutation { createAgent(input: { name: "a", model: "anthropic/x", prompt: "p", effort: @ }) { __typename ... on Fault { message } } }',
  'mutation { createAgent(input: { name: "a", model: "anthropic/x", prompt: "p", limits: { tokens: @ } }) { __typename ... on Fault { message } } }',
  'mutation { updateAgent(input: { key: @ }) { __typename ... on Fault { message } } }',
  'mutation { updateAgent(input: { id: @, prompt: "p" }) { __typename ... on Fault { message } } }',
  'mutation { startSession(input: { agent: @, input: "x" }) { __typename ... on Fault { message } } }',
  'mutation { sendMessage(input: { sessionId: @, text: "x" }) { __typename ... on Fault { message } } }',
  'mutation { createClientToken(sessionId: @, scopes: @, ttlSeconds: @) { __typename ... on Fault { message } } }',
  '{ agents(first: @, after: @) { nodes { id } } }',
  '{ agent(name: @) { __typename ... on Fault { message } } }',
  '{ session(id: @) { __typename ... on Fault { message } } }',
  'subscription { sessionEvents(sessionId: @, after: @, filter: { types: @, level: @ }) { __typename } }',
  '{ agents @include(if: @) { nodes { id } } }',
  '{ __type(name: @) { name } @ }',
];
/** Documents in which the name is no value. */
const NAMES = [
  '{ @ }',
  '{ agents { @ } }',
  '{ agents(@: 1) { nodes { id } } }',
  '{ agents @@ { nodes { id } } }',
  '{ agents @include(@: true) { nodes { id } } }',
  '{ ...@ }',
  '{ agents { ... on @ { id } } }',
  'fragment @ on Query { agents { nodes { id } } } { agents { nodes { id } } }',
  'fragment @ on @ { id } { ...@ }',
  'fragment @ on Query { ...@ } { ...@ }',
  'query @ { agents { nodes { id } } } query @ { agents { nodes { id } } }',
  'query ($@: Int, $@: Int) { agents(first: $@) { nodes { id } } }',
  'query @($a: Int) { agents(first: $@) { nodes { id } } }',
  'query ($@: Nothing) { agents { nodes { id } } }',
  'query ($@: Int = "x") { agents { nodes { id } } }',
  'query ($a: @) { agents(first: $a) { nodes { id } } }',
  'query ($a: EventLevel = @) { agents { nodes { id } } }',
  'subscription @ { sessionEvents(sessionId: "s") { __typename } a: sessionEvents(sessionId: "s") { __typename } }',
  '{ @: agents { nodes { id } } @: sessions { nodes { id } } }',
  'type @ { a: Int }',
  '@',
  'mutation { @(input: {}) { id } }',
];

/** Characters taken out, put in, or changed. */
function spoiledBy(random: Random): Slip {
  const any = (values: readonly string[]): string => values[random.below(values.length)] ?? '';
  let query = any(PLACES).replaceAll('@', () => any(LITERALS));
  for (let left = 1 + random.below(3); left > 0; left -= 1) {
    const at = random.below(query.length);
    query = query.slice(0, at) + random.pick(INSERTED) + query.slice(at + random.below(3));
  }
  return { query };
}
const random = randomOf(SEED);

const SLIPS: readonly Slip[] = [
  ...PLACES.flatMap((place) => LITERALS.map((literal) => ({ query: place.replaceAll('@', literal) }))),
  ...NAMES.map((document) => ({
    query: document.replaceAll(/@(?!include)/g, (_, at: number) => (document[at + 1] === '@' ? '@' : NAME)),
  })),
  ...TYPES.flatMap((type) =>
    VALUES.map((value) => ({
      query: `mutation ($v: ${type}) { createCredential(input: { provider: "anthropic", key: $v }) { __typename } }`,
      variables: { v: value },
    })),
  ),
  ...['CreateCredentialInput!', 'CreateAgentInput!', 'UpdateAgentInput!', 'UpdateCredentialInput!'].flatMap(
    (type) =>
      [
        ...VALUES,
        ...VALUES.map((value) => ({ provider: 'anthropic', key: value, name: value, limits: value })),
      ].map((value) => ({
        query: `mutation ($v: ${type}) { ${type[0]?.toLowerCase()}${type.slice(1, -6)}(input: $v) { __typename ... on Fault { message } } }`,
        variables: { v: value },
      })),
  ),
  ...VALUES.map((value) => ({
    query: 'query ($l: [String!], $f: Int, $d: EventLevel) { agents(first: $f) { nodes { id } } }',
    variables: { l: value, f: value, d: value },
  })),
  ...Array.from({ length: SPOILED }, () => spoiledBy(random)),
  { query: '{ agents { nodes { id } } }', operationName: KEY },
  { query: '{ agents { nodes { id } } }', variables: KEY },
  { query: '{ agents { nodes { id } } }', variables: [KEY] },
  { query: 'query A { agents { nodes { id } } } query B { agents { nodes { id } } }', operationName: NAME },
];

/** What comes back, as text, with the headers. */
async function answerTo(path: string, init: RequestInit): Promise<string> {
  const response = await fetch(`${door.url}${path}`, init);
  return `${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`;
}

const AUTHORIZATION = { authorization: `Bearer ${ROOT_KEY}` };
const POST = { method: 'POST', headers: { ...AUTHORIZATION, 'content-type': 'application/json' } };

function asParameters({ query, variables, operationName }: Slip): URLSearchParams {
  const parameters = new URLSearchParams({ query });
  if (variables !== undefined) parameters.set('variables', JSON.stringify(variables));
  if (operationName !== undefined) parameters.set('operationName', operationName);
  return parameters;
}

const DOORS: readonly (readonly [name: string, ask: (slip: Slip) => Promise<string>])[] = [
  ['POST', (slip) => answerTo('', { ...POST, body: JSON.stringify(slip) })],
  [
    'POST, for a stream',
    (slip) =>
      answerTo('', {
        ...POST,
        headers: { ...POST.headers, accept: 'text/event-stream' },
        body: JSON.stringify(slip),
      }),
  ],
  ['GET', (slip) => answerTo(`?${asParameters(slip)}`, { headers: AUTHORIZATION })],
  ['a form', (slip) => answerTo('', { method: 'POST', headers: AUTHORIZATION, body: asParameters(slip) })],
  [
    'a document alone',
    ({ query }) =>
      answerTo('', {
        method: 'POST',
        headers: { ...AUTHORIZATION, 'content-type': 'application/graphql' },
        body: query,
      }),
  ],
];

function echoIn(answer: string): boolean {
  return PIECES.some((piece) => answer.includes(piece));
}

describe('ECHO-1: a key in the wrong place is not repeated', () => {
  it.each(DOORS)(
    'over %s',
    async (_name, ask) => {
      const echoes: string[] = [];
      for (const slip of SLIPS) {
        const answer = await ask(slip);
        if (echoIn(answer)) echoes.push(`${JSON.stringify(slip)} -> ${answer.slice(0, 600)}`);
      }

      expect(echoes).toEqual([]);
    },
    120_000,
  );

  it('over a socket', async () => {
    const echoes: string[] = [];
    let socket = await opened();
    for (const slip of SLIPS) {
      socket.send(JSON.stringify({ id: 'x', type: 'subscribe', payload: slip }));
      const { text, isClosed } = await untilAnswered(socket);
      if (echoIn(text)) echoes.push(`${JSON.stringify(slip)} -> ${text.slice(0, 600)}`);
      if (isClosed) socket = await opened();
    }
    socket.terminate();

    expect(echoes).toEqual([]);
  }, 120_000);

  it('where the request itself cannot be read', async () => {
    const json = [
      `{"query": "${KEY}`,
      `{"query": ${KEY}}`,
      KEY,
      `"${KEY}"`,
      `["${KEY}"]`,
      `{"${KEY}": 1}`,
      `{"query":{"a":"${KEY}"}}`,
    ];
    const answers = [
      ...json.map((body) => answerTo('', { ...POST, body })),
      ...['variables', 'extensions'].map((name) =>
        answerTo(`?query={__typename}&${name}=${KEY}`, { headers: AUTHORIZATION }),
      ),
      answerTo('', {
        method: 'POST',
        headers: AUTHORIZATION,
        body: new URLSearchParams({ query: '{__typename}', variables: KEY }),
      }),
      answerTo('', { method: 'POST', headers: { ...AUTHORIZATION, 'content-type': KEY }, body: KEY }),
      answerTo('', {
        method: 'POST',
        headers: { 'content-type': 'text/plain', authorization: KEY },
        body: KEY,
      }),
      answerTo('', { ...POST, headers: { ...POST.headers, accept: KEY }, body: '{"query":"{__typename}"}' }),
      answerTo(`/${KEY}?query=${KEY}`, { headers: AUTHORIZATION }),
      answerTo('', { headers: { authorization: `Bearer ${KEY}` } }),
    ];

    expect((await Promise.all(answers)).filter(echoIn)).toEqual([]);
    for (const body of json) {
      const socket = await opened();
      socket.send(body);
      const { text } = await untilAnswered(socket);
      expect(echoIn(text)).toBe(false);
    }
    const twice = await opened();
    const following = {
      query: 'subscription { sessionEvents(sessionId: "ses_000000000000000000000000") { __typename } }',
    };
    twice.send(JSON.stringify({ id: KEY, type: 'subscribe', payload: following }));
    twice.send(JSON.stringify({ id: KEY, type: 'subscribe', payload: following }));
    const { text } = await untilClosed(twice);
    expect(text).toMatch(/^4409 /);
    expect(echoIn(text)).toBe(false);
  });

  it('in the log', () => {
    expect(door.logs.split('\n').filter(echoIn)).toEqual([]);
  });
});

describe('ECHO-2: an error says where and what', () => {
  it.each([
    ['{ agentz { id } }', 'Cannot query field "agentz" on type "Query".'],
    [`{ ${NAME} }`, 'Cannot query field "…" on type "Query".'],
    ['{ agents(first: "3") { nodes { id } } }', 'Int cannot represent non-integer value.'],
    ['{ agents(first: 3 { nodes { id } } }', 'Syntax Error: Expected Name, found "{".'],
    [
      'mutation { createCredential(input: { provider: "anthropic", key: 3 }) { __typename } }',
      'key: expected a string.',
    ],
    [
      'mutation { createCredential(input: { provider: "anthropic", kee: "x" }) { __typename } }',
      'Expected value of type "CreateCredentialInput" to include required field "key".',
    ],
    [
      'subscription { sessionEvents(sessionId: "x", filter: { level: LOUD }) { __typename } }',
      'Value "…" does not exist in "EventLevel" enum.',
    ],
  ])('%s', async (query, message) => {
    const { body } = await door.post(query);

    expect(body.errors.map((error: { message: string }) => error.message)).toContain(message);
    expect(body.errors[0].locations).toHaveLength(1);
  });

  it('of a variable: the path to the field', async () => {
    const query = 'mutation ($v: CreateAgentInput!) { createAgent(input: $v) { __typename } }';
    const wrong = { v: { name: 'a', model: 'm', prompt: 'p', limits: { tokens: KEY }, effort: KEY } };
    const { body } = await door.post(query, wrong);

    expect(body.errors.map((error: { message: string }) => error.message)).toEqual([
      'Variable "$v" has invalid value at .effort: Value "…" does not exist in "Effort" enum.',
      'SafeInt: expected a whole number up to 2^53 - 1.',
    ]);
  });
});

async function opened(): Promise<WebSocket> {
  const socket = new WebSocket(door.socketUrl, 'graphql-transport-ws');
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload: AUTHORIZATION }));
  await new Promise((resolve) => socket.once('message', resolve));
  return socket;
}

/** Until the operation is over, or the socket; the id is the client's own. */
function untilAnswered(socket: WebSocket): Promise<{ text: string; isClosed: boolean }> {
  return new Promise((resolve) => {
    let text = '';
    const take = (data: RawData): void => {
      const message = textOf(data);
      text += message;
      if (!/"type":"(?:error|complete)"/.test(message)) return;
      socket.off('message', take);
      socket.off('close', end);
      resolve({ text, isClosed: false });
    };
    const end = (code: number, reason: Buffer): void =>
      resolve({ text: `${text}${code} ${reason.toString()}`, isClosed: true });
    socket.on('message', take);
    socket.once('close', end);
  });
}

function untilClosed(socket: WebSocket): Promise<{ text: string }> {
  return new Promise((resolve) =>
    socket.once('close', (code, reason) => resolve({ text: `${code} ${reason.toString()}` })),
  );
}
