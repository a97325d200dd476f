/** What waits to be told to other processes: bounded, joined, and never believed when it is read back. */
import { BSON } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { batchOf, documentOf, LiveOutbox } from '../../../src/platform/mongo/live/live-outbox.ts';

const NOW = 1_763_800_000_000;

function open() {
  const outbox = new LiveOutbox();
  const id = newId('session');
  const say = (offset: number, text: string, callId = 'c1') =>
    outbox.delta(id, { callId, offset, text }, NOW);
  return { outbox, id, say };
}

describe('what waits', () => {
  it('is of each session the newest head, and of each call one text (OUTBOX-1)', () => {
    const { outbox, id, say } = open();
    const other = newId('session');
    for (const head of [1, 3, 2]) outbox.hint(id, head);
    outbox.hint(other, 7);
    say(10, 'Hello');
    say(15, ', wor');
    say(17, 'world');
    say(12, 'llo');
    say(0, 'another', 'c2');

    expect(outbox.take(NOW)).toEqual({
      hints: [
        { sessionId: id, head: 3 },
        { sessionId: other, head: 7 },
      ],
      deltas: [
        { sessionId: id, callId: 'c1', offset: 10, text: 'Hello, world' },
        { sessionId: id, callId: 'c2', offset: 0, text: 'another' },
      ],
    });
    expect(outbox.isEmpty).toBe(true);
  });

  it('starts a text again at offset 0, and holds nothing that comes after a gap (OUTBOX-1)', () => {
    const { outbox, id, say } = open();
    say(0, 'First try', 'again');
    say(0, 'Second', 'again');
    say(0, 'abc', 'gap');
    say(9, 'xyz', 'gap');

    expect(outbox.take(NOW).deltas).toEqual([
      { sessionId: id, callId: 'again', offset: 0, text: 'Second' },
      { sessionId: id, callId: 'gap', offset: 0, text: 'abc' },
    ]);
  });

  it('drops deltas before hints when it is full, and the oldest hints last of all (OUTBOX-2)', () => {
    const { outbox, say } = open();
    const sessions = Array.from({ length: 6_000 }, () => newId('session'));
    for (let piece = 0; piece < 100; piece += 1) say(piece * 10_000, '語'.repeat(10_000));
    for (let call = 0; call < 2_000; call += 1) say(0, 'x', `c${call}-${'y'.repeat(100)}`);
    const owner = 'f'.repeat(12);
    for (const id of sessions.slice(0, 5_000)) outbox.hint(id, 2_000_000, { kind: 'owner', owner });
    const everyHint = outbox.take(NOW);
    for (const [head, id] of sessions.entries()) outbox.hint(id, head + 1);

    expect(everyHint.hints).toHaveLength(5_000);
    expect(everyHint.deltas[0]?.text).toHaveLength(130_000);
    expect(everyHint.deltas.length).toBeLessThanOrEqual(500);
    expect(BSON.calculateObjectSize({ _id: 'origin', ...documentOf(everyHint, 1, NOW) })).toBeLessThan(
      1024 * 1024,
    );
    expect(outbox.take(NOW).hints.map(({ sessionId }) => sessionId)).toEqual(sessions.slice(1_000));
  });

  it('loses its deltas when it waits long, and when it could not be sent; its hints wait on (OUTBOX-2)', () => {
    const { outbox, id, say } = open();
    say(0, 'late');
    outbox.hint(id, 4);

    const late = outbox.take(NOW + 1_001);
    outbox.hint(id, 5);
    outbox.putBack(late);
    outbox.putBack({ hints: [{ sessionId: id, head: 3 }], deltas: [] });

    expect(late).toEqual({ hints: [{ sessionId: id, head: 4 }], deltas: [] });
    expect(outbox.take(NOW)).toEqual({ hints: [{ sessionId: id, head: 5 }], deltas: [] });
  });

  it('begins to age anew once it has been taken', () => {
    const { outbox, say } = open();
    say(0, 'first');
    outbox.take(NOW);
    outbox.delta(newId('session'), { callId: 'c', offset: 0, text: 'second' }, NOW + 5_000);

    expect(outbox.take(NOW + 5_001).deltas).toHaveLength(1);
  });
});

