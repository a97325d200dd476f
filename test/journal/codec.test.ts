import { describe, expect, it } from 'vitest';
import { bodyText, parseBody, previewText, toEvent } from '../../src/journal/codec.ts';
import { EVENTS } from '../../src/journal/event-catalog.ts';
import { type EventType, type RecordedEvent } from '../../src/journal/event.ts';
import type { Field } from '../../src/journal/event-field.ts';
import { eventIdOf, newId } from '../../src/kernel/id.ts';
import { BODY_INLINE_BYTES_MAX } from '../../src/kernel/limit.ts';

const TYPES = Object.keys(EVENTS) as EventType[]; // the keys of the table

function sample(field: Field, text = 'text'): unknown {
  switch (field.kind) {
    case 'text':
      return text;
    case 'count':
      return 3;
    case 'flag':
      return false;
    case 'json':
      return { deep: [text, 1, null, { a: true }] };
    case 'choice':
      return field.choice?.values[0];
  }
}

function bodyOf(type: EventType, text?: string): Record<string, unknown> {
  const fields: Record<string, Field> = EVENTS[type].body;
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, sample(field, text)]));
}

function recordedOf(type: string, body: object): RecordedEvent {
  return {
    sessionId: newId('session'),
    seq: 7,
    at: 9,
    type,
    level: 'user',
    actor: { kind: 'agent' },
    body: bodyText(body),
  };
}

describe.each(TYPES)('a body of %s', (type) => {
  const fields = Object.entries(EVENTS[type].body as Record<string, Field>);

  it('is accepted as the event table says, whole or without its optional fields', () => {
    const required = new Set(fields.filter(([, { optional }]) => !optional).map(([name]) => name));
    const least = Object.fromEntries(Object.entries(bodyOf(type)).filter(([name]) => required.has(name)));

    expect(parseBody(type, bodyOf(type))).toEqual(bodyOf(type));
    expect(parseBody(type, least)).toEqual(least);
  });

  it('is refused naming the field that is wrong, missing or unknown', () => {
    for (const [name, field] of fields) {
      const wrong = field.kind === 'json' ? () => undefined : { not: 'this' };
      expect(() => parseBody(type, { ...bodyOf(type), [name]: wrong })).toThrow(`body.${name}`);
      const { [name]: _, ...without } = bodyOf(type);
      if (!field.optional) expect(() => parseBody(type, without)).toThrow(`body.${name}`);
    }
    expect(() => parseBody(type, { ...bodyOf(type), extra: 1 })).toThrow('body.extra');
    for (const body of [null, undefined, [], 'text', 1])
      expect(() => parseBody(type, body)).toThrow('body: expected');
  });

  it('has a preview that is a body of the same type, small whatever the size', () => {
    const body = bodyOf(type, '"é𝄞\u0000'.repeat(100_000));

    const preview = previewText(body);

    expect(Buffer.byteLength(preview)).toBeLessThanOrEqual(BODY_INLINE_BYTES_MAX);
    expect(Object.keys(parseBody(type, JSON.parse(preview)))).toEqual(Object.keys(body));
    expect(preview.isWellFormed() && !/\\ud[89ab]/i.test(preview)).toBe(true);
  });

  it('comes back as a typed event', () => {
    const recorded = recordedOf(type, bodyOf(type));

    expect(toEvent(recorded)).toEqual({
      ...recorded,
      id: eventIdOf(recorded.sessionId, 7),
      body: bodyOf(type),
      turnId: undefined,
    });
  });
});

it('keeps ids whole in a preview, and cuts wide and deep json', () => {
  const input = { list: Array.from({ length: 10_000 }, (_, index) => ({ index })), ['k'.repeat(50_000)]: 1 };
  const body = { callId: 'c'.repeat(128), modelCallId: 'm', toolUseId: 'u', tool: 'write', input };

  const preview = JSON.parse(previewText(body));

  expect(preview).toMatchObject({ callId: body.callId, modelCallId: 'm', tool: 'write' });
  expect(preview.input.list.length).toBeLessThan(1_000);
  expect(Buffer.byteLength(JSON.stringify(preview))).toBeLessThan(BODY_INLINE_BYTES_MAX);
});

it('refuses json that is nested without end, and numbers that are no counts', () => {
  const call = { callId: 'c', modelCallId: 'm', toolUseId: 'u', tool: 't' };
  const input: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));

  expect(() => parseBody('tool.call', { ...call, input })).toThrow('body.input');
  for (const inputToSeq of [-1, 1.5, Number.NaN, 2 ** 60, '1']) {
    expect(() => parseBody('model.started', { callId: 'c', inputToSeq })).toThrow('body.inputToSeq');
  }
  expect(() => parseBody('turn.cancel_requested', JSON.parse('{"__proto__": 1}'))).toThrow('body.__proto__');
});

it('says nothing about a type that this version does not know', () => {
  expect(toEvent(recordedOf('future.thing', {}))).toBeUndefined();
  expect(toEvent(recordedOf('toString', {}))).toBeUndefined();
});
