/**
 * Looks for a model key in what the server says: whole or any SECRET_RUN characters of it, as it is, in other case, escaped as
 * JSON or in a URL, or in base64. A rule of its own, which shares no code with what keeps keys back.
 */

/** So much of a key in a row is no chance. */
const SECRET_RUN = 16;
/** Any run of SECRET_RUN characters holds a whole block of these. */
const BLOCK = SECRET_RUN / 2;

export class KeyWatch {
  readonly #forms: readonly Form[];

  constructor(key: string) {
    this.#forms = [
      formOf('plain', key.toLowerCase(), (text) => text.toLowerCase()),
      formOf('base64', Buffer.from(key).toString('base64').replace(/=+$/, ''), (text) => text),
    ];
  }

  /** How the key stands in `text`; undefined when it does not. */
  find(text: string): string | undefined {
    for (const [how, said] of readings(text)) {
      const form = this.#forms.find(({ blocks, runs, seen }) => {
        const shown = seen(said);
        return blocks.some((block) => shown.includes(block)) && runs.some((run) => shown.includes(run));
      });
      if (form !== undefined) return how === '' ? form.name : `${form.name}, ${how}`;
    }
    return undefined;
  }

  /** Over pieces: a key that is cut in two by the transport is found as well. */
  stream(): (piece: string) => string | undefined {
    let tail = '';
    return (piece) => {
      const text = tail + piece;
      tail = text.slice(-TAIL_CHARS);
      return this.find(text);
    };
  }
}

/** The longest escape of a run: six characters for each. */
const TAIL_CHARS = SECRET_RUN * 6;

interface Form {
  readonly name: string;
  readonly blocks: readonly string[];
  readonly runs: readonly string[];
  seen(text: string): string;
}

function formOf(name: string, secret: string, seen: (text: string) => string): Form {
  const runs = Array.from({ length: Math.max(0, secret.length - SECRET_RUN + 1) }, (_, at) =>
    secret.slice(at, at + SECRET_RUN),
  );
  const blocks = Array.from({ length: Math.floor(secret.length / BLOCK) }, (_, at) =>
    secret.slice(at * BLOCK, (at + 1) * BLOCK),
  );
  return { name, blocks, runs, seen };
}

/** The text as it stands, and as whoever decodes it reads it. */
function readings(text: string): readonly (readonly [how: string, text: string])[] {
  const all: (readonly [string, string])[] = [['', text]];
  if (text.includes('\\u'))
    all.push([
      'in \\u escapes',
      text.replace(/\\+u([0-9a-fA-F]{4})/g, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      ),
    ]);
  if (text.includes('%'))
    all.push([
      'in a URL',
      text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    ]);
  return all;
}
