/** How an agent's model is called: set, changed, taken back, refused, and what a brain is told of it. */
import { afterAll, describe, expect, it } from 'vitest';
import { requestHash } from '../../src/kernel/request-hash.ts';
import { type Answer, Door } from '../support/door.ts';
import { FAULT, MODEL } from '../support/operations.ts';

const door = await Door.open();
afterAll(() => door.close());

const SETTINGS =
  'effort thinking { mode budgetTokens display } maxOutputTokens contextWindow cacheTtl fallbackModel';
const AGENT = `id revision model ${SETTINGS}`;
const UNSET = {
  effort: null,
  thinking: null,
  maxOutputTokens: null,
  contextWindow: null,
  cacheTtl: null,
  fallbackModel: null,
};
const ALL = {
  effort: 'XHIGH',
  thinking: { mode: 'BUDGET', budgetTokens: 2_048, display: 'SUMMARIZED' },
  maxOutputTokens: 9_000,
  contextWindow: 1_000_000,
  cacheTtl: 'ONE_HOUR',
  fallbackModel: 'anthropic/claude-haiku-4-5',
};

async function create(name: string, settings: object): Promise<Answer> {
  const query = `mutation ($input: CreateAgentInput!) { createAgent(input: $input) {
    ... on CreateAgentPayload { agent { ${AGENT} } replayed } ... on InvalidInput { field } ${FAULT} } }`;
  const input = { name, model: MODEL, prompt: 'Be brief.', ...settings };
  return (await door.ask(query, { input })).createAgent;
}

async function update(id: string, settings: object): Promise<Answer> {
  const query = `mutation ($input: UpdateAgentInput!) { updateAgent(input: $input) {
    ... on UpdateAgentPayload { agent { ${AGENT} } replayed } ... on InvalidInput { field } ${FAULT} } }`;
  return (await door.ask(query, { input: { id, ...settings } })).updateAgent;
}

describe('the settings of an agent', () => {
  it('are what was given, and nothing where nothing was', async () => {
    expect((await create('plain', {})).agent).toMatchObject(UNSET);
    expect((await create('all', ALL)).agent).toMatchObject(ALL);
    expect((await create('adaptive', { thinking: { mode: 'ADAPTIVE' } })).agent.thinking).toEqual({
      mode: 'ADAPTIVE',
      budgetTokens: null,
      display: null,
    });
  });

  it('are part of the definition: the same again is a replay, others are another agent', async () => {
    await create('defined', ALL);

    expect(await create('defined', ALL)).toMatchObject({ replayed: true });
    expect(await create('defined', { ...ALL, effort: 'LOW' })).toMatchObject({ code: 'AGENT_NAME_TAKEN' });
    expect(await create('defined', {})).toMatchObject({ code: 'AGENT_NAME_TAKEN' });
  });

  it('that are not given are no part of a definition, nor of its hash', async () => {
    const { agent } = await create('old', {});
    const stored = await door.agents.get(agent.id);

    expect(stored.requestHash).toBe(requestHash({ name: 'old', prompt: 'Be brief.', model: MODEL }));
    expect('settings' in JSON.parse(JSON.stringify(stored.revision))).toBe(false);
  });

  it('make a revision when they change, and none when they do not; null takes one back, what is left out stays', async () => {
    const { agent } = await create('changing', ALL);

    expect(await update(agent.id, { effort: 'LOW' })).toMatchObject({
      agent: { ...ALL, effort: 'LOW', revision: 2 },
      replayed: false,
    });
    expect(await update(agent.id, { effort: 'LOW', prompt: 'Be brief.' })).toMatchObject({
      agent: { revision: 2 },
      replayed: true,
    });
    expect(await update(agent.id, { thinking: { mode: 'OFF' }, fallbackModel: null })).toMatchObject({
      agent: {
        ...ALL,
        revision: 3,
        effort: 'LOW',
        thinking: { mode: 'OFF', budgetTokens: null, display: null },
        fallbackModel: null,
      },
    });
    const none = Object.fromEntries(Object.keys(UNSET).map((name) => [name, null]));
    expect((await update(agent.id, none)).agent).toMatchObject({ ...UNSET, revision: 4 });
    expect(await door.agents.revision(agent.id, 1)).toMatchObject({
      settings: { effort: 'xhigh', thinking: { mode: 'budget', budgetTokens: 2_048 }, cacheTtl: '1h' },
    });
  });

  it.each([
    ['thinking.budgetTokens', { thinking: { mode: 'BUDGET' } }],
    ['thinking.budgetTokens', { thinking: { mode: 'BUDGET', budgetTokens: 1_023 } }],
    ['thinking.budgetTokens', { thinking: { mode: 'ADAPTIVE', budgetTokens: 2_000 } }],
    ['thinking.budgetTokens', { thinking: { mode: 'BUDGET', budgetTokens: 4_096 }, maxOutputTokens: 4_096 }],
    ['thinking.display', { thinking: { mode: 'OFF', display: 'OMITTED' } }],
    ['maxOutputTokens', { maxOutputTokens: 0 }],
    ['maxOutputTokens', { maxOutputTokens: 1_000_001 }],
    ['contextWindow', { contextWindow: 999 }],
    ['contextWindow', { contextWindow: 10_000_001 }],
    ['fallbackModel', { fallbackModel: 'claude-haiku-4-5' }],
    ['fallbackModel', { fallbackModel: 'rehearsal/echo' }],
    ['fallbackModel', { fallbackModel: MODEL }],
  ])('are refused by their name: %s in %j', async (field, settings) => {
    const { agent } = await create('as it is', {});

    expect(await create('refused', settings)).toMatchObject({ code: 'INVALID_INPUT', field });
    expect(await update(agent.id, settings)).toMatchObject({ code: 'INVALID_INPUT', field });
    expect(await door.ask(`{ agent(name: "as it is") { ... on Agent { ${AGENT} } } }`)).toMatchObject({
      agent: { ...UNSET, revision: 1 },
    });
    expect(await door.ask(`{ agent(name: "refused") { ${FAULT} } }`)).toMatchObject({
      agent: { code: 'AGENT_NOT_FOUND' },
    });
  });

  it('are judged as they come to be: by what was set before, and with another model', async () => {
    const { agent } = await create('judged', { ...ALL, maxOutputTokens: null });

    expect(await update(agent.id, { maxOutputTokens: 2_048 })).toMatchObject({
      field: 'thinking.budgetTokens',
    });
    expect(await update(agent.id, { model: ALL.fallbackModel })).toMatchObject({ field: 'fallbackModel' });
    expect(await update(agent.id, { model: 'rehearsal/echo' })).toMatchObject({ field: 'fallbackModel' });
    expect(await update(agent.id, { model: ALL.fallbackModel, fallbackModel: MODEL })).toMatchObject({
      agent: { model: ALL.fallbackModel, fallbackModel: MODEL, revision: 2 },
    });
  });
});
