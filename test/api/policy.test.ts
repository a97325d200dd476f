/**
 * The policy table, walked completely: who asks × every operation of the schema × every transport. What is expected is read from the rows
 * here, and not by what the doors ask (authorize()): each kind of caller says for itself when a row lets it in.
 */
import {
  getNamedType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  isCompositeType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isUnionType,
  Kind,
  parse,
  print,
  visit,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../../schema/schema.ts';
import { Access } from '../../src/access/access.ts';
import { POLICY, type Rule } from '../../src/access/policy.ts';
import { CLIENT_SCOPES, type ClientScope, KEY_SCOPES, type KeyScope } from '../../src/access/principal.ts';
import type { Level } from '../../src/journal/event-catalog.ts';
import { SessionGone } from '../../src/journal/faults.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { type Answer, Door, rootOf } from '../support/door.ts';
import { MODEL_KEY } from '../support/operations.ts';
import { type Asked, OPERATIONS, type Thing } from '../support/root-fields.ts';
import { type Reply, type Transport, Transports } from '../support/transports.ts';
import { waitForPeople } from '../support/waiting.ts';

type Verdict = 'allowed' | 'FORBIDDEN' | 'SESSION_NOT_FOUND' | 'UNAUTHENTICATED';

/** Somebody who asks, and what a row says of them. */
interface Caller {
  readonly name: string;
  bearerFor(sessionId: SessionId): string | null | Promise<string | null>;
  verdict(row: Rule): Verdict;
}

const ROWS: readonly Rule[] = Object.values(POLICY);
const ROOTS = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
const FIELDS = new Map(ROOTS.flatMap((type) => Object.entries(type?.getFields() ?? {})));
/** From what anybody may see to everything. */
const LEVELS: readonly Level[] = ['user', 'progress', 'internal'];
const DAY_MS = 24 * 60 * 60 * 1_000;
/** How a refusal says what is missing. */
const MISSING = /no scope "|needs an API key|needs INTERNAL or an API key/;
/** What a mutation shows of its session to whoever may make it. */
const SHOWN_TO_ALL = ['id', 'status'];

let door: Door;
let transports: Transports;
let callers: readonly Caller[];
/** Keys by their scopes, for what needs two. */
const keys = new Map<string, string>();

beforeAll(async () => {
  door = await Door.open({ operations: { client: 2_000 } });
  transports = new Transports(door);
  for (const scopes of [[], ...KEY_SCOPES.flatMap((one) => KEY_SCOPES.map((other) => [one, other]))])
    keys.set(nameOf(scopes), await door.grantKey([...new Set(scopes)]));
  const late = { ...systemClock, now: () => Date.now() - 2 * DAY_MS };
  const { store, signingKey, organisationId: firstOrganisation } = door;
  const past = new Access({ ...store, clock: late, signingKey, firstOrganisation });
  const nobody = (name: string, bearerFor: Caller['bearerFor']): Caller => {
    return { name, bearerFor, verdict: () => 'UNAUTHENTICATED' };
  };
  const organisation = { organisationId: firstOrganisation };
  callers = [
    keyOf([]),
    ...KEY_SCOPES.map((scope) => keyOf([scope])),
    keyOf(['agents:write', 'sessions:write']),
    ...CLIENT_SCOPES.map((scope) => tokenOf([scope])),
    ...CLIENT_SCOPES.map((scope) => strangerOf([scope])),
    tokenOf(CLIENT_SCOPES),
    ...LEVELS.map((level) => tokenOf(CLIENT_SCOPES, level)),
    strangerOf(CLIENT_SCOPES),
    {
      name: 'a unit token',
      bearerFor: (sessionId) => door.access.mintUnitToken(organisation, sessionId, 1),
      verdict: () => 'FORBIDDEN',
    },
    nobody('nobody', () => null),
    nobody('an unknown key', () => 'hf_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'),
    nobody('an expired token', async (id) => (await past.mintClientToken(organisation, id)).token),
    nobody('an altered token', async (id) => altered(await mint(id, CLIENT_SCOPES))),
  ];
});
afterAll(async () => {
  await transports.close();
  await door.close();
});

describe('the table', () => {
  it('has every root field of the schema in one row', () => {
    const named = ROWS.flatMap(({ operations }) => operations).filter((name) => !name.includes('.'));

    expect(named.toSorted()).toEqual([...FIELDS.keys()].toSorted());
  });

  it('names no field of a type, and no argument of one, that is not there, and none twice', () => {
    const named = ROWS.flatMap(({ operations }) => operations).filter((name) => name.includes('.'));
    const missing = named.filter((name) => {
      const [typeName = '', fieldName = '', argName] = name.split('.');
      const type = schema.getType(typeName);
      const hasFields = isObjectType(type) || isInterfaceType(type) || isInputObjectType(type);
      const field = hasFields ? type.getFields()[fieldName] : undefined;
      if (field === undefined || argName === undefined) return field === undefined;
      return !('args' in field) || field.args.every((arg) => arg.name !== argName);
    });

    expect(missing).toEqual([]);
    expect(new Set(named).size).toBe(named.length);
  });

  it.each(['organisations', 'keys', 'agents', 'credentials'] as const)(
    'lets whoever may write %s read them: the answer shows what was written',
    (resource) => {
      const [read, write]: readonly Rule[] = [POLICY[`${resource}.read`], POLICY[`${resource}.write`]];

      expect(write?.key.filter((scope) => !read?.key.includes(scope))).toEqual([]);
      expect(write?.client.filter((scope) => !read?.client.includes(scope))).toEqual([]);
    },
  );
});

/** The second entry of the books: what a scope may open at all, whatever rows are added. A scope too many in a row is seen here. */
const OPENED: Readonly<Record<KeyScope | ClientScope, RegExp>> = {
  'sessions:read':
    /^(sessions\.list|inbox\.read|retention\.(read|preview)|session\.(read|account)|agents\.read|tokens\.write)$/,
  'sessions:write':
    /^(sessions\.start|inbox\.claim|retention\.(read|write)|session\.(steer|answer|decide|cancel|write)|tokens\.(write|revoke))$/,
  'agents:write': /^agents\./,
  'credentials:write': /^credentials\./,
  'keys:write': /^(keys|audit)\./,
  operator: /^(organisations|keys|audit)\./,
  read: /^(session\.(read|account)|tokens\.renew)$/,
  steer: /^(session\.(steer|answer)|tokens\.renew)$/,
  answer: /^(session\.(answer|decide)|tokens\.renew)$/,
  cancel: /^(session\.cancel|tokens\.renew)$/,
};

it.each(Object.entries(OPENED))('the scope %s opens what it is for and nothing else', (scope, actions) => {
  const named = Object.entries<Rule>(POLICY).filter(([, { key, client }]) => {
    return [...key, ...client].some((one) => one === scope);
  });

  expect(named.map(([action]) => action).filter((action) => !actions.test(action))).toEqual([]);
});

describe('every operation', () => {
  it.each([...FIELDS.keys()])(
    'proves POLICY-1: %s is for whom its row names, over every transport, and a refusal changes nothing',
    async (field) => {
      const row = rowOf(field);
      let thing = await newThing();
      for (const caller of callers) {
        for (const transport of transportsOf(field)) {
          const said: Reply[] = [];
          for (let form = 0; form < formsOf(field, thing); form += 1) {
            const asked = bare(askedOf(field, thing, form));
            const verdict = verdictOn(caller, [row, ...(asked.needs ?? []).map(rowOf)]);
            const before = await state(thing);
            const where = `${caller.name}: ${field} (${form}) over ${transport}`;

            const reply = await transports.ask(await caller.bearerFor(thing.sessionId), transport, asked);

            said.push(reply);
            expect(verdictOf(field, reply), `at ${where}: ${JSON.stringify(reply)}`).toBe(verdict);
            if (verdict === 'allowed') thing = await newThing(thing);
            else expect(await state(thing), `at ${where}`).toBe(before);
          }
          if (caller.verdict(row) !== 'allowed') continue;
          const wasDone = said.some(({ data, errors }) => errors === undefined && isDone(data[field]));
          expect(wasDone, `${caller.name}: ${field} over ${transport}: ${JSON.stringify(said)}`).toBe(true);
        }
      }
    },
    60_000,
  );
});

/** Fields of the types that rows name, wherever a root field answers such a type; and of sessions in answers of mutations all. */
const FURTHER = [...new Set(ROWS.flatMap(({ operations }) => operations).flatMap(typesIn))].flatMap(
  (typeName) => [...FIELDS.keys()].flatMap((root) => placesOf(root, typeName)),
);

/** Fields of inputs that rows name and that take a model key. */
const SECRETS = ROWS.flatMap(({ operations }) => operations).filter(
  (name) => isInputObjectType(typeNamed(name)) && name.endsWith('.key'),
);

describe('a field that asks for more than what it is on', () => {
  it.each(FURTHER)(
    'proves PAYLOAD-1: $typeName in what $root answers shows what its rows allow, or nothing is done',
    async ({ root, typeName, path, isChanged }) => {
      const isPayload = isChanged && typeName === 'Session';
      let thing = await newThing();
      for (const caller of callers.filter((one) => one.verdict(rowOf(root)) === 'allowed')) {
        for (const field of fieldsOf(typeName, isPayload)) {
          const needed = neededFor(typeName, field, isPayload);
          const isAllowed = needed.every((row) => caller.verdict(row) === 'allowed');
          const form = asking(askedOf(root, thing), typeName, path, field);
          const before = await state(thing);
          const where = `${caller.name}: ${root} { ${[...path, field].join(' { ')} }`;

          const reply = await transports.ask(await caller.bearerFor(thing.sessionId), 'http', form);

          const said = `${where}: ${JSON.stringify(reply)}`;
          expect(reply.errors === undefined, `at ${said}`).toBe(isAllowed);
          if (isAllowed) {
            expect(reply.data[root].code, `at ${said}`).toBeUndefined();
            if (isChanged) thing = await newThing(thing);
            continue;
          }
          expect(reply.errors[0].extensions.code, `at ${said}`).toBe('FORBIDDEN');
          expect(reply.errors[0].message, `at ${said}`).toMatch(MISSING);
          expect(valuesIn(reply.data?.[root], [...path, field]), `at ${said}`).toEqual([]);
          expect(await state(thing), `at ${said}`).toBe(before);
        }
      }
    },
    60_000,
  );

  it.each(SECRETS)(
    'is the key of an input, %s: it needs both rows, and a refusal changes nothing',
    async (name) => {
      const [typeName = '', inputField = ''] = name.split('.');
      const root = rootsTaking(typeName)[0] ?? '';
      const rows = [rowOf(root), rowOf(name)];
      let thing = await newThing();
      for (const one of KEY_SCOPES) {
        for (const other of KEY_SCOPES) {
          const caller = keyOf([one, other]);
          const { query, variables, field } = bare(askedOf(root, thing));
          const input = { ...(variables['input'] as object), [inputField]: MODEL_KEY }; // as: rootsTaking
          const before = await state(thing);

          const reply = await transports.ask(await caller.bearerFor(thing.sessionId), 'http', {
            field,
            query,
            variables: { ...variables, input },
          });

          const isAllowed = rows.every((row) => caller.verdict(row) === 'allowed');
          const said = `${caller.name}: ${JSON.stringify(reply)}`;
          expect(verdictOf(root, reply), `at ${said}`).toBe(isAllowed ? 'allowed' : 'FORBIDDEN');
          if (isAllowed) thing = await newThing(thing);
          else expect(await state(thing), `at ${said}`).toBe(before);
        }
      }
    },
    60_000,
  );
});

function keyOf(scopes: readonly KeyScope[]): Caller {
  return {
    name: `a key with ${nameOf(scopes) || 'no scope'}`,
    bearerFor: () => keys.get(nameOf(scopes.length === 1 ? [...scopes, ...scopes] : scopes)) ?? null,
    verdict: ({ key }) => (scopes.some((scope) => key.includes(scope)) ? 'allowed' : 'FORBIDDEN'),
  };
}

function tokenOf(scopes: readonly ClientScope[], level?: Level): Caller {
  const reaches = (needed: Level | undefined): boolean =>
    LEVELS.indexOf(level ?? 'internal') >= LEVELS.indexOf(needed ?? 'user');
  return {
    name: `a client token with ${nameOf(scopes)} ${level ?? ''}`,
    bearerFor: (sessionId) => mint(sessionId, scopes, level),
    verdict: ({ client, level: needed }) =>
      scopes.some((scope) => client.includes(scope)) && reaches(needed) ? 'allowed' : 'FORBIDDEN',
  };
}

/** With a token of another session. */
function strangerOf(scopes: readonly ClientScope[]): Caller {
  const other = newId('session');
  return {
    name: `a client token of another session with ${nameOf(scopes)}`,
    bearerFor: () => mint(other, scopes),
    verdict: ({ client }) => (client.length === 0 ? 'FORBIDDEN' : 'SESSION_NOT_FOUND'),
  };
}

async function mint(sessionId: SessionId, scopes: readonly ClientScope[], level?: Level): Promise<string> {
  const minter = { organisationId: door.organisationId };
  const wish = { scopes, level, messagesPerMinute: 6_000 };
  return (await door.access.mintClientToken(minter, sessionId, wish)).token;
}

/** By the first row that does not let it in. */
function verdictOn(caller: Caller, rows: readonly Rule[]): Verdict {
  return rows.map((row) => caller.verdict(row)).find((verdict) => verdict !== 'allowed') ?? 'allowed';
}

/** An agent whose session runs is deleted by force only, which needs another row. */
function isDone(answer: Answer): boolean {
  return answer.code === undefined || answer.code === 'AGENT_IN_USE';
}

function altered(token: string): string {
  return `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`;
}

function nameOf(scopes: readonly string[]): string {
  return scopes.join('+');
}

function unlessGone(error: unknown): void {
  if (!(error instanceof SessionGone)) throw error;
}

let things = 0;
/** A fresh agent, credential and session; `last`: what it was done to, whose turn is not needed any more. */
async function newThing(last?: Thing): Promise<Thing> {
  if (last !== undefined) await door.sessions.archive(last.sessionId, { kind: 'human' }).catch(unlessGone);
  things += 1;
  const word = `thing ${things}`;
  const key = new Sealed('sk-test-of-thing-00');
  const { credential } = await door.credentials.create({ provider: 'anthropic', key, name: word });
  const model = 'anthropic/claude-sonnet-5';
  const { agent } = await door.agents.create({ name: word, model, prompt: 'Be brief.' });
  const start = { agent: agent.id, input: 'hello', key: word, actor: { kind: 'human' } } as const;
  const { session } = await door.sessions.start(start);
  await door.beginTurn(session.id);
  await door.callTool(session.id, 'bash');
  await waitForPeople(door.store.journal, session.id);
  const { organisationId } = door;
  const request = { name: word, scopes: ['keys:write'] };
  const { apiKey } = await door.access.keysOf(organisationId).create(await rootOf(door), request);
  const ids = { organisationId, agentId: agent.id, apiKeyId: apiKey.id };
  return { ...ids, credentialId: credential.id, sessionId: session.id, word };
}

/** All that a refusal may not change: the thing, and what there is newest. */
async function state({ agentId, apiKeyId, credentialId, sessionId }: Thing): Promise<string> {
  const { agents, credentials, sessions } = door;
  const page = { limit: 2 };
  return JSON.stringify([
    await agents.get(agentId),
    await door.access.keysOf(door.organisationId).get(apiKeyId),
    await door.access.keysOf(door.organisationId).list(page),
    await door.store.organisations.list(page),
    await credentials.get(credentialId),
    await credentials.defaultOf('anthropic'),
    await sessions.get(sessionId),
    await agents.list(page),
    await credentials.list(page),
    (await sessions.list({}, page)).map(({ session, head }) => [session.id, head]),
  ]);
}

function rowOf(operation: string): Rule {
  const row = ROWS.find(({ operations }) => operations.includes(operation));
  if (row === undefined) throw new Error(`no row has ${operation}`);
  return row;
}

function transportsOf(field: string): readonly Transport[] {
  return schema.getQueryType()?.getFields()[field] === undefined
    ? ['http', 'socket']
    : ['http', 'get', 'socket'];
}

/** Something new by its own word; everything else about the thing. */
function askedOf(field: string, thing: Thing, form = 0): Asked {
  const about = /^create(?!ClientToken)/.test(field) ? { ...thing, word: `new by ${thing.word}` } : thing;
  const one = OPERATIONS[field]?.(about, thing)[form];
  if (one === undefined) throw new Error(`test/support/root-fields.ts has no operation for ${field}`);
  return { field, ...one };
}

function formsOf(field: string, thing: Thing): number {
  return OPERATIONS[field]?.(thing, thing).length ?? 0;
}

/** The operation without all that is asked of the answer. */
function bare(asked: Asked): Asked {
  return { ...asked, query: withSelection(asked, '{ __typename ... on Fault { code } }') };
}

/** The operation, asking for one field at the end of a path. */
function asking(asked: Asked, typeName: string, path: readonly string[], field: string): Asked {
  const selected = isCompositeType(getNamedType(objectNamed(typeName).getFields()[field]?.type))
    ? `${field} { __typename }`
    : field;
  const inner = path.reduceRight((text, name) => `${name} { ${text} }`, selected);
  const members = membersOf(FIELDS.get(asked.field));
  const holder =
    path.length === 0 ? typeName : members.find((one) => stepTo(one, typeName) === path[0])?.name;
  const selection =
    members.length > 1 ? `{ ... on ${holder} { ${inner} } ... on Fault { code } }` : `{ ${inner} }`;
  return { ...asked, query: withSelection(asked, selection) };
}

function withSelection({ query, field }: Asked, selection: string): string {
  const isUnion = isUnionType(getNamedType(FIELDS.get(field)?.type));
  const hasFaults = membersOf(FIELDS.get(field)).some(({ name }) => name === 'Forbidden');
  const text = isUnion && hasFaults ? selection : selection.replace(' ... on Fault { code }', '');
  const [definition] = parse(text).definitions;
  if (definition?.kind !== Kind.OPERATION_DEFINITION) throw new Error(`no selection: ${text}`);
  const { selectionSet } = definition;
  return print(
    visit(parse(query), {
      Field: (node) => (node.name.value === field ? { ...node, selectionSet } : undefined),
    }),
  );
}

function verdictOf(field: string, { status, closed, data, errors }: Reply): Verdict | string {
  if (status === 401 || closed === 4401) return 'UNAUTHENTICATED';
  const answer: Answer = data?.[field];
  if (answer?.__typename === 'SessionGone') return 'SESSION_NOT_FOUND'; // what a subscription says of it
  const code: string | undefined = answer?.code ?? errors?.[0].extensions.code;
  return code === 'FORBIDDEN' || code === 'SESSION_NOT_FOUND'
    ? code
    : closed === undefined
      ? 'allowed'
      : String(closed);
}

/** Objects that a field may answer, Faults apart. */
function membersOf(field: GraphQLField<unknown, unknown> | undefined): readonly GraphQLObjectType[] {
  const type = getNamedType(field?.type);
  if (isUnionType(type)) return type.getTypes();
  return isObjectType(type) ? [type] : [];
}

/** The field of an object that holds such objects. */
function stepTo(type: GraphQLObjectType, typeName: string): string | undefined {
  const fields = Object.values(type.getFields());
  return fields.find((field) => getNamedType(field.type).name === typeName && field.args.length === 0)?.name;
}

interface Place {
  readonly root: string;
  readonly typeName: string;
  readonly path: readonly string[];
  readonly isChanged: boolean;
}

function placesOf(root: string, typeName: string): readonly Place[] {
  const isChanged = schema.getMutationType()?.getFields()[root] !== undefined;
  return membersOf(FIELDS.get(root)).flatMap((member) => {
    const step = stepTo(member, typeName);
    if (member.name === typeName) return [{ root, typeName, path: [], isChanged }];
    return step === undefined ? [] : [{ root, typeName, path: [step], isChanged }];
  });
}

function typesIn(operation: string): readonly string[] {
  return isObjectType(typeNamed(operation)) ? [operation.split('.')[0] ?? ''] : [];
}

/** Of `Type.field`. */
function typeNamed(operation: string): GraphQLNamedType | undefined {
  return operation.includes('.') ? schema.getType(operation.split('.')[0] ?? '') : undefined;
}

function objectNamed(typeName: string): GraphQLObjectType {
  const type = schema.getType(typeName);
  if (!isObjectType(type)) throw new Error(`${typeName} is no object`);
  return type;
}

/** Those that rows name; all of them where what is shown depends on who asks. */
function fieldsOf(typeName: string, all: boolean): readonly string[] {
  const fields = Object.keys(objectNamed(typeName).getFields());
  const named = new Set(ROWS.flatMap(({ operations }) => operations));
  return all ? fields : fields.filter((field) => named.has(`${typeName}.${field}`));
}

function neededFor(typeName: string, field: string, isPayload: boolean): readonly Rule[] {
  const own = ROWS.filter(({ operations }) => operations.includes(`${typeName}.${field}`));
  return isPayload && !SHOWN_TO_ALL.includes(field) ? [POLICY['session.read'], ...own] : own;
}

function rootsTaking(typeName: string): readonly string[] {
  return [...FIELDS].flatMap(([name, field]) =>
    field.args.some((arg) => arg.name === 'input' && getNamedType(arg.type).name === typeName) ? [name] : [],
  );
}

/** What is there at a path, through lists, and is not null. */
function valuesIn(value: Answer, path: readonly string[]): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap((one) => valuesIn(one, path));
  const [name, ...rest] = path;
  return name === undefined ? [value] : valuesIn(value[name], rest);
}
