/** The samples of docs/tools.md do what the page says. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { must } from '../../src/kernel/assert.ts';
import { ROOT_KEY, World } from '../support/world.ts';

const PAGE = readFileSync(new URL('../../docs/tools.md', import.meta.url), 'utf8');

type Serve = (
  url: string,
  key: string,
  sessionId: string,
  run: (call: { tool: string; input: unknown }) => Promise<unknown>,
) => Promise<void>;

/** The fenced block of this name. */
function sample(name: string): string {
  return must(new RegExp(`^\`\`\`\\w+ ${name}\n([^]*?)^\`\`\``, 'm').exec(PAGE)?.[1], `the page has ${name}`);
}

let world: World;
let folder: string;
let serve: Serve;
let declared: unknown;
beforeAll(async () => {
  world = await World.open({ HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts` });
  declared = (await world.graphql(sample('declare'))).createAgent;
  folder = mkdtempSync(join(tmpdir(), 'holdfast-tools-page-'));
  const file = join(folder, 'serve.ts');
  writeFileSync(file, sample('serve'));
  ({ serve } = (await import(file)) as { serve: Serve });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await world.close();
});

const lastWords = async (id: string): Promise<string> =>
  (await world.sees(id, 'turn.completed')).filter(({ type }) => type === 'agent.message').at(-1)?.body.text;

it('the agent has the tool', () => {
  const tools = [{ name: 'lookup_order', timeoutSeconds: 3_600 }];
  expect(declared).toMatchObject({ agent: { revision: 1, tools } });
});

it('the program answers what waits, and sees inputs that fit alone', async () => {
  const id = await world.startSession({ agent: 'clerk', input: 'Where is order seven?' });
  const seen: unknown[] = [];

  await serve(`${world.url}/graphql`, ROOT_KEY, id, async ({ tool, input }) => {
    seen.push([tool, input]);
    return { status: 'sent', days: 2 };
  });

  expect(seen).toEqual([['lookup_order', { number: 7 }]]);
  expect(await lastWords(id)).toBe('I looked: {"status":"sent","days":2}');
}, 60_000);

it('a program that fails tells the model why', async () => {
  const id = await world.startSession({ agent: 'clerk', input: 'Where is order seven?' });

  await serve(`${world.url}/graphql`, ROOT_KEY, id, () => Promise.reject(new Error('The shop is closed.')));

  expect(await lastWords(id)).toBe('I looked: The shop is closed.');
}, 60_000);

it('the mutation answers it by hand', async () => {
  const id = await world.startSession({ agent: 'clerk', input: 'Where is order seven?' });
  const requested = (await world.sees(id, 'tool.requested')).findLast(
    ({ type }) => type === 'tool.requested',
  );

  const { answerToolCall } = await world.graphql(sample('answer'), {
    sessionId: id,
    callId: requested?.body.callId,
  });

  expect(answerToolCall).toEqual({ applied: true, resolution: 'ANSWERED', session: { status: 'RUNNING' } });
  expect(await lastWords(id)).toBe('I looked: Order 7 is on its way.');
}, 60_000);
