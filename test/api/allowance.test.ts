import { expect, it } from 'vitest';
import { AnswerTooLarge } from '../../schema/reading.ts';
import { Allowance } from '../../src/api/graphql/allowance.ts';

const MIB = 1024 * 1024;

it('an answer is made of no more than its allowance, and what it holds is counted until it is made (proves READING-1)', () => {
  let held = 0;
  const outgoing = {
    make: (bytes: number) => void (held += bytes),
    made: (bytes: number) => void (held -= bytes),
  };
  const allowance = new Allowance(outgoing);
  for (let at = 0; at < 15; at += 1) allowance.takeWhole(MIB);
  expect(() => allowance.takeWhole(2 * MIB)).toThrow(AnswerTooLarge);
  for (let at = 0; at < 49; at += 1) allowance.take(MIB);
  expect(() => allowance.take(1)).toThrow(AnswerTooLarge);
  expect(held).toBeGreaterThanOrEqual(64 * MIB);

  allowance.renew();
  expect(held).toBe(0);
  allowance.take(60 * MIB);
  allowance.end();
  expect(held).toBe(0);
});
