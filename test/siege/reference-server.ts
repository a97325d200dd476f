/**
 * What the machine is worth at this moment: a server that does next to nothing (`/`), or a fixed piece of work (`/work`), in a process of its
 * own. What it waits, everybody waits.
 */
import { createServer } from 'node:http';
import { answerParent } from '../bench/child.ts';
import { listen } from '../bench/listen.ts';

/** Some ten milliseconds of one core: as much as the parts of a turn. */
const WORK_TURNS = 8_000;

export type ReferenceCommands = { readonly port: () => Promise<number> };

const server = createServer((request, response) => {
  const body = request.url === '/work' ? `${work()}` : 'ok';
  response.writeHead(200, { 'content-length': Buffer.byteLength(body) });
  response.end(body);
});
const port = await listen(server);
answerParent({ port: () => Promise.resolve(port) }, () => server.closeAllConnections());

function work(): number {
  let length = 0;
  for (let turn = 0; turn < WORK_TURNS; turn += 1)
    length += JSON.stringify(JSON.parse(`{"turn":${turn},"list":[1,2,3],"text":"a piece of work"}`)).length;
  return length;
}