describe('what is read back', () => {
  it('is what was written', () => {
    const { outbox, id, say } = open();
    outbox.hint(id, 9);
    say(3, 'text');
    const batch = outbox.take(NOW);

    expect(batchOf({ _id: 'origin', ...documentOf(batch, 1, NOW) })).toEqual(batch);
  });

  it('is that a session is gone, whatever comes late, and what was being said in it is not told any more', () => {
    const { outbox, id, say } = open();
    const other = newId('session');
    say(0, 'half a message');
    outbox.hint(id, 9);
    outbox.hint(id, 9, undefined, true);
    outbox.hint(id, 12, { kind: 'nobody' });
    outbox.hint(other, 1);
    const batch = outbox.take(NOW);

    expect(batch).toEqual({
      hints: [
        { sessionId: id, head: 9, gone: true },
        { sessionId: other, head: 1 },
      ],
      deltas: [],
    });
    outbox.putBack(batch);
    const document = BSON.deserialize(BSON.serialize(documentOf(outbox.take(NOW), 1, NOW)));
    expect(batchOf(document).hints).toEqual(batch.hints);
  });

  it('is whom the newest append of a session concerns, and everybody where that is not told or not understood', () => {
    const { outbox } = open();
    const [leased, resting, free] = [newId('session'), newId('session'), newId('session')];
    const mine = { kind: 'owner', owner: 'me' } as const;
    outbox.hint(leased, 1);
    outbox.hint(leased, 3, mine);
    outbox.hint(leased, 2, { kind: 'nobody' }); // came late
    outbox.hint(resting, 1, { kind: 'nobody' });
    outbox.hint(free, 1);
    const document = BSON.deserialize(BSON.serialize(documentOf(outbox.take(NOW), 1, NOW)));
    const strange = { format: 1, hints: [{ sessionId: free, head: 1, owner: 'x'.repeat(1_000) }] };

    expect(batchOf(document).hints).toEqual([
      { sessionId: leased, head: 3, concerns: mine },
      { sessionId: resting, head: 1, concerns: { kind: 'nobody' } },
      { sessionId: free, head: 1 },
    ]);
    expect(batchOf(strange).hints).toEqual([{ sessionId: free, head: 1 }]);
  });

  it('is thinking where thinking was written, and no message to a server that knows of none (OUTBOX-1)', () => {
    const { outbox, id, say } = open();
    outbox.delta(id, { callId: 'c1', kind: 'thinking', offset: 0, text: 'Hm' }, NOW);
    say(0, 'Hel');
    outbox.delta(id, { callId: 'c1', kind: 'thinking', offset: 2, text: ', so' }, NOW);
    const document = BSON.deserialize(BSON.serialize(documentOf(outbox.take(NOW), 1, NOW)));

    expect(document['deltas']).toEqual([{ sessionId: id, callId: 'c1', offset: 0, text: 'Hel' }]);
    expect(batchOf(document).deltas).toEqual([
      { sessionId: id, callId: 'c1', offset: 0, text: 'Hel' },
      { sessionId: id, callId: 'c1', kind: 'thinking', offset: 0, text: 'Hm, so' },
    ]);
  });

  // proves OUTBOX-3
  it.each([
    ['nothing', undefined],
    ['a text', 'text'],
    ['a document of something else', { _id: 1, hello: 'world' }],
    ['another format', { format: 2, hints: [{ sessionId: newId('session'), head: 1 }], deltas: [] }],
    ['no lists', { format: 1, hints: 'a', deltas: { length: 3 } }],
    [
      'wrong hints',
      {
        format: 1,
        hints: [null, 1, { sessionId: 'ses_1', head: 1 }, { sessionId: newId('session'), head: -1 }],
      },
    ],
    [
      'wrong deltas',
      {
        format: 1,
        deltas: [{ sessionId: newId('session'), callId: 'c', offset: 0.5, text: 'x' }, { callId: 1 }],
      },
    ],
  ])('is nothing when it is %s', (_what, document) => {
    expect(batchOf(document)).toEqual({ hints: [], deltas: [] });
  });
});
