import { describe, expect, it } from 'vitest';
import { must } from '../../src/kernel/assert.ts';
import { type JsonPart, jsonParts, JsonPartTooLarge } from '../../src/kernel/json-parts.ts';
import { randomOf } from '../support/random.ts';

const BOUNDS = { depthMax: 50, valuesMax: 100 };
const partsOf = (text: string) => [...jsonParts(text, BOUNDS)];

/** What the parts say; throws SyntaxError as JSON.parse does. */
function valueOf(text: string): unknown {
  const fields: [string | undefined, unknown][] = [];
  for (const part of partsOf(text)) {
    if (part.kind === 'item') listOf(fields).push(JSON.parse(part.text));
    else fields.push([part.name, part.kind === 'list' ? [] : JSON.parse(part.text)]);
  }
  const [first] = fields;
  return first !== undefined && first[0] === undefined ? first[1] : Object.fromEntries(fields);
}

describe('the parts of a text', () => {
  it('are the members of an object, and the items of a list', () => {
    const parts: readonly JsonPart[] = [
      { kind: 'value', name: 'a', text: '{"b":"}\\""}' },
      { kind: 'list', name: 'c' },
      { kind: 'item', name: 'c', text: '[1]' },
      { kind: 'item', name: 'c', text: '2' },
      { kind: 'value', name: '', text: 'null' },
    ];

    expect(partsOf(' { "a" : {"b":"}\\""} ,"c":[ [1] ,2 ], "":null } ')).toEqual(parts);
  });

  const TEXTS = [
    '{"a":[{"b":1},"x]",[],{}],"c":{"d":[1,"\\\\"]},"e":"\\u0041\\"","f":-1.5e3,"a":true}',
    '[{"type":"error"},"x"]',
    '"a text"',
    '{}',
    '[]',
    ' { "a" : [ ] } ',
    '{"__proto__":{"x":1},"constructor":[2]}',
  ];

  it('are JSON where the text is, whatever is wrong with it (proves PARTS-1)', () => {
    const random = randomOf(7);
    for (const text of TEXTS) {
      expect(valueOf(text)).toEqual(JSON.parse(text));
      for (let round = 0; round < 2_000; round += 1) {
        const at = random.below(text.length);
        const char = random.pick(['', '', '{', '}', '[', ']', ',', ':', '"', '\\', ' ', '1', 'a']);
        const odd = text.slice(0, at) + char + text.slice(at + random.below(2));
        const expected = read(() => JSON.parse(odd));
        expect([odd, read(() => valueOf(odd))]).toEqual([odd, expected]);
      }
    }
  });

  it('have bounds each', () => {
    const many = `[${'0,'.repeat(90)}0]`;
    expect(partsOf(`{"a":[${many},${many}],"b":${many}}`)).toHaveLength(1 + 2 + 1 + 91);

    expect(() => partsOf(`{"a":[${many},${many.replace('0', many)}]}`)).toThrow(JsonPartTooLarge);
    expect(() => partsOf(`{"a":{"b":${'['.repeat(60)}`)).toThrow('too many levels');
  });
});

function listOf(fields: readonly (readonly [unknown, unknown])[]): unknown[] {
  const [, last] = must(fields.at(-1), 'a list comes before its items');
  return last as unknown[];
}

function read(value: () => unknown): unknown {
  try {
    return { value: value() };
  } catch (error) {
    if (error instanceof SyntaxError) return 'no JSON';
    throw error;
  }
}
