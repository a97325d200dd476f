/** Rules about tool calls: which fits what, and which one decides. */
import { describe, expect, it } from 'vitest';
import {
  PATTERN_TEXT_CHARS_MAX,
  fitsPath,
  fitsText,
  literalPattern,
} from '../../src/sessions/tool-pattern.ts';
import { parseRules, PATTERN_CHARS_MAX, TOOL_RULES_MAX } from '../../src/sessions/tool-rule-request.ts';
import { ruleFor, ruleOfCall, type ToolAction, type ToolRule } from '../../src/sessions/tool-rule.ts';
import { randomOf } from '../support/random.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1_000_000));

const actionOf = (rule: Partial<ToolRule>, input: unknown, tool = 'bash'): ToolAction =>
  ruleFor(
    {
      toolRules: [
        { tool: '*', action: 'allow', ...rule },
        { tool: '*', action: 'ask' },
      ],
    },
    { tool, input },
  ).action;

describe('a pattern', () => {
  it.each([
    ['git *', 'git status', true],
    ['git *', 'git ', true],
    ['git *', 'git', false],
    ['git *', 'gitx status', false],
    ['*', '', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'axxbyyc', true],
    ['a*bc', 'abbc', true],
    ['ab*ba', 'aba', false],
    [String.raw`2 \* 3`, '2 * 3', true],
    [String.raw`2 \* 3`, '2 x 3', false],
    [String.raw`a\\b`, String.raw`a\b`, true],
  ])('%s fits %s: %s', (pattern, text, fits) => {
    expect(fitsText(pattern, text)).toBe(fits);
  });

  it.each([
    ['/workspace/secrets/**', '/workspace/secrets/a/b', true],
    ['/workspace/secrets/**', '/workspace/secrets', true],
    ['/workspace/secrets/**', '/workspace/secrets2/a', false],
    ['/workspace/*.ts', '/workspace/a.ts', true],
    ['/workspace/*.ts', '/workspace/src/a.ts', false],
    ['/workspace/**/*.ts', '/workspace/src/deep/a.ts', true],
    ['/workspace/**/x/**/y', '/workspace/a/x/b/x/c/y', true],
    ['/workspace/**/x/**/y', '/workspace/a/x/b/x/c', false],
  ])('%s fits the path %s: %s', (pattern, path, fits) => {
    expect(fitsPath(pattern, path)).toBe(fits);
  });

  it(`of any text fits that text, and no other (SEED=${SEED})`, () => {
    const random = randomOf(SEED);
    const chars = ['*', '\\', 'a', 'b', ' ', '/'];
    const text = (): string =>
      Array.from({ length: random.below(8) }, () => chars[random.below(chars.length)]).join('');
    for (let tries = 0; tries < 2_000; tries += 1) {
      const [one, other] = [text(), text()];
      expect(fitsText(literalPattern(one), other), `${one} and ${other}`).toBe(one === other);
    }
  });
});

describe('a rule that allows (proves APPROVAL-2)', () => {
  it.each([
    'git status; rm -rf /',
    'git status && rm x',
    'git status | sh',
    'git log > /etc/x',
    'git log < x',
    'git $(rm x)',
    'git `rm x`',
    'git ${x}',
    'git status\nrm x',
    'git status\rrm x',
    'git status & rm x',
    'git status \\\n; rm x',
    'git "$(rm x)"',
  ])('fits no line that may run another command: %j', (command) => {
    expect(actionOf({ command: 'git *' }, { command })).toBe('ask');
    expect(actionOf({ command: literalPattern(command) }, { command }), 'that very line').toBe('allow');
  });

  it(`fits nothing into which a separator was put (SEED=${SEED})`, () => {
    const random = randomOf(SEED);
    const separators = [';', '&', '|', '\n', '\r', '`', '$(', '<', '>', '(', '{', '&&', '||', ';;'];
    for (let tries = 0; tries < 500; tries += 1) {
      const words = Array.from(
        { length: 1 + random.below(5) },
        () => ['a', '-m', '"x"', "'y'", '--z=1'][random.below(5)],
      );
      words.splice(random.below(words.length + 1), 0, separators[random.below(separators.length)]);
      const command = `git ${words.join(random.below(2) === 0 ? ' ' : '')}`;
      expect([command, actionOf({ command: 'git *' }, { command })]).toEqual([command, 'ask']);
    }
  });

  it('fits a call only if it passes what the pattern is of, as text, and not beyond what is looked through', () => {
    for (const input of [
      {},
      null,
      'git status',
      { command: 7 },
      { path: 'git status' },
      { command: `git ${'x'.repeat(PATTERN_TEXT_CHARS_MAX)}` },
    ])
      expect(actionOf({ command: 'git *' }, input)).toBe('ask');
    expect(actionOf({ command: 'git *' }, { command: 'git commit -m "two words"' })).toBe('allow');
    expect(
      actionOf({ tool: 'read', path: '/workspace/docs/**' }, { path: 'docs/../secrets/x' }, 'read'),
    ).toBe('ask');
    expect(actionOf({ tool: 'read', path: '/workspace/docs/**' }, { path: './docs//a.md' }, 'read')).toBe(
      'allow',
    );
    expect(actionOf({ tool: 'read' }, {}, 'write')).toBe('ask');
  });

  it.each([
    ['https://api.example.com/x', 'allow'],
    ['https://API.Example.com.:8443/x', 'allow'],
    ['api.example.com:80', 'allow'],
    ['https://api.example.com@evil.test/', 'ask'],
    ['https://evil.test/api.example.com', 'ask'],
    ['https://evil.test#api.example.com', 'ask'],
    ['https://example.com', 'ask'],
    ['not a url at all', 'ask'],
  ])('of a host fits the host of %s: %s', (url, action) => {
    expect(actionOf({ host: '*.example.com' }, { url }, 'fetch')).toBe(action);
    expect(actionOf({ host: '*.example.com' }, { url, host: 'evil.test' }, 'fetch')).toBe('ask');
  });
});

