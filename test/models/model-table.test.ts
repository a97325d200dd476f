import { describe, expect, it, test } from 'vitest';
import { factsOf, MODELS, planOf } from '../../src/models/model-table.ts';
import { EFFORTS, type Thinking, THINKING_DISPLAYS, THINKING_MODES } from '../../src/sessions/model-plan.ts';

describe('the model table', () => {
  it.each([
    ['claude-opus-5-5', 'claude-opus-5-5'],
    ['claude-opus-5-5-20260922', 'claude-opus-5-5'],
    ['claude-haiku-4-5-20251001', 'claude-haiku-4-5'],
    ['claude-opus-4-20250514', 'claude-opus-4'],
    ['claude-3-5-haiku-latest', 'claude-3-5-haiku'],
    ['us.anthropic.claude-opus-4-1-20250805-v1:0', 'claude-opus-4-1'],
    ['global.anthropic.claude-opus-4-6-v1', 'claude-opus-4-6'],
    ['anthropic.claude-3-5-sonnet-20241022-v2:0', 'claude-3-5-sonnet'],
    [
      'arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0',
      'claude-sonnet-4-5',
    ],
    ['claude-sonnet-4-5@20250929', 'claude-sonnet-4-5'],
    ['claude-3-5-sonnet-v2@20241022', 'claude-3-5-sonnet'],
    ['anthropic/claude-opus-4.5', 'claude-opus-4-5'],
    ['anthropic/claude-3.7-sonnet:thinking', 'claude-3-7-sonnet'],
    ['vertex_ai/Claude-Sonnet-5@20260601', 'claude-sonnet-5'],
  ])('knows %s', (name, model) => {
    expect(factsOf(name)).toBe(MODELS[model]);
  });

  it.each([
    'llama-3',
    'meta/llama-3',
    'claude-opus-7',
    'claude-opus-5-7',
    'claude-opus-5-5-max',
    'claude-constructor',
    'claude-',
    '',
  ])('does not take %s for another model', (name) => {
    expect(factsOf(name)).toBeUndefined();
  });
});

