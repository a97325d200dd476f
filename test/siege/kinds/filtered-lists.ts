/** Lists and streams whose filter matches little or nothing, under many names: they answer nothing and read much. */
import type { Dice } from '../../simulate/dice.ts';
import type { Ground } from '../ground.ts';
import type { Action, Kind } from '../kind.ts';

const TYPES = [
  'session.archived',
  'turn.completed',
  'agent.message',
  'nobody.knows',
  'constructor',
  '__proto__',
  'toString',
];

export const filteredLists: Kind = {
  name: 'filtered lists',
  attacks: 'filters that match nothing of a long log, under up to fifty names',
  atOnce: 3,
  few: 20,
  action(dice: Dice, ground: Ground): Action {
    const types = Array.from({ length: dice.below(3) + 1 }, () => dice.pick(TYPES));
    const level = dice.pick(['', ', level: USER', ', level: INTERNAL']);
    const count = dice.pick([1, 10, 50, 51]);
    const first = dice.pick([1, 10]);
    const list = `events(first: ${first}, types: ${JSON.stringify(types)}${level}) { nodes { seq } pageInfo { hasNextPage } }`;
    const lists = Array.from({ length: count }, (_, at) => `a${at}: ${list}`).join(' ');
    const bearer = dice.pick([ground.readToken, ground.readToken, ground.key]);
    const how = dice.pick(['list', 'list', 'list', 'stream', 'sessions'] as const);
    return {
      told: `${how}: ${count} names, first ${first}, ${types.join(' ')}${level}`,
      async run() {
        if (how === 'stream') return follow(ground, bearer, types, count);
        const query =
          how === 'list'
            ? `{ session(id: "${ground.longLog}") { ... on Session { ${lists} } } }`
            : `{ ${Array.from({ length: count }, (_, at) => `a${at}: sessions(first: 1, key: "k${at}", status: ARCHIVED) { nodes { id } }`).join(' ')} }`;
        const answer = await ground.client.post(query, {}, how === 'list' ? bearer : ground.key);
        const isOfPrototype = types.every((type) => ['constructor', '__proto__', 'toString'].includes(type));
        if (how === 'list' && isOfPrototype && answer?.text.includes('"nodes"') === true)
          ground.tally.found(`a list is filtered by a type that there is not: ${types.join(' ')}`);
      },
    };
  },
};

async function follow(
  ground: Ground,
  bearer: string,
  types: readonly string[],
  count: number,
): Promise<void> {
  const socket = await ground.client.socket(bearer);
  const query = `subscription ($types: [String!]) { sessionEvents(sessionId: "${ground.longLog}", filter: { types: $types }) { __typename } }`;
  for (let at = 0; at < count; at += 1)
    socket?.send(
      JSON.stringify({ id: `f${at}`, type: 'subscribe', payload: { query, variables: { types } } }),
    );
}
