/** Legal operations whose answers are as large as answers may be: whole bodies under several names, many at once, read and unread. */
import type { Dice } from '../../simulate/dice.ts';
import { requestBytes } from '../client.ts';
import type { Ground } from '../ground.ts';
import type { Action, Kind } from '../kind.ts';

export const wholeBodies: Kind = {
  name: 'whole bodies',
  attacks: 'the largest answers and frames that are legal, at once, read and unread',
  atOnce: 8,
  few: 24,
  action(dice: Dice, ground: Ground): Action {
    const names = dice.below(8) + 1;
    const first = dice.pick([1, 3, 10, 60, 100]);
    const bodies = Array.from({ length: names }, (_, at) => `b${at}: fullBody`).join(' ');
    const id = ground.largeBodies;
    const query = `{ session(id: "${id}") { ... on Session { events(first: ${first}) { nodes { ${bodies} } } } } }`;
    const follow = `subscription { sessionEvents(sessionId: "${id}") { ... on EventBatch { events { ${bodies} } } } }`;
    const bearer = dice.pick([ground.bodiesToken, ground.key]);
    const how = dice.pick([
      'read',
      'unread',
      'unread',
      'unread SSE',
      'unread socket',
      'unread socket',
    ] as const);
    const count = dice.below(20) + 1;
    const told = `${how} ${count} times: ${names} names, first ${first}`;
    return { told, run: () => ask(ground, how, query, follow, bearer, count) };
  },
};

async function ask(
  ground: Ground,
  how: 'read' | 'unread' | 'unread SSE' | 'unread socket',
  query: string,
  follow: string,
  bearer: string,
  count: number,
): Promise<void> {
  const { client } = ground;
  switch (how) {
    case 'read':
      await client.post(query, {}, bearer);
      return;
    case 'unread':
      for (let at = 0; at < count; at += 1) client.unread(requestBytes(JSON.stringify({ query }), bearer));
      return;
    case 'unread SSE':
      for (let at = 0; at < count; at += 1)
        client.unread(requestBytes(JSON.stringify({ query: follow }), bearer, 'text/event-stream'));
      return;
    case 'unread socket': {
      const socket = await client.socket(bearer);
      socket?.pause();
      for (let at = 0; at < count; at += 1) {
        const payload = { query: at % 2 === 0 ? follow : query };
        socket?.send(JSON.stringify({ id: `b${at}`, type: 'subscribe', payload }));
      }
    }
  }
}