describe('the plan of a model', () => {
  it('is the default for a model that is not known, with nothing said about thinking', () => {
    expect(planOf('meta/llama-3')).toEqual({
      name: 'meta/llama-3',
      contextWindow: 200_000,
      outputTokensMax: 32_000,
      effort: undefined,
      thinking: undefined,
      cacheTtl: '5m',
    });
  });

  it('uses the whole window, and not the whole of a large output', () => {
    expect(planOf('claude-opus-5-5')).toMatchObject({ contextWindow: 1_000_000, outputTokensMax: 64_000 });
    expect(planOf('claude-sonnet-4-5')).toMatchObject({ contextWindow: 200_000, outputTokensMax: 32_000 });
    expect(planOf('claude-3-haiku-20240307')).toMatchObject({ outputTokensMax: 4_096 });
  });

  it('takes the window from the agent, else from the deployment, else from the table', () => {
    const windows = new Map([['claude-opus-5-5', 300_000]]);

    expect(planOf('claude-opus-5-5', { contextWindow: 8_000 }, windows)).toMatchObject({
      contextWindow: 8_000,
      outputTokensMax: 2_000, // the answer leaves room for what it answers
    });
    expect(planOf('claude-opus-5-5', {}, windows).contextWindow).toBe(300_000);
    expect(planOf('claude-opus-5', {}, windows).contextWindow).toBe(1_000_000);
  });

  it('asks for no longer answer than the model or the window allows', () => {
    expect(planOf('claude-opus-4-1', { maxOutputTokens: 64_000 }).outputTokensMax).toBe(32_000);
    expect(planOf('claude-opus-5-5', { maxOutputTokens: 128_000 }).outputTokensMax).toBe(128_000);
    expect(planOf('llama', { maxOutputTokens: 9_000, contextWindow: 4_000 }).outputTokensMax).toBe(4_000);
  });

  it('shows what a model thinks that thinks by itself and would show nothing', () => {
    const shown = { mode: 'adaptive', display: 'summarized' };

    expect(planOf('claude-opus-5-5').thinking).toEqual(shown);
    expect(planOf('claude-opus-5-5', { thinking: { mode: 'adaptive' } }).thinking).toEqual(shown);
    expect(planOf('claude-opus-4-7', { thinking: { mode: 'adaptive' } }).thinking).toEqual(shown);
    expect(planOf('claude-opus-4-7').thinking).toBeUndefined(); // it does not think unasked
    expect(planOf('claude-haiku-4-5').thinking).toBeUndefined();
    expect(
      planOf('claude-opus-5-5', { thinking: { mode: 'adaptive', display: 'omitted' } }).thinking,
    ).toEqual({
      mode: 'adaptive',
      display: 'omitted',
    });
  });

  it('asks for the nearest thinking that the model takes', () => {
    const thinkingOf = (name: string, thinking: Thinking) => planOf(name, { thinking }).thinking?.mode;

    expect(thinkingOf('claude-opus-5-5', { mode: 'budget', budgetTokens: 4_000 })).toBe('adaptive');
    expect(thinkingOf('claude-opus-5-5', { mode: 'off' })).toBe('adaptive');
    expect(thinkingOf('claude-opus-5', { mode: 'off' })).toBe('off');
    expect(thinkingOf('claude-sonnet-4-5', { mode: 'adaptive' })).toBe('budget');
    expect(thinkingOf('claude-opus-4-6', { mode: 'budget', budgetTokens: 4_000 })).toBe('budget');
    expect(thinkingOf('claude-3-5-haiku', { mode: 'adaptive' })).toBeUndefined();
    expect(thinkingOf('llama', { mode: 'adaptive' })).toBe('adaptive'); // nobody knows better than the agent
  });

  it('thinks least with the least effort where thinking cannot be off', () => {
    expect(planOf('claude-opus-5-5', { thinking: { mode: 'off' } }).effort).toBe('low');
    expect(planOf('claude-opus-5-5', { thinking: { mode: 'off' }, effort: 'high' }).effort).toBe('high');
  });

  it('asks for the nearest effort that the model takes', () => {
    expect(planOf('claude-opus-5-5', { effort: 'max' }).effort).toBe('max');
    expect(planOf('claude-sonnet-4-6', { effort: 'xhigh' }).effort).toBe('high');
    expect(planOf('claude-opus-4-5', { effort: 'max' }).effort).toBe('high');
    expect(planOf('claude-haiku-4-5', { effort: 'low' }).effort).toBeUndefined();
    expect(planOf('claude-opus-5', { effort: 'max', thinking: { mode: 'off' } }).effort).toBe('high');
    expect(planOf('claude-opus-4-8', { effort: 'max', thinking: { mode: 'off' } }).effort).toBe('max');
  });

  it('gives a budget room beside it, or leaves it out', () => {
    const budgetOf = (name: string, budgetTokens: number | undefined, maxOutputTokens?: number) => {
      const plan = planOf(name, { thinking: { mode: 'budget', budgetTokens }, maxOutputTokens });
      return [plan.outputTokensMax, plan.thinking?.budgetTokens];
    };

    expect(budgetOf('claude-sonnet-4-5', 10_000)).toEqual([42_000, 10_000]);
    expect(budgetOf('claude-sonnet-4-5', 500)).toEqual([32_500, 1_024]);
    expect(budgetOf('claude-sonnet-4-5', undefined)).toEqual([32_000, 16_000]);
    expect(budgetOf('claude-sonnet-4-5', 10_000, 8_000)).toEqual([8_000, 6_976]);
    expect(budgetOf('claude-sonnet-4-5', 10_000, 1_500)).toEqual([1_500, 1_024]);
    expect(budgetOf('claude-sonnet-4-5', 10_000, 1_024)).toEqual([1_024, undefined]);
    expect(budgetOf('llama', 40_000)).toEqual([32_000, 30_976]);
  });

  test('no settings make a request that the model refuses', () => {
    for (const [name, facts] of Object.entries(MODELS)) {
      for (const mode of [undefined, ...THINKING_MODES]) {
        for (const effort of [undefined, ...EFFORTS]) {
          for (const display of [undefined, ...THINKING_DISPLAYS]) {
            for (const maxOutputTokens of [undefined, 1, 1_024, 1_025, 2_048, 500_000]) {
              for (const budgetTokens of mode === 'budget' ? [undefined, 1, 1_024, 300_000] : [undefined]) {
                const thinking = mode === undefined ? undefined : { mode, budgetTokens, display };
                const plan = planOf(name, { thinking, effort, maxOutputTokens });

                const problems = [
                  plan.outputTokensMax > facts.outputTokensMax && 'too long an answer',
                  plan.thinking !== undefined && !facts.modes.includes(plan.thinking.mode) && 'thinking',
                  plan.effort !== undefined && !facts.efforts.includes(plan.effort) && 'effort',
                  plan.thinking?.mode === 'budget' &&
                    !(
                      Number(plan.thinking.budgetTokens) >= 1_024 &&
                      Number(plan.thinking.budgetTokens) < plan.outputTokensMax
                    ) &&
                    'budget',
                  plan.thinking?.mode === 'off' &&
                    facts.offEffortMax !== undefined &&
                    ['xhigh', 'max'].includes(plan.effort ?? '') &&
                    'effort without thinking',
                ].filter((problem) => problem !== false);
                if (problems.length > 0) expect({ name, thinking, effort, plan, problems }).toBeUndefined();
              }
            }
          }
        }
      }
    }
  });
});
