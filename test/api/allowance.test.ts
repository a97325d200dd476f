import { expect, it } from 'vitest';
import { AnswerTooLarge } from '../../schema/reading.ts';
import { Allowance } from '../../src/api/graphql/allowance.ts';
import { OutgoingFull } from '../../src/api/graphql/outgoing.ts';

const MIB = 1024 * 1024;

it('an answer is made of no more than its allowance, and what it holds is counted until it is made (proves READING-1)', () => {
  let held = 0;
  const outgoing = {
    make: (bytes: number) => void (held += bytes),
    made: (bytes: number) => void (held -= bytes),
  };
  const allowance = new Allowance(outgoing);
  for (let at = 0; at < 15; at += 1) allowance.takeWhole(MIB);
  for (let at = 0; at < 49; at += 1) allowance.take(MIB);
  expect(() => allowance.take(1)).toThrow(AnswerTooLarge);
  expect(held).toBeGreaterThanOrEqual(64 * MIB);

  allowance.renew();
  expect(held).toBe(0);
  allowance.take(60 * MIB);
  allowance.end();
  expect(held).toBe(0);
});

it('reads whole bodies of no more than their own bound', () => {
  const allowance = new Allowance({ make: () => undefined, made: () => undefined });
  for (let at = 0; at < 15; at += 1) allowance.takeWhole(MIB);

  expect(() => allowance.takeWhole(2 * MIB)).toThrow(AnswerTooLarge);
});

it('is refused once for all of an answer, and anew for the next frame (proves READING-2)', () => {
  let asked = 0;
  let isFull = true;
  const make = (): void => {
    asked += 1;
    if (isFull) throw new OutgoingFull();
  };
  const allowance = new Allowance({ make, made: () => undefined });
  const errors = Array.from({ length: 800 }, () => {
    try {
      allowance.takeWhole(MIB);
      return undefined;
    } catch (error) {
      return error;
    }
  });

  expect(asked).toBe(1);
  expect(new Set(errors).size).toBe(1);
  expect(allowance.isRefused).toBe(true);
  allowance.renew();
  isFull = false;
  allowance.takeWhole(MIB);
  expect(allowance.isRefused).toBe(false);
});
