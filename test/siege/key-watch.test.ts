import { describe, expect, it } from 'vitest';
import { diceOf } from '../simulate/dice.ts';
import { KeyWatch } from './key-watch.ts';

const KEY = 'sk-ant-SomeKeyQ7xZ9mP4vL2nR8tB5wJ3kHx';
const watch = new KeyWatch(KEY);

describe('a key is found', () => {
  it.each([
    ['whole', `the key is ${KEY}.`],
    ['in upper case', KEY.toUpperCase()],
    ['in part', KEY.slice(9, 25)],
    ['in base64', Buffer.from(KEY).toString('base64')],
    ['in escapes of JSON', Array.from(KEY, (one) => `\\u00${one.charCodeAt(0).toString(16)}`).join('')],
    [
      'in escapes of JSON in JSON',
      Array.from(KEY, (one) => `\\\\u00${one.charCodeAt(0).toString(16)}`).join(''),
    ],
    ['in a URL', Array.from(KEY, (one) => `%${one.charCodeAt(0).toString(16)}`).join('')],
  ])('%s', (_, text) => {
    expect(watch.find(text)).toBeDefined();
  });

  it('at whatever place the transport has cut it', () => {
    for (let at = 0; at <= KEY.length; at += 1) {
      const heard = watch.stream();
      const found = [`before ${KEY.slice(0, at)}`, `${KEY.slice(at)} after`].map(heard);
      expect(found.some((one) => one !== undefined)).toBe(true);
    }
  });
});

it('fifteen characters of it are chance', () => {
  const dice = diceOf(11, 'fifteen');
  for (let tries = 0; tries < 100; tries += 1) {
    const at = dice.below(KEY.length - 15);
    expect(watch.find(`~${KEY.slice(at, at + 15)}?`)).toBeUndefined();
  }
});
