/** What `npm start` says: where it is, the key (once), and three lines to paste. */
import type { Config } from './config.ts';
import type { ControlPlane } from './control-plane.ts';

export function greeting(config: Config, controlPlane: ControlPlane): string {
  const { url, place, firstKey, keyAdvice } = controlPlane;
  const model = config.providers.anthropic.key === undefined ? 'rehearsal/echo' : 'anthropic/claude-sonnet-5';
  const create = `mutation { createAgent(input: { name: \\"hello\\", model: \\"${model}\\", prompt: \\"You are helpful.\\" }) { __typename ... on Fault { message } } }`;
  const start = `mutation { startSession(input: { agent: \\"hello\\", input: \\"Say hello.\\" }) { __typename ... on StartSessionPayload { session { id } } ... on Fault { message } } }`;
  const list = `{ sessions(first: 1) { nodes { id status why result { ... on AgentMessage { text } } } } }`;
  const { name, shown } = keyOf(config, firstKey, keyAdvice);
  const curl = (query: string): string =>
    `  curl -s ${url}/graphql -H "authorization: Bearer ${shown}" -H 'content-type: application/json' -d '{"query":"${query}"}'; echo`;
  return [
    `Holdfast runs at ${url}/graphql${config.graphiql ? ' (GraphiQL in a browser)' : ''}`,
    `  API key: ${name}`,
    `  Data:    ${config.dataFolder}`,
    `  Store:   ${place}`,
    config.providers.anthropic.key === undefined
      ? '  Models:  no ANTHROPIC_API_KEY: give agents a key, or use rehearsal/echo, which needs none.'
      : '  Models:  anthropic/… with ANTHROPIC_API_KEY, rehearsal/… without any key.',
    ...(config.isolation === 'none'
      ? ['  Isolation: NONE. Commands of agents run as this user on this machine.']
      : []),
    'Try:',
    curl(create),
    curl(start),
    `  sleep 1; ${curl(list).trim()}`,
    '',
  ].join('\n');
}

/** How the key is told, and how it stands in a command line that can be pasted. */
function keyOf(
  { rootKey }: Config,
  firstKey: string | undefined,
  advice: string | undefined,
): { name: string; shown: string } {
  if (firstKey !== undefined) return { name: `${firstKey}   (shown this once; keep it)`, shown: firstKey };
  if (advice !== undefined) return { name: advice, shown: '$HOLDFAST_KEY' };
  if (rootKey !== undefined) return { name: 'the one in HOLDFAST_ROOT_KEY', shown: '$HOLDFAST_ROOT_KEY' };
  return {
    name: 'the one from the first start; if it is lost, set HOLDFAST_ROOT_KEY to one of yours. For the lines below: export HOLDFAST_KEY=<key>',
    shown: '$HOLDFAST_KEY',
  };
}
