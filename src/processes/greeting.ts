/** What `npm start` says: where it is, the key (once), and three lines to paste. */
import type { Config } from './config.ts';
import type { ControlPlane } from './control-plane.ts';

export function greeting(config: Config, controlPlane: ControlPlane): string {
  const { url, firstKey } = controlPlane;
  const key = firstKey ?? '$HOLDFAST_KEY';
  const model = config.anthropic.key === undefined ? 'rehearsal/echo' : 'anthropic/claude-sonnet-5';
  const create = `mutation { createAgent(input: { name: \\"hello\\", model: \\"${model}\\", prompt: \\"You are helpful.\\" }) { __typename } }`;
  const start = `mutation { startSession(input: { agent: \\"hello\\", input: \\"Say hello.\\" }) { __typename ... on StartSessionPayload { session { id } } } }`;
  const list = `{ sessions(first: 1) { nodes { id status result { ... on AgentMessage { text } } } } }`;
  const curl = (query: string): string =>
    `  curl -s ${url}/graphql -H 'authorization: Bearer ${key}' -H 'content-type: application/json' -d '{"query":"${query}"}'`;
  return [
    `Holdfast runs at ${url}/graphql${config.graphiql ? ' (GraphiQL in a browser)' : ''}`,
    firstKey === undefined
      ? '  API key: the one from the first start, or HOLDFAST_ROOT_KEY.'
      : `  API key: ${firstKey}   (shown this once; keep it)`,
    `  Data:    ${config.dataFolder}`,
    config.anthropic.key === undefined
      ? '  Models:  no ANTHROPIC_API_KEY: give agents a key, or use rehearsal/echo, which needs none.'
      : '  Models:  anthropic/… with ANTHROPIC_API_KEY, rehearsal/… without any key.',
    ...(config.isolation === 'none'
      ? ['  Isolation: NONE. Commands of agents run as this user on this machine.']
      : []),
    'Try:',
    curl(create),
    curl(start),
    curl(list),
    '',
  ].join('\n');
}
