import { describe, expect, it } from 'vitest';
import { must } from '../../src/kernel/assert.ts';
import { EventStreamDecoder } from '../../src/kernel/event-stream.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { KeyScrubber } from '../../src/models/key-scrubber.ts';
import { StreamScrubber } from '../../src/models/stream-scrubber.ts';
import { finished } from '../support/finished.ts';
import { randomOf } from '../support/random.ts';

const KEY = 'sk-ant-api03-Qx7pLm2ZtR9vK4sW-Jd8';

interface Delta {
  readonly type: string;
  readonly [name: string]: unknown;
}
const frame = (data: { readonly type: string; readonly [name: string]: unknown }) =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const delta = (given: Delta, index = 0) => frame({ type: 'content_block_delta', index, delta: given });
const text = (said: string, index = 0) => delta({ type: 'text_delta', text: said }, index);
const stop = (index = 0) => frame({ type: 'content_block_stop', index });
const PING = frame({ type: 'ping' });

/** What goes out after each of these writings of the service, and at the end. */
function sent(...writings: readonly string[]): readonly string[] {
  const decoder = new EventStreamDecoder();
  const scrubber = new StreamScrubber(must(KeyScrubber.of(new Sealed(KEY)), 'the key is a secret'));
  const out = writings.map((writing) =>
    Buffer.concat(
      [...decoder.read(Buffer.from(writing))].flatMap((one) => finished(scrubber.push(one))),
    ).toString(),
  );
  const left = decoder.end();
  return [
    ...out,
    Buffer.concat([
      ...(left === undefined ? [] : finished(scrubber.push(left))),
      ...finished(scrubber.end()),
    ]).toString(),
  ];
}

/** The texts of all deltas put together, by block and name. */
function textsIn(stream: string): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const { data } of new EventStreamDecoder().read(Buffer.from(stream))) {
    const said = JSON.parse(data ?? '{}');
    for (const [name, value] of Object.entries(said.delta ?? {})) {
      if (name === 'type' || typeof value !== 'string') continue;
      texts[`${said.index} ${name}`] = (texts[`${said.index} ${name}`] ?? '') + value;
    }
  }
  return texts;
}

