/** A key that is sent with a slip: in the wrong place, of the wrong type, in a broken document. No refusal may repeat it. */
import type { Dice } from '../../simulate/dice.ts';
import type { Ground } from '../ground.ts';
import type { Action, Kind } from '../kind.ts';

const MUTATIONS = ['createCredential', 'updateCredential', 'createAgent', 'updateAgent'] as const;

export const secrets: Kind = {
  name: 'secrets',
  attacks: 'a model key that is sent with a slip, so that a refusal may repeat it',
  atOnce: 4,
  few: 60,
  action(dice: Dice, ground: Ground): Action {
    const key = ground.canary;
    const mutation = dice.pick(MUTATIONS);
    const type = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input`;
    const input = inputOf(dice, key);
    const document = documentOf(dice, mutation, type, input, key);
    const how = dice.pick(['http', 'http', 'socket', 'get', 'bearer', 'init'] as const);
    return {
      told: `${mutation} by ${how}: ${JSON.stringify(document).replaceAll(key, '<key>').slice(0, 300)}`,
      run: () => send(ground, how, document, key),
    };
  },
};

interface Sent {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  readonly operationName?: string | undefined;
}

/** An input that is right in most parts, and holds the key in a wrong one. */
function inputOf(dice: Dice, key: string): Record<string, unknown> {
  const right = { provider: 'anthropic', name: 'n', model: 'rehearsal/echo', prompt: 'p', key: `${key} ` };
  const wrong: readonly unknown[] = [
    { secret: key },
    [key],
    [[key]],
    { [key]: 1 },
    `${key} with a space`,
    `${key}\n`,
  ];
  const field = dice.pick([
    'key',
    'provider',
    'name',
    'model',
    'isDefault',
    'credentialId',
    'bogus',
    'limits',
  ]);
  return { ...right, [field]: dice.pick(wrong) };
}

function documentOf(
  dice: Dice,
  mutation: (typeof MUTATIONS)[number],
  type: string,
  input: Record<string, unknown>,
  key: string,
): Sent {
  const answer = '{ __typename ... on Fault { code message } }';
  switch (
    dice.pick([
      'variable',
      'variable',
      'wrong type',
      'literal',
      'unclosed',
      'unquoted',
      'name',
      'id',
    ] as const)
  ) {
    case 'variable':
      return {
        query: `mutation ($input: ${type}!) { ${mutation}(input: $input) ${answer} }`,
        variables: { input },
      };
    case 'wrong type':
      return {
        query: `mutation ($key: ${dice.pick(['Int', 'Boolean', '[Int!]', type, 'MessageMode'])}) { createCredential(input: { provider: "anthropic", key: $key }) ${answer} }`,
        variables: { key },
      };
    case 'literal':
      return { query: `mutation { ${mutation}(input: ${literal(input)}) ${answer} }` };
    case 'unclosed':
      return { query: `mutation { ${mutation}(input: { provider: "anthropic", key: "${key}` };
    case 'unquoted': {
      const bare = dice.pick([key, key.replaceAll('-', '_'), `$${key.replaceAll('-', '_')}`]);
      return {
        query: `mutation { createCredential(input: { provider: "anthropic", key: ${bare} }) ${answer} }`,
      };
    }
    case 'name':
      return { query: `mutation Named { ${mutation}(input: {}) ${answer} }`, operationName: key };
    case 'id':
      return {
        query: `{ agent(id: "${key}") ${answer} credential(id: "${key}") ${answer} session(id: "${key}") ${answer} }`,
      };
  }
}

async function send(
  { client, key: ownKey }: Ground,
  how: 'http' | 'socket' | 'get' | 'bearer' | 'init',
  document: Sent,
  key: string,
): Promise<void> {
  switch (how) {
    case 'http':
      await client.ask({ bearer: ownKey, body: JSON.stringify(document) });
      return;
    case 'get':
      await client.ask({
        method: 'GET',
        path: `/graphql?query=${encodeURIComponent(document.query)}`,
        bearer: ownKey,
      });
      return;
    case 'bearer':
      await client.ask({ bearer: key, body: JSON.stringify(document) });
      return;
    case 'init':
      await client.socket(key);
      return;
    case 'socket': {
      const socket = await client.socket(ownKey);
      socket?.send(JSON.stringify({ id: 's', type: 'subscribe', payload: document }));
    }
  }
}

/** As it stands in a document: names of fields are not quoted. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, one]) => `${name.replaceAll('-', '_')}: ${literal(one)}`);
  return `{ ${fields.join(', ')} }`;
}
