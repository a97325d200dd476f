/** What a browser without any key may ask for: the console and the other pages, many times, read and unread. */
import type { Dice } from '../../simulate/dice.ts';
import type { Ground } from '../ground.ts';
import type { Action, Kind } from '../kind.ts';

const PATHS = [
  '/graphql',
  '/graphql',
  '/graphql?query=%7B__typename%7D',
  '/',
  '/healthz',
  '/readyz',
  '/favicon.ico',
  '/graphql/../x',
];
const ACCEPTS = [
  'text/html',
  'text/html,application/xhtml+xml;q=0.9',
  '*/*',
  'text/html;q=0.1,application/json',
];
const ENCODINGS = ['', 'gzip', 'br, gzip', 'identity', 'gzip;q=0'];

export const consoleFloods: Kind = {
  name: 'console',
  attacks: 'GraphiQL and the pages beside it, without a key, many times, read and unread',
  atOnce: 8,
  few: 40,
  action(dice: Dice, ground: Ground): Action {
    const method = dice.pick(['GET', 'GET', 'GET', 'HEAD', 'OPTIONS']);
    const path = dice.pick(PATHS);
    const accept = dice.pick(ACCEPTS);
    const encoding = dice.pick(ENCODINGS);
    const unread = dice.hits(0.6);
    const count = unread ? dice.pick([1, 10, 50]) : 1;
    const head = `${method} ${path} HTTP/1.1\r\nHost: siege\r\nAccept: ${accept}\r\nAccept-Encoding: ${encoding}\r\n\r\n`;
    return {
      told: `${count} times ${method} ${path}, ${accept}, ${encoding}${unread ? ', unread' : ''}`,
      async run() {
        if (!unread) {
          const headers = { accept, 'accept-encoding': encoding, 'content-type': 'text/plain' };
          await ground.client.ask({ method, path, headers });
          return;
        }
        for (let at = 0; at < count; at += 1) ground.client.unread(head);
      },
    };
  },
};
