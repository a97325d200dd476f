/**
 * A key or token in the address of a request. Addresses are kept where headers are not: in the logs of proxies and servers, in the history of
 * browsers, in what is copied for somebody else.
 *
 * URL-1 A request or an upgrade whose address holds a key or token is refused, whatever else it brings, and no part of its query is logged or
 *    sent back. A key that was encoded several times, or stands in an address within the address, is one too: whoever logs it decodes it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KeyInUrl } from '../../access/faults.ts';
import { answerByHead } from './keyless.ts';
import type { GraphqlOptions } from './options.ts';

/** Parameters that clients of other services put keys into (RFC 6750 2.3 has access_token), in small letters and without - and _. */
const NAMES = new Set(
  'key apikey accesstoken clienttoken token auth authorization bearer password secret'.split(' '),
);
/** What GraphQL over HTTP has in its address; a text in them may well begin like a key. */
const OWN = new Set(['query', 'variables', 'operationName', 'extensions']);
/** How keys and tokens of ours begin, wherever in a parameter. */
const VALUE = /(?:^|[^a-z0-9_])(?:hf|hct|hut)_/i;
/** Encodings in one another: proxies that send somebody on add one or two. What has more hides something, and is refused. */
const LAYERS_MAX = 8;

export const KEY_IN_URL: string = textOf(new KeyInUrl());

/** Whether it was one, which has been answered. */
export function refuseKeyInUrl(req: IncomingMessage, res: ServerResponse, options: GraphqlOptions): boolean {
  if (!hasKeyInUrl(req)) return false;
  answerByHead(req, res, options, { status: 400, body: KEY_IN_URL }); // URL-1
  return true;
}

export function hasKeyInUrl({ url = '' }: IncomingMessage): boolean {
  const start = url.indexOf('?');
  if (start < 0) return false;
  for (const [name, value] of new URLSearchParams(url.slice(start + 1))) {
    if (value !== '' && OWN.has(name)) continue;
    if (holdsKey(name, value, LAYERS_MAX)) return true;
  }
  return false;
}

/** Also in what comes of it when it is decoded again, until nothing changes. */
function holdsKey(name: string, value: string, layersLeft: number): boolean {
  if (value !== '' && NAMES.has(name.toLowerCase().replaceAll(/[-_]/g, ''))) return true;
  if (VALUE.test(name) || VALUE.test(value)) return true;
  const inner = [...new URLSearchParams(`${name}=${value}`.replaceAll(/[?;#]/g, '&'))];
  const isStable = inner.every(([innerName, innerValue]) => innerName === name && innerValue === value);
  if (isStable) return false;
  if (layersLeft === 0) return true;
  return inner.some(([innerName, innerValue]) => holdsKey(innerName, innerValue, layersLeft - 1));
}

function textOf({ message, code }: KeyInUrl): string {
  return JSON.stringify({ errors: [{ message, extensions: { code } }] });
}
