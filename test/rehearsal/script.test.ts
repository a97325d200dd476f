import { expect, test } from 'vitest';
import { ScriptInvalid } from '../../src/rehearsal/script-field.ts';
import { parseScript } from '../../src/rehearsal/script.ts';
import { loadScripts, OWN_SCRIPTS } from '../../src/rehearsal/script-folder.ts';

function refusal(script: unknown): string {
  try {
    parseScript('mine', typeof script === 'string' ? script : JSON.stringify(script));
  } catch (error) {
    if (error instanceof ScriptInvalid) return error.message;
    throw error;
  }
  return 'accepted';
}

test('the scripts that come with Holdfast are valid', async () => {
  const scripts = await loadScripts(OWN_SCRIPTS);

  expect(scripts.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['demo', 'echo', 'faulty', 'tools']),
  );
});

test('a script that is not one is refused with the place and what was expected', () => {
  expect(refusal('{')).toMatch(/^mine: expected JSON/);
  expect(refusal([])).toBe('mine: expected an object.');
  expect(refusal({ description: 'x' })).toBe('mine.rules: expected a list.');
  expect(refusal({ description: 'x', rules: [{}] })).toBe('mine.rules[0].answer: expected a list.');
  expect(refusal({ description: 'x', rules: [{ answer: [{}] }] })).toMatch(
    /^mine\.rules\[0\]\.answer\[0\]: expected one of/,
  );
  expect(refusal({ description: 'x', rules: [{ anwser: [] }] })).toMatch(
    /^mine\.rules\[0\]\.anwser: expected no such field/,
  );
  expect(refusal({ description: 'x', rules: [{ answer: [], when: { user: '(' } }] })).toBe(
    'mine.rules[0].when.user: expected a regular expression.',
  );
  expect(refusal({ description: 'x', rules: [{ answer: [], faults: [{ status: 200 }] }] })).toBe(
    'mine.rules[0].faults[0].status: expected a status from 400 to 599, or from 200 with a "body".',
  );

  const script = (more: object) => ({ description: 'x', rules: [], ...more });
  const part = (more: object) => script({ rules: [{ answer: [more] }] });
  const faulty = (more: object) => script({ rules: [{ answer: [], faults: [more] }] });
  expect(refusal(script({ window: 'large' }))).toBe('mine.window: expected a number from 0.');
  expect(refusal(script({ thinking: ['much'] }))).toBe(
    'mine.thinking[0]: expected one of adaptive, enabled, disabled, between_tools.',
  );
  expect(refusal(script({ display: 'all' }))).toBe('mine.display: expected one of summarized, omitted.');
  expect(refusal(part({ text: 1 }))).toBe(
    'mine.rules[0].answer[0].text: expected text or a list of its pieces.',
  );
  expect(refusal(part({ block: {} }))).toBe('mine.rules[0].answer[0].block.type: expected text.');
  expect(refusal(part({ tool: 'bash', whole: 1 }))).toBe(
    'mine.rules[0].answer[0].whole: expected true or false.',
  );
  expect(refusal(faulty({ status: 400, headers: { x: 'a\r\nb: c' } }))).toBe(
    'mine.rules[0].faults[0].headers.x: expected a header of HTTP.',
  );
  expect(refusal(faulty({ status: 700, body: '' }))).toBe(
    'mine.rules[0].faults[0].status: expected a status from 200 to 599.',
  );
  expect(refusal(script({ rules: [{ answer: [], stopDetails: { why: 'x' } }] }))).toBe(
    'mine.rules[0].stopDetails.why: expected no such field, but one of category, explanation.',
  );
});
