/**
 * GraphiQL for a browser: one page, made when somebody first looks, and the same bytes for everybody who does.
 *
 * CONSOLE-1 The page is made once: who asks meanwhile waits for it, and an answer holds a reference to its bytes, never a copy.
 *    It is written in parts, each when the one before has been taken and in a time slice: a crowd that asks at once holds nobody up.
 * CONSOLE-2 The page runs its own script and talks to this server, and nothing else: no other host, no frame around it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { TimeSlices } from '../../kernel/time-slices.ts';
import type { ConsolePage } from './console-page.ts';
import type { Outgoing } from './outgoing.ts';

type Coding = keyof ConsolePage['bodies'];

/** Making the page takes a second; a worker that has not done it by then never will, and somebody waits. */
const MAKING_MS_MAX = 60_000;
/** What is written of the page at once: copying it, into the kernel and on the loopback out of it, takes a fraction of a millisecond. */
const SLICE_BYTES = 256 * 1024;
const WORKER = fileURLToPath(new URL('./console-page.ts', import.meta.url));
/** The smaller, the earlier. */
const CODINGS: readonly Coding[] = ['br', 'gzip', 'identity'];

export class GraphiqlConsole {
  readonly #outgoing: Pick<Outgoing, 'sharedIn'>;
  readonly #slices: TimeSlices;
  readonly #make: () => Promise<ConsolePage>;
  #page: Promise<ConsolePage> | undefined;

  /** `make` is for tests. */
  constructor(
    { outgoing, slices }: { readonly outgoing: Pick<Outgoing, 'sharedIn'>; readonly slices: TimeSlices },
    make: () => Promise<ConsolePage> = madePage,
  ) {
    this.#outgoing = outgoing;
    this.#slices = slices;
    this.#make = make;
  }

  /** Rejects when the page cannot be made; the next one who asks tries again. */
  async send(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { bodies, digest, scriptHash } = await this.#made();
    const coding = codingOf(req.headers['accept-encoding'] ?? '');
    const etag = `"${digest}-${coding}"`;
    const headers = {
      etag,
      // Asked again each time, which costs a 304: after an upgrade nobody has an old console.
      'cache-control': 'no-cache',
      vary: 'Accept, Accept-Encoding',
      'content-security-policy': policyOf(scriptHash),
    };
    if (isKnown(req.headers['if-none-match'] ?? '', etag)) {
      res.writeHead(304, headers).end();
      return;
    }
    const { buffer } = bodies[coding];
    const body = Buffer.from(buffer); // CONSOLE-1: a view, which is what the socket holds until it is read
    res.writeHead(200, {
      ...headers,
      'content-type': 'text/html; charset=utf-8',
      'content-length': body.length,
      ...(coding === 'identity' ? {} : { 'content-encoding': coding }),
    });
    this.#outgoing.sharedIn(res, body.length);
    await inSlices(res, body, this.#slices);
  }

  #made(): Promise<ConsolePage> {
    const page = (this.#page ??= this.#make()); // CONSOLE-1
    page.catch(() => {
      if (this.#page === page) this.#page = undefined;
    });
    return page;
  }
}

/** Returns when all is written, or the reader has gone. */
async function inSlices(res: ServerResponse, body: Buffer, slices: TimeSlices): Promise<void> {
  for (let at = 0; at < body.length && !res.destroyed; at += SLICE_BYTES) {
    const slice = body.subarray(at, at + SLICE_BYTES); // CONSOLE-1
    await new Promise<void>((taken) => {
      res.once('close', taken);
      slices.run(res, () => {
        if (res.destroyed) return; // it has closed, or is about to
        res.write(slice, () => {
          res.off('close', taken);
          taken();
        });
      });
    });
  }
  res.end();
}

/** GraphiQL keeps its query in the address, so a reload and a shared link ask with `query=` too. */
export function wantsPage({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && (headers.accept ?? '').includes('text/html');
}

function madePage(): Promise<ConsolePage> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER);
    const late = setTimeout(() => void worker.terminate(), MAKING_MS_MAX);
    worker.once('message', (page: ConsolePage) => resolve(page)); // as console-page.ts posts it
    worker.once('error', reject);
    worker.once('exit', () => {
      clearTimeout(late);
      reject(new Error('GraphiQL could not be made')); // of no effect when it was
    });
  });
}

/** CONSOLE-2: its editor writes style elements, draws with data: images and runs its checks in workers that it makes of blobs. */
function policyOf(scriptHash: string): string {
  return [
    "default-src 'none'",
    `script-src '${scriptHash}'`,
    'worker-src blob:',
    "style-src 'unsafe-inline'",
    'font-src data:',
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** The smallest that the client takes (RFC 9110 12.5.3); what it does not name it takes where there is a *. */
function codingOf(accepted: string): Coding {
  const weights = new Map(
    accepted
      .toLowerCase()
      .split(',')
      .map((one) => {
        const [name = '', ...parameters] = one.split(';').map((part) => part.trim());
        const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
        return [name, weight === undefined ? 1 : Number(weight)] as const;
      }),
  );
  const takes = (coding: Coding): boolean => (weights.get(coding) ?? weights.get('*') ?? 0) > 0;
  return CODINGS.find((coding) => coding === 'identity' || takes(coding)) ?? 'identity';
}

/** If-None-Match: a list of tags, weak ones too, or a *. */
function isKnown(given: string, etag: string): boolean {
  return given.split(',').some((one) => ['*', etag].includes(one.trim().replace(/^W\//, '')));
}
