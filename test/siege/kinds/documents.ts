/** Documents by the grammar, over HTTP and over a socket, with the owner's key, with a client token that only reads, and with none. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema } from 'graphql';
import type { Dice } from '../../simulate/dice.ts';
import { Grammar } from '../grammar.ts';
import { requestBytes } from '../client.ts';
import type { Ground } from '../ground.ts';
import type { Action, Kind } from '../kind.ts';

const schema = buildSchema(readFileSync(join(import.meta.dirname, '../../../schema/schema.graphql'), 'utf8'));

export const documents: Kind = {
  name: 'documents',
  attacks: 'documents by a grammar: deep, wide, multiplied, with wrong variables, broken',
  atOnce: 6,
  few: 60,
  action(dice: Dice, ground: Ground): Action {
    const grammar = new Grammar(schema, [ground.largeBodies, ground.longLog]);
    const { shape, query, variables, operationName } = grammar.document(dice);
    const bearer = dice.pick([
      ground.bodiesToken,
      ground.bodiesToken,
      ground.readToken,
      ground.key,
      undefined,
    ]);
    const body = JSON.stringify({ query, variables, operationName });
    const transport = dice.pick(['http', 'http', 'get', 'sse', 'socket', 'odd body'] as const);
    const told = `${shape} by ${transport}: ${body.slice(0, 300)}`;
    return { told, run: () => send(ground, transport, body, bearer, dice) };
  },
};

async function send(
  ground: Ground,
  transport: 'http' | 'get' | 'sse' | 'socket' | 'odd body',
  body: string,
  bearer: string | undefined,
  dice: Dice,
): Promise<void> {
  switch (transport) {
    case 'http':
      await ground.client.ask({ bearer, body });
      return;
    case 'get': {
      const { query, variables } = JSON.parse(body) as { query: string; variables: object }; // written above
      const words = new URLSearchParams({
        query: query.slice(0, 8_000),
        variables: JSON.stringify(variables),
      });
      await ground.client.ask({
        method: 'GET',
        path: `/graphql?${words}`,
        bearer,
        headers: { accept: 'application/json' },
      });
      return;
    }
    case 'sse': {
      // A stream has no end: it is read until the kind is over.
      ground.client.connection().write(requestBytes(body, bearer, 'text/event-stream'));
      return;
    }
    case 'socket': {
      const socket = await ground.client.socket(bearer);
      socket?.send(`{"id":"1","type":"subscribe","payload":${body}}`);
      return;
    }
    case 'odd body':
      await ground.client.ask({
        bearer,
        body: dice.pick([`[${body}]`, '{}', 'null', '[]', body.slice(0, -1), `{"query":${body}}`]),
      });
  }
}
