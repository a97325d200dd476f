import { readFileSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';
import { expect, it } from 'vitest';
import { diceOf } from '../simulate/dice.ts';
import { Grammar } from './grammar.ts';
import type { Ground } from './ground.ts';
import { KINDS } from './kinds.ts';

const schema = buildSchema(readFileSync(new URL('../../schema/schema.graphql', import.meta.url), 'utf8'));
const grammar = new Grammar(schema, ['ses_aaaaaaaaaaaaaaaaaaaaaaaa']);
const DOCUMENTS = 400;

it('the same seed and number are the same document and the same action', () => {
  // What an action decides by: ids, tokens and the key. It is not run.
  const ground = {
    longLog: 'ses_a',
    largeBodies: 'ses_b',
    readToken: 'a',
    bodiesToken: 'b',
    key: 'c',
    canary: 'd',
  } as Ground;
  for (const kind of KINDS)
    for (let number = 0; number < 40; number += 1) {
      const told = (): string => kind.action(diceOf(5, kind.name, number), ground).told;
      expect(told()).toBe(told());
    }
  for (let number = 0; number < DOCUMENTS; number += 1)
    expect(grammar.document(diceOf(5, number))).toEqual(grammar.document(diceOf(5, number)));
});

it('the grammar writes what a server must execute, what it must refuse, and what is no document', () => {
  const seen = { legal: 0, refused: 0, broken: 0 };
  for (let number = 0; number < DOCUMENTS; number += 1) {
    const { query } = grammar.document(diceOf(7, number));
    try {
      seen[validate(schema, parse(query, { maxTokens: 20_000 })).length === 0 ? 'legal' : 'refused'] += 1;
    } catch {
      seen.broken += 1;
    }
  }

  expect(Math.min(...Object.values(seen))).toBeGreaterThan(DOCUMENTS / 20);
});

it('whole bodies are multiplied beside a variable that is wrong and never met', () => {
  const documents = Array.from({ length: DOCUMENTS }, (_, number) => grammar.document(diceOf(9, number)));
  const multiplied = documents.filter(({ shape }) => shape === 'multiplied');
  const slips = multiplied.filter(
    ({ query, variables }) => query.includes('fullBody') && Object.values(variables).includes(null),
  );

  expect(slips.length).toBeGreaterThan(0);
});
