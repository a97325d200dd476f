/** Readers that take a few bytes now and then, or none, of answers and streams of ordinary size; and senders that never finish. */
import type { Dice } from '../../simulate/dice.ts';
import { requestBytes } from '../client.ts';
import type { Ground } from '../ground.ts';
import type { Action, Kind } from '../kind.ts';
import { pause } from '../probe.ts';

const DRIP_MS = 50;
const DRIPS = 40;

export const slowReaders: Kind = {
  name: 'slow readers',
  attacks: 'pages, streams and sockets that are read by drops or not at all',
  atOnce: 10,
  few: 25,
  action(dice: Dice, ground: Ground): Action {
    const id = ground.longLog;
    const page = `{ session(id: "${id}") { ... on Session { events(first: 100) { nodes { seq body } } } } }`;
    const follow = `subscription { sessionEvents(sessionId: "${id}", deltas: true) { ... on EventBatch { cursor events { seq type body } } } }`;
    const bearer = dice.pick([ground.readToken, ground.key]);
    const what = dice.pick(['page', 'stream', 'socket'] as const);
    const drops = dice.hits(0.4);
    const operations = dice.pick([1, 5, 50, 100, 150]);
    const told = `${what}, ${drops ? 'by drops' : 'unread'}, ${operations} operations`;
    return {
      told,
      async run() {
        if (what === 'socket') return readSocket(ground, bearer, page, follow, operations, drops);
        const query = what === 'page' ? page : follow;
        const accept = what === 'page' ? 'application/json' : 'text/event-stream';
        const socket = ground.client.unread(requestBytes(JSON.stringify({ query }), bearer, accept));
        for (let drip = drops ? 0 : DRIPS; drip < DRIPS && !socket.destroyed; drip += 1) {
          socket.read(1);
          await pause(DRIP_MS);
        }
      },
    };
  },
};

async function readSocket(
  ground: Ground,
  bearer: string,
  page: string,
  follow: string,
  operations: number,
  drops: boolean,
): Promise<void> {
  const socket = await ground.client.socket(bearer);
  if (socket === undefined) return;
  socket.pause();
  for (let at = 0; at < operations; at += 1) {
    const payload = { query: at % 3 === 0 ? page : follow };
    socket.send(JSON.stringify({ id: `s${at}`, type: 'subscribe', payload }));
  }
  for (let drip = drops ? 0 : DRIPS; drip < DRIPS && socket.readyState === socket.OPEN; drip += 1) {
    socket.resume();
    await pause(1);
    socket.pause();
    await pause(DRIP_MS);
  }
}