describe('a stream', () => {
  it('goes out as it came, frame by frame, when the key is not in it (STREAM-1)', () => {
    const odd = 'data: no JSON\n\n: a comment\n\ndata:{"type":"content_block_delta","delta":7}\r\n\r\n';
    const spelled =
      'data: {"delta": {"text": "Gr\\u00fc\\u00dfe", "type": "text_delta"}, "index": 0, "type": "content_block_delta"}\n\n';
    const writings = [frame({ type: 'message_start' }), text('Hello'), PING, spelled, odd, stop()];

    expect(sent(...writings)).toEqual([...writings, '']);
  });

  it('waits where a text may end in the middle of the key, and then goes out as it came (STREAM-2)', () => {
    const writings = [
      text('It is'),
      text(' sk-a'),
      PING,
      text('rm'),
      text(' api03'),
      stop(),
      text('sk-ant'),
      frame({ type: 'message_stop' }),
    ];

    const out = sent(...writings);

    expect(out.slice(0, 4)).toEqual([writings[0], '', '', writings.slice(1, 4).join('')]);
    expect(out.slice(4, 6)).toEqual(['', writings.slice(4, 6).join('')]);
    expect(out.join('')).toBe(writings.join(''));
  });

  it('loses a key that is split, in text, thinking and the input of a tool, with pings in between', () => {
    for (let cut = 1; cut < KEY.length; cut += 1) {
      const [head, tail] = [KEY.slice(0, cut), KEY.slice(cut)];
      const out = sent(
        text(`a ${head}`, 0),
        PING,
        delta({ type: 'thinking_delta', thinking: `b ${head}` }, 1),
        delta({ type: 'input_json_delta', partial_json: `{"key":"${head}` }, 2),
        text(`${tail} z`, 0),
        delta({ type: 'thinking_delta', thinking: `${tail} y` }, 1),
        delta({ type: 'input_json_delta', partial_json: `${tail}"}` }, 2),
        stop(0),
      ).join('');

      const known = cut < 4 ? head : ''; // it went out before it was known
      expect(textsIn(out)).toEqual({
        '0 text': `a ${known}[sealed] z`,
        '1 thinking': `b ${known}[sealed] y`,
        '2 partial_json': `{"key":"${known}[sealed]"}`,
      });
      expect(out).toContain(PING);
    }
  });

  it('loses a key in any pieces, and what is around it stays', () => {
    const random = randomOf(Number(process.env['SEED'] ?? Date.now() % 1_000_000));
    for (let round = 0; round < 200; round += 1) {
      const whole = Array.from({ length: 6 }, () =>
        random.pick([KEY, KEY.slice(0, random.below(16)), 's', 'Grüße 🚀 ', '\n\n', 'sk-']),
      ).join(' ');
      const writings: string[] = [];
      for (let at = 0; at < whole.length; ) {
        const length = 1 + random.below(random.pick([3, 12, 60]));
        writings.push(text(whole.slice(at, at + length)), ...(random.below(4) === 0 ? [PING] : []));
        at += length;
      }

      const out = sent(...writings, stop()).join('');

      const known = /(s|sk|sk-)\[sealed\]/g;
      expect(textsIn(out)['0 text']?.replaceAll(known, '[sealed]'), `SEED=${random.seed}`).toBe(
        whole.replaceAll(KEY, '[sealed]'),
      );
      if (!whole.includes(KEY)) expect(out, `SEED=${random.seed}`).toBe([...writings, stop()].join(''));
    }
  });

  it('loses a key that is escaped, in the data and in the JSON of an input', () => {
    const escaped = KEY.split('').map((char) => `\\u00${char.charCodeAt(0).toString(16)}`);
    const raw = (from: number, to?: number) =>
      `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${escaped.slice(from, to).join('')}"}}\n\n`;
    const json = (from: number, to?: number) =>
      delta({ type: 'input_json_delta', partial_json: escaped.join('').slice(from, to) });

    expect(textsIn(sent(raw(0, 9), raw(9), stop()).join(''))).toEqual({ '0 text': '[sealed]' });
    expect(textsIn(sent(json(0, 51), json(51, 52), json(52), stop()).join(''))).toEqual({
      '0 partial_json': '[sealed]',
    });
  });

  it('loses a key in what is no delta, and in a delta that is not known', () => {
    const out = sent(
      frame({
        type: 'content_block_start',
        index: 0,
        content_block: { type: 'tool_use', input: { a: KEY } },
      }),
      delta({ type: 'citations_delta', citation: { cited_text: KEY } }),
      delta({ type: 'new_delta', words: KEY.slice(0, 5) }),
      delta({ type: 'new_delta', words: KEY.slice(5) }),
      frame({ type: 'error', error: { message: `invalid x-api-key ${KEY}` } }),
      `data: not JSON: ${KEY}\n\n`,
    ).join('');

    expect(out).not.toContain(KEY);
    expect(out).not.toContain(KEY.slice(5));
    expect(out.split('[sealed]')).toHaveLength(6);
  });

  it('loses a key that begins with its block', () => {
    const block = { type: 'text', text: KEY.slice(0, 7) };
    const out = sent(
      frame({ type: 'content_block_start', index: 0, content_block: block }),
      text(KEY.slice(7)),
    ).join('');

    expect(out).toContain('"text":""');
    expect(textsIn(out)).toEqual({ '0 text': '[sealed]' });
  });

  it('keeps nothing back when it ends or is cut', () => {
    expect(sent(text('It is sk-ant')).join('')).toBe(text('It is sk-ant'));
    expect(sent(text('It is sk-ant'), frame({ type: 'message_stop' }))[1]).toBe(
      text('It is sk-ant') + frame({ type: 'message_stop' }),
    );
    expect(sent(text('It is').slice(0, -1)).join('')).toBe(text('It is').slice(0, -1));
  });

  it('does not wait for ever (STREAM-2)', () => {
    const much = Array.from({ length: 30_000 }, () => PING);

    const out = sent(text('It is sk-ant'), ...much);

    expect(out[1]).toBe('');
    expect(out.slice(0, -1).join('').length).toBeGreaterThan(500_000);
    expect(out.join('')).toBe(text('It is sk-ant') + much.join(''));
  });
});
