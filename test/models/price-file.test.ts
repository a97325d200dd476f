/** The deployment's own prices: what a file may say, and what is said about the rest. */
import { describe, expect, it } from 'vitest';
import { printedDocs } from '../../scripts/print-docs.ts';
import { parsePriceFile } from '../../src/models/price-file.ts';

const RATES = { input: 1.8, output: 9, cacheWrite5m: 2.25, cacheWrite1h: 3.6, cacheRead: 0.18 };
const PRICE = { from: '2026-11-01', ...RATES };
const MODEL = 'anthropic/claude-sonnet-5';
const read = (file: unknown) => parsePriceFile(JSON.stringify(file));

describe('a file of prices', () => {
  it('has prices by model and day, in any order', () => {
    const later = { ...PRICE, from: '2026-12-01', longPrompt: { overTokens: 200_000, ...RATES } };

    expect([...read({ [MODEL]: [later, PRICE], 'rehearsal/echo': [PRICE] })]).toEqual([
      [MODEL, [PRICE, later]],
      ['rehearsal/echo', [PRICE]],
    ]);
    expect(read({}).size).toBe(0);
  });

  it('is written as docs/models.md has it', () => {
    const [, example = ''] = /```json\n([^`]*)```/.exec(printedDocs()['models.md'] ?? '') ?? [];

    expect([...parsePriceFile(example)]).toEqual([[MODEL, [PRICE]]]);
  });

  it.each([
    ['not json', 'the file: expected JSON'],
    ['[]', 'the file: expected a JSON object'],
    ['{"claude-sonnet-5": []}', '"claude-sonnet-5": expected provider/name'],
    [{ [MODEL]: PRICE }, `${MODEL}: expected a list of prices`],
    [{ [MODEL]: [] }, `${MODEL}: expected a list of prices`],
    [{ [MODEL]: [null] }, `${MODEL}[0]: expected a JSON object`],
    [{ [MODEL]: [PRICE, PRICE] }, `${MODEL}: expected one price for each day`],
    [{ [MODEL]: [{ ...PRICE, from: '2026-02-30' }] }, `${MODEL}[0].from: expected a day`],
    [{ [MODEL]: [{ ...PRICE, from: 20_261_101 }] }, `${MODEL}[0].from: expected a day`],
    [{ [MODEL]: [{ ...PRICE, input: undefined }] }, `${MODEL}[0].input: expected US dollars`],
    [{ [MODEL]: [{ ...PRICE, output: -1 }] }, `${MODEL}[0].output: expected US dollars`],
    [{ [MODEL]: [{ ...PRICE, output: '9' }] }, `${MODEL}[0].output: expected US dollars`],
    [{ [MODEL]: [{ ...PRICE, cacheRead: 10_001 }] }, `${MODEL}[0].cacheRead: expected US dollars`],
    [{ [MODEL]: [{ ...PRICE, cacheRead: 0.000_000_1 }] }, 'at most six digits after the point'],
    [{ [MODEL]: [{ ...PRICE, cacheWrite: 1 }] }, 'got "cacheWrite"'],
    [{ [MODEL]: [{ ...PRICE, longPrompt: RATES }] }, `${MODEL}[0].longPrompt.overTokens: expected a whole`],
    [{ [MODEL]: [{ ...PRICE, longPrompt: { overTokens: 1 } }] }, `${MODEL}[0].longPrompt.input: expected US`],
  ])('is refused: %j', (file, said) => {
    const text = typeof file === 'string' ? file : JSON.stringify(file);

    expect(() => parsePriceFile(text)).toThrow(said);
  });
});
