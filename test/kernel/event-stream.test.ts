import { expect, test } from 'vitest';
import { EventStreamDecoder, EventStreamTooLong, type Frame } from '../../src/kernel/event-stream.ts';
import { randomOf } from '../support/random.ts';

type Told = Pick<Frame, 'event' | 'data'>;

function decoded(chunks: readonly (string | Uint8Array)[]): {
  readonly told: Told[];
  readonly bytes: Buffer;
} {
  const decoder = new EventStreamDecoder();
  const frames = chunks.flatMap((chunk) => [...decoder.read(Buffer.from(chunk))]);
  const end = decoder.end();
  const all = end === undefined ? frames : [...frames, end];
  const told = all.flatMap(({ event, data }) => (data === undefined ? [] : [{ event, data }]));
  return { told, bytes: Buffer.concat(all.map(({ bytes }) => bytes)) };
}

const ONE = { event: 'a', data: '1' };

test.each<[string, string, Told[]]>([
  ['LF', 'event: a\ndata: 1\n\n', [ONE]],
  ['CR LF', 'event: a\r\ndata: 1\r\n\r\n', [ONE]],
  ['CR', 'event: a\rdata: 1\r\r', [ONE]],
  ['line ends of all kinds in one frame', 'event: a\rdata: 1\r\n\nevent: a\ndata: 1\r\r\n', [ONE, ONE]],
  [
    'a BOM before the first line only',
    '\ufeffevent: a\ndata: 1\n\n\ufeffevent: b\ndata: 2\n\n',
    [ONE, { event: undefined, data: '2' }],
  ],
  ['a BOM alone in the first line', '\ufeff\nevent: a\ndata: 1\n\n', [ONE]],
  ['data before event', 'data: 1\nevent: a\n\n', [ONE]],
  ['no space after the colon', 'event:a\ndata:1\n\n', [ONE]],
  ['only the first space taken away', 'event: a\ndata:  1 \n\n', [{ event: 'a', data: ' 1 ' }]],
  ['several lines of data', 'data: 1\ndata:\ndata\ndata: 2\n\n', [{ event: undefined, data: '1\n\n\n2' }]],
  ['comments before, in and after a frame', ': one\nevent: a\n:two\ndata: 1\n\n: three\n\n', [ONE]],
  ['fields that nobody asks for', 'id: 7\nretry: 3\nother: x\nevent: a\ndata: 1\n\n', [ONE]],
  ['an event without data', 'event: a\n\ndata: 1\n\n', [{ event: undefined, data: '1' }]],
  ['an empty event', 'event:\ndata: 1\n\n', [{ event: undefined, data: '1' }]],
  ['a last frame without its blank line', 'event: a\ndata: 1\n\nevent: a\ndata: 1', [ONE, ONE]],
  ['nothing', '', []],
])('reads %s', (_, text, frames) => {
  const { told, bytes } = decoded([text]);

  expect(told).toEqual(frames);
  expect(bytes.toString()).toBe(text);
});

test('a frame is there with the byte that ends it, whatever the line ends are (SSE-3)', () => {
  for (const eol of ['\n', '\r\n', '\r']) {
    const decoder = new EventStreamDecoder();
    const first = `event: a${eol}data: 1${eol}${eol[0] ?? ''}`;

    expect([...decoder.read(Buffer.from(first))].at(-1)).toMatchObject(ONE);
    const late = [...decoder.read(Buffer.from(`${eol.slice(1)}event: b${eol}`))];
    expect(late.map(({ bytes, data }) => [bytes.toString(), data])).toEqual(
      eol === '\r\n' ? [['\n', undefined]] : [],
    );
  }
});

test('a comment between frames is given out at once: a service that only keeps the line open fills no memory', () => {
  const decoder = new EventStreamDecoder({ lineBytesMax: 32, frameBytesMax: 32 });
  const comments = Array.from({ length: 100 }, () => [...decoder.read(Buffer.from(': still working\n'))]);

  expect(comments.flat().map(({ data }) => data)).toEqual(comments.map(() => undefined));
});

test.each([
  ['line', { lineBytesMax: 16, frameBytesMax: 1_000 }, `data: ${'x'.repeat(20)}`],
  ['line that has ended', { lineBytesMax: 16, frameBytesMax: 1_000 }, `data: ${'x'.repeat(20)}\n\n`],
  ['frame', { lineBytesMax: 16, frameBytesMax: 100 }, 'data: xxxx\n'.repeat(20)],
])('a %s beyond its limit ends the reading, after the frames before it', (_, limits, tooLong) => {
  const decoder = new EventStreamDecoder(limits);
  const seen: Frame[] = [];

  expect(() => {
    for (const frame of decoder.read(Buffer.from(`data: 1\n\n${tooLong}`))) seen.push(frame);
  }).toThrow(EventStreamTooLong);
  expect(seen.map(({ data }) => data)).toEqual(['1']);
});

test('any cut into chunks gives the same frames and the same bytes (SSE-1, SSE-2)', () => {
  const { seed, below, pick } = randomOf(Number(process.env['SEED'] ?? Date.now() % 1e9));
  for (let round = 0; round < 300; round += 1) {
    const eol = (): string => pick(['\n', '\r\n', '\r']);
    const lines = Array.from({ length: 1 + below(12) }, () =>
      pick([
        '',
        'event: a',
        'event:b',
        'data: {"text":"日本語 🚀 é"}',
        'data',
        'data:',
        ': a comment 🚀',
        '\ufeffdata: 7',
        'id: 1',
        `data: ${'x'.repeat(below(300))}`,
      ]),
    );
    const text = Buffer.from(
      pick(['', '\ufeff']) + lines.map((line) => line + eol()).join('') + pick(['', 'data: 9']),
    );
    const chunks: Buffer[] = [];
    for (let at = 0; at < text.length; ) {
      const length = below(4) === 0 ? 1 : 1 + below(40);
      chunks.push(text.subarray(at, at + length));
      at += length;
    }

    const [whole, cut] = [decoded([text]), decoded(chunks)];
    expect(cut.told, `SEED=${seed} round ${round}`).toEqual(whole.told);
    expect(whole.bytes.equals(text) && cut.bytes.equals(text), `SEED=${seed} round ${round}`).toBe(true);
  }
});
