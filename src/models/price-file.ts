/**
 * The deployment's own prices, as its file has them (HOLDFAST_PRICES): what it has agreed on with a service, and models that are not listed.
 *
 *   { "anthropic/claude-sonnet-5": [{ "from": "2026-11-01", "input": 1.8, "output": 9, "cacheWrite5m": 2.25, "cacheWrite1h": 3.6,
 *     "cacheRead": 0.18 }] }
 */
import { InvalidInput } from '../kernel/fault.ts';
import { parseModel } from '../sessions/model-name.ts';
import { type Price, RATES, type Rates } from './price.ts';
import type { OwnPrices } from './prices.ts';

/** Of the file: thousands of prices. */
export const PRICE_FILE_BYTES_MAX = 1024 * 1024;
/** Dollars per million tokens: some seventy times the dearest that was ever listed, and a session's sum stays an exact number. */
const PRICE_USD_MAX = 10_000;
/** Tokens after which a prompt is a long one: beyond any context. */
const LONG_PROMPT_TOKENS_MAX = 10_000_000;

const RATES_OF_LONG: ReadonlySet<string> = new Set([...RATES, 'overTokens']);
const FIELDS: ReadonlySet<string> = new Set([...RATES, 'from', 'longPrompt']);

type Fields = Readonly<Record<string, unknown>>;

/** Throws InvalidInput naming what is to be mended. */
export function parsePriceFile(text: string): OwnPrices {
  const own = new Map<string, readonly Price[]>();
  for (const [model, list] of Object.entries(fieldsOf('the file', parsed(text)))) {
    parseModel(model, `"${model.slice(0, 100).toWellFormed()}"`);
    if (!Array.isArray(list) || list.length === 0)
      throw new InvalidInput(model, 'expected a list of prices, each with the day from which on it holds.');
    const prices = list
      .map((price, index) => priceOf(`${model}[${index}]`, price))
      .toSorted((a, b) => (a.from < b.from ? -1 : 1));
    if (new Set(prices.map(({ from }) => from)).size < prices.length)
      throw new InvalidInput(model, 'expected one price for each day from which on it holds, got two.');
    own.set(model, prices);
  }
  return own;
}

function priceOf(where: string, value: unknown): Price {
  const given = only(where, fieldsOf(where, value), FIELDS);
  const { from, longPrompt } = given;
  if (typeof from !== 'string' || !isDay(from))
    throw new InvalidInput(`${where}.from`, 'expected a day, for example 2026-11-01.');
  const price = { from, ...ratesIn(where, given) };
  if (longPrompt === undefined) return price;
  const long = `${where}.longPrompt`;
  const ofLong = only(long, fieldsOf(long, longPrompt), RATES_OF_LONG);
  const { overTokens } = ofLong;
  if (!isWhole(overTokens) || overTokens > LONG_PROMPT_TOKENS_MAX)
    throw new InvalidInput(
      `${long}.overTokens`,
      `expected a whole number from 0 to ${LONG_PROMPT_TOKENS_MAX}.`,
    );
  return { ...price, longPrompt: { overTokens, ...ratesIn(long, ofLong) } };
}

function ratesIn(where: string, given: Fields): Rates {
  const read = (name: keyof Rates): number => {
    const usd = given[name];
    const isPrice = typeof usd === 'number' && usd >= 0 && usd <= PRICE_USD_MAX && hasSixDigits(usd);
    if (!isPrice)
      throw new InvalidInput(
        `${where}.${name}`,
        `expected US dollars per million tokens, from 0 to ${PRICE_USD_MAX} with at most six digits after the point.`,
      );
    return usd;
  };
  return {
    input: read('input'),
    output: read('output'),
    cacheWrite5m: read('cacheWrite5m'),
    cacheWrite1h: read('cacheWrite1h'),
    cacheRead: read('cacheRead'),
  };
}

/** Millionths of a dollar are the unit of costs. */
function hasSixDigits(usd: number): boolean {
  return Number(usd.toFixed(6)) === usd;
}

function isDay(text: string): boolean {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** A slip of the pen in a name would be a price that does not hold. */
function only(where: string, given: Fields, names: ReadonlySet<string>): Fields {
  const unknown = Object.keys(given).find((name) => !names.has(name));
  if (unknown === undefined) return given;
  throw new InvalidInput(
    where,
    `expected ${[...names].join(', ')}, got "${unknown.slice(0, 100).toWellFormed()}".`,
  );
}

function fieldsOf(where: string, value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidInput(where, 'expected a JSON object.');
  return value as Fields; // just checked
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidInput('the file', 'expected JSON.');
  }
}