describe('a rule that denies (proves APPROVAL-2)', () => {
  const denies = (command: string): boolean =>
    ruleFor(
      { toolRules: [{ tool: 'bash', action: 'deny', command: 'rm *' }] },
      { tool: 'bash', input: { command } },
    ).action === 'deny';

  it.each([
    'rm -rf x',
    'cd y && rm x',
    'true; rm x',
    'x=$(rm x)',
    'FOO=1 rm x',
    'sudo rm x',
    'if true; then rm x; fi',
    '{ rm x; }',
    'a\nrm x',
  ])('fits any command of %j', (command) => {
    expect(denies(command)).toBe(true);
  });

  it('fits what is too long to be looked through', () => {
    expect(denies('x'.repeat(PATTERN_TEXT_CHARS_MAX + 1))).toBe(true);
    expect(denies('ls')).toBe(false);
  });
});

describe('which rule decides (proves APPROVAL-1)', () => {
  const call = { tool: 'deploy', input: {} };
  const rule = (action: ToolAction, reason?: string): ToolRule => ({ tool: 'deploy', action, reason });

  it('those that approvals added first, then those of the session, then those of its agent; and none is allowed', () => {
    expect(ruleFor({}, call).action).toBe('allow');
    expect(ruleFor({ agentRules: [rule('ask')] }, call).action).toBe('ask');
    expect(ruleFor({ toolRules: [rule('allow')], agentRules: [rule('ask')] }, call).action).toBe('allow');
    expect(ruleFor({ addedRules: [rule('allow')], toolRules: [rule('ask')] }, call).action).toBe('allow');
    expect(ruleFor({ toolRules: [rule('ask', 'first'), rule('deny')] }, call).reason).toBe('first');
  });

  it('what the agent denies stays denied', () => {
    const rules = { addedRules: [rule('allow')], toolRules: [rule('allow')], agentRules: [rule('deny')] };
    expect(ruleFor(rules, call).action).toBe('deny');
  });

  it('what a call was approved for fits that call again, and no other', () => {
    const approved = { tool: 'bash', input: { command: 'make a && make *' } };
    const added = { addedRules: [ruleOfCall(approved)], agentRules: [{ tool: '*', action: 'ask' } as const] };
    expect(ruleFor(added, approved).action).toBe('allow');
    expect(ruleFor(added, { tool: 'bash', input: { command: 'make a && make b' } }).action).toBe('ask');
    expect(ruleOfCall({ tool: 'write', input: { path: 'a/../b*' } })).toEqual({
      tool: 'write',
      action: 'allow',
      path: String.raw`/workspace/b\*`,
    });
    expect(ruleOfCall({ tool: 'deploy', input: { to: 'x' } })).toEqual({ tool: 'deploy', action: 'allow' });
  });
});

describe('rules that somebody gives', () => {
  it.each([
    [{ tool: 'nosuch', action: 'ask' }, 'toolRules[0].tool'],
    [{ tool: 'ask', action: 'deny' }, 'toolRules[0].tool'],
    [{ tool: 'bash', action: 'maybe' }, 'toolRules[0].action'],
    [{ tool: 'bash', action: 'ask', command: '' }, 'toolRules[0].command'],
    [{ tool: 'bash', action: 'ask', command: 'x'.repeat(PATTERN_CHARS_MAX + 1) }, 'toolRules[0].command'],
    [{ tool: 'bash', action: 'ask', command: '\uD800' }, 'toolRules[0].command'],
    [{ tool: 'read', action: 'ask', path: 'a/b' }, 'toolRules[0].path'],
    [{ tool: 'read', action: 'ask', path: '/workspace/../x' }, 'toolRules[0].path'],
    [{ tool: 'read', action: 'ask', path: '/workspace//x' }, 'toolRules[0].path'],
    [{ tool: 'fetch', action: 'ask', host: 'https://example.com' }, 'toolRules[0].host'],
    [{ tool: 'bash', action: 'ask', reason: ' ' }, 'toolRules[0].reason'],
  ])('%j is refused, and where it is said', (rule, field) => {
    expect(() => parseRules([rule], [{ name: 'fetch' }])).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringContaining(field) }),
    );
  });

  it('are bounded in number; none is none', () => {
    const one = { tool: 'bash', action: 'ask' };
    expect(() => parseRules(Array.from({ length: TOOL_RULES_MAX + 1 }, () => one))).toThrow(/at most/);
    expect([parseRules([]), parseRules(undefined)]).toEqual([undefined, undefined]);
    expect(parseRules([{ ...one, command: null, reason: 'Say why.' }])).toEqual([
      { ...one, reason: 'Say why.' },
    ]);
  });
});
