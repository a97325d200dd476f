/** Rules about the headers of a request. */
import type { IncomingHttpHeaders } from 'node:http';
import type { RequestRule } from '../request-rule.ts';
import { API_VERSIONS } from '../service-request.ts';

type HeadRule = RequestRule<IncomingHttpHeaders>;

const NONE = {};

export const HEAD_RULES: readonly HeadRule[] = [
  {
    id: 'head.key',
    refuses: 'neither `x-api-key` nor `Authorization: Bearer` (both are accepted)',
    status: 401,
    message: 'x-api-key header is required',
    source: 'API overview; gptel 354',
    find: (headers) => (keyOf(headers) === undefined ? NONE : undefined),
  },
  {
    id: 'head.version',
    refuses: 'no `anthropic-version`',
    message: 'anthropic-version: header is required',
    source: 'Versions; Marinara-Engine 120',
    find: (headers) => (headers['anthropic-version'] === undefined ? NONE : undefined),
  },
  {
    id: 'head.version.unknown',
    refuses: `a version other than ${API_VERSIONS.map((version) => `\`${version}\``).join(' and ')}`,
    message: 'anthropic-version: "{version}" is not a valid version',
    source: 'Versions (our wording)',
    find(headers) {
      const version = String(headers['anthropic-version']);
      return API_VERSIONS.includes(version) ? undefined : { version };
    },
  },
];

/** The key of a request, in whichever of the two headers; undefined when it is in none. */
export function keyOf(headers: IncomingHttpHeaders): string | undefined {
  const key = headers['x-api-key'] ?? /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  return typeof key === 'string' && key !== '' ? key : undefined;
}
