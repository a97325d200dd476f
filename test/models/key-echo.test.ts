/** A service that repeats a key in every form and in any pieces: what comes out never holds 16 characters of it in a row. proves STREAM-3 */
import { expect, it } from 'vitest';
import { must } from '../../src/kernel/assert.ts';
import { EventStreamDecoder } from '../../src/kernel/event-stream.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { KeyScrubber } from '../../src/models/key-scrubber.ts';
import { StreamScrubber } from '../../src/models/stream-scrubber.ts';
import { finished } from '../support/finished.ts';
import { type Random, randomOf } from '../support/random.ts';

const RUN = 16;
const ROUNDS = 400;
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

type Form = (text: string) => string;
const each = (text: string, write: (code: number) => string): string =>
  text
    .split('')
    .map((char) => write(char.charCodeAt(0)))
    .join('');
const hex = (code: number): string => code.toString(16).padStart(2, '0');

/** Written so that each character is on its own: a run of the key is found by the form of the run. */
const FORMS: readonly [Form, ...Form[]] = [
  (text) => text,
  (text) => text.toUpperCase(),
  (text) => text.toLowerCase(),
  (text) => text.split('').toReversed().join(''),
  (text) => Buffer.from(text).toString('hex'),
  (text) => each(text, (code) => `\\u00${hex(code)}`),
  (text) => each(text, (code) => `\\\\u00${hex(code).toUpperCase()}`),
  (text) => each(text, (code) => `\\x${hex(code)}`),
  (text) => each(text, (code) => `%${hex(code)}`),
  (text) => each(text, (code) => `%25${hex(code)}`),
  (text) => each(text, (code) => `&#${code};`),
];
const BASE64: readonly [Form, ...Form[]] = [
  (text) => Buffer.from(text).toString('base64'),
  (text) => Buffer.from(`x${text}`).toString('base64'),
  (text) => Buffer.from(`xy${text}z`).toString('base64url'),
];
const INNOCENT = [
  'It is so. ',
  'sk-ant- is how keys begin. ',
  'Grüße 🚀 ',
  '100% of it\n',
  'a & b &amp; c ',
  '\\n \\u00e4 \\\\ %41 %',
  'const a = "b\\"c"; ',
  'aGVsbG8gd29ybGQgYW5kIG1vcmU= ',
  '736b2d616e74 ',
  '0123456789 ',
] as const;

function someKey(random: Random): string {
  const length = 32 + random.below(80);
  return `sk-ant-api03-${Array.from({ length }, () => LETTERS.charAt(random.below(LETTERS.length))).join('')}`;
}

const DELTAS = { text: 'text_delta', thinking: 'thinking_delta', partial_json: 'input_json_delta' } as const;

/** The events of an answer that says these texts, each in a block, each in pieces. */
function eventsOf(texts: readonly string[], random: Random): readonly string[] {
  const name = random.pick(['text', 'thinking', 'partial_json']);
  const frame = (data: { readonly type: string; readonly [name: string]: unknown }) =>
    `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
  const events = texts.flatMap((text, index) => {
    const most = random.pick([1, 3, 12, 60, 1_000]);
    const deltas: string[] = [];
    for (let at = 0; at < text.length; ) {
      const length = 1 + random.below(most);
      const delta = { type: DELTAS[name], [name]: text.slice(at, at + length) };
      deltas.push(frame({ type: 'content_block_delta', index, delta }));
      if (random.below(6) === 0) deltas.push(frame({ type: 'ping' }));
      at += length;
    }
    const begun = frame({ type: 'content_block_start', index, content_block: { type: name } });
    return [begun, ...deltas, frame({ type: 'content_block_stop', index })];
  });
  return [...events, frame({ type: 'message_stop' })];
}

function sent(key: string, events: readonly string[]): string {
  const decoder = new EventStreamDecoder();
  const scrubber = new StreamScrubber(must(KeyScrubber.of(new Sealed(key)), 'the key is a secret'));
  const out = events.flatMap((event) =>
    [...decoder.read(Buffer.from(event))].flatMap((one) => finished(scrubber.push(one))),
  );
  return Buffer.concat([...out, ...finished(scrubber.end())]).toString();
}

/** All that the deltas say, one after the other. */
function saidIn(stream: string): string {
  return [...new EventStreamDecoder().read(Buffer.from(stream))]
    .map(({ data }) => JSON.parse(data ?? '{}').delta ?? {})
    .map(({ text = '', thinking = '', partial_json = '' }) => text + thinking + partial_json)
    .join('');
}

/** What base64 in it means, wherever one begins to read. */
function decodedFrom(text: string): string {
  return text
    .split(/[^A-Za-z0-9+/_-]/)
    .flatMap((part) => [0, 1, 2, 3].map((at) => Buffer.from(part.slice(at), 'base64').toString('latin1')))
    .join('\n');
}

it('no run of the key comes out, in whatever form, wherever it stands, however it is cut (SCRUB-2)', () => {
  const random = randomOf(Number(process.env['SEED'] ?? Date.now() % 1_000_000));
  for (let round = 0; round < ROUNDS; round += 1) {
    const key = someKey(random);
    const from = random.below(key.length - RUN);
    const part = key.slice(from, from + RUN + random.below(key.length));
    const isBase64 = random.below(4) === 0;
    const form = random.pick(isBase64 ? BASE64 : FORMS);
    const words = (): string => Array.from({ length: random.below(4) }, () => random.pick(INNOCENT)).join('');
    const whole = `${words()}${random.pick(['', ' ', '"', ':'])}${form(part)}${random.pick(['', ' ', '"'])}${words()}`;
    const cut = random.pick([0, random.below(whole.length)]);

    const stream = sent(key, eventsOf([whole.slice(0, cut), whole.slice(cut)], random));
    const out = saidIn(stream);

    const why = `SEED=${random.seed} round ${round}: ${whole}`;
    const told = isBase64 ? decodedFrom(out) : out;
    for (let at = 0; at + RUN <= key.length; at += 1) {
      const run = key.slice(at, at + RUN);
      if (told.includes(isBase64 ? run : form(run))) expect.unreachable(why);
    }
    if (!out.includes('[sealed]')) expect.unreachable(why);
  }
});

it.each(FORMS.map((form) => [form('-'), form] as const))(
  'a run that ends with its block is whole, also when its last character is written %s (SCRUB-2)',
  (_written, form) => {
    const key = 'sk-ant-api03-AB-0123456789abcdefghij';
    const run = form(key.slice(0, RUN));
    for (const pieces of [[run], [run, ' and more'], [run.slice(0, -1), run.slice(-1)]]) {
      const out = saidIn(sent(key, eventsOf(pieces, randomOf(1))));
      expect(out).toContain('[sealed]');
      expect(out).not.toContain(run);
    }
  },
);

it('what is said without the key goes out as it came, byte for byte (SCRUB-1, STREAM-1)', () => {
  const random = randomOf(Number(process.env['SEED'] ?? Date.now() % 1_000_000));
  for (let round = 0; round < ROUNDS; round += 1) {
    const key = someKey(random);
    const short = (): string => {
      const from = random.below(key.length - RUN);
      return `${random.pick(FORMS)(key.slice(from, from + random.below(RUN - 1)))}|`; // the letter of a \n before it may be one more
    };
    const texts = Array.from({ length: 3 }, () =>
      Array.from({ length: 4 }, () => (random.below(3) === 0 ? short() : random.pick(INNOCENT))).join(''),
    );

    const events = eventsOf(texts, random);

    expect(sent(key, events), `SEED=${random.seed} round ${round}`).toBe(events.join(''));
  }
});
