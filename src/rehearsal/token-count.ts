/** Plausible sizes, in tokens: no tokenizer, but the same for the same text. */
import type { Fields } from './json-value.ts';

/** Of English and code; other languages and binary text have fewer, which only makes a prompt look shorter. */
const BYTES_PER_TOKEN = 4;

export function tokensOf(value: unknown): number {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
}

/** What the model has to read of a request. */
export function promptTokensOf(body: Fields): number {
  return tokensOf({ system: body['system'], tools: body['tools'], messages: body['messages'] });
}
