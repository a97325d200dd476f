/** What waits for readers, counted without sockets. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Outflow } from '../../src/api/graphql/outflow.ts';
import { Outgoing } from '../../src/api/graphql/outgoing.ts';
import { jsonLogger } from '../../src/kernel/logger.ts';
import { Outage } from '../../src/kernel/outage.ts';

const MIB = 1024 * 1024;
let lines: string[];
let outgoing: Outgoing;
beforeEach(() => {
  lines = [];
  const logger = jsonLogger('debug', (line) => lines.push(line));
  outgoing = new Outgoing({ logger, bytesMax: 100 * MIB, stallMs: 600_000 });
});
afterEach(() => outgoing.close());

/** A reader that leaves so much unread, `shared` of it with others. Answers whether it was ended. */
function reader(
  own: number,
  shared = 0,
  release: () => void = () => undefined,
  owner?: string,
): { readonly isEnded: boolean } {
  let isEnded = false;
  const flow: Outflow = {
    own: own * MIB,
    pending: (own + shared) * MIB,
    taken: 0,
    owner,
    end() {
      isEnded = true;
      release();
    },
  };
  outgoing.sent(flow.own, owner);
  outgoing.add(flow);
  return {
    get isEnded() {
      return isEnded;
    },
  };
}

it('who leaves most unread is ended before an operation of others is refused (proves OUTGOING-1)', () => {
  const slow = Array.from({ length: 24 }, () => reader(4));
  const small = reader(1);
  outgoing.make(20 * MIB);

  expect(outgoing.held).toBeLessThanOrEqual(75 * MIB);
  expect(outgoing.held).toBeGreaterThan(60 * MIB); // no more are ended than is needed
  expect(slow.filter(({ isEnded }) => isEnded).length).toBeLessThan(15);
  expect(small.isEnded).toBe(false);
});

it('nobody is ended for an operation that would be too much without them', () => {
  const slow = reader(30);
  outgoing.make(50 * MIB);

  expect(() => outgoing.make(50 * MIB)).toThrow(Outage);
  expect(slow.isEnded).toBe(false);
});

it('what is being made counts when something is sent', () => {
  const slow = [reader(10), reader(40)];
  outgoing.make(40 * MIB);
  outgoing.sent(20 * MIB);

  expect(slow.map(({ isEnded }) => isEnded)).toEqual([false, true]);
});

it('who shares what waits is ended after those who hold theirs alone, and only where that frees it', () => {
  let holders = 3;
  outgoing.share(60 * MIB);
  const leave = (): void => {
    holders -= 1;
    if (holders === 0) outgoing.unshare(60 * MIB);
  };
  const sharing = Array.from({ length: 3 }, () => reader(0, 60, leave));
  const alone = [reader(20), reader(18)];
  outgoing.sent(10 * MIB);

  expect(alone.map(({ isEnded }) => isEnded)).toEqual([true, true]);
  expect(sharing.some(({ isEnded }) => isEnded)).toBe(false);
  expect(outgoing.held).toBe(60 * MIB);

  outgoing.make(35 * MIB);
  expect(() => outgoing.make(20 * MIB)).not.toThrow(); // all three have gone for it
  expect(outgoing.held).toBe(55 * MIB);
});

it('a refusal is told to the operator once in a while, not once for each', () => {
  outgoing.make(80 * MIB);
  for (let count = 0; count < 50; count += 1) expect(() => outgoing.make(20 * MIB)).toThrow(Outage);

  expect(lines.filter((line) => line.includes('refused')).length).toBe(1);
});

describe('of one owner (proves OUTGOING-3)', () => {
  it('what it leaves unread and what it reads is at most its share, and nobody else is refused or ended for it', () => {
    const greedy = outgoing.of('greedy');
    const modest = reader(20, 0, undefined, 'modest');
    const unread = Array.from({ length: 5 }, () => reader(6, 0, undefined, 'greedy'));
    greedy.make(10 * MIB);
    greedy.make(10 * MIB);

    expect(unread.filter(({ isEnded }) => isEnded).length).toBeGreaterThan(0);
    expect(modest.isEnded).toBe(false);
    greedy.make(20 * MIB);
    expect(() => greedy.make(20 * MIB)).toThrow(Outage);
    expect(outgoing.held).toBeLessThanOrEqual((20 + 50) * MIB);
    outgoing.of('modest').make(10 * MIB);
    expect(modest.isEnded).toBe(false);

    greedy.made(40 * MIB);
    greedy.make(40 * MIB);
  });

  it('a page may still be read where whole bodies are refused, up to the whole share', () => {
    const owner = outgoing.of('owner');
    owner.make(43 * MIB);
    expect(() => owner.make(MIB)).toThrow(Outage);
    for (let pages = 0; pages < 28; pages += 1) owner.make(MIB / 4);

    expect(() => owner.make(MIB / 4)).toThrow(Outage);
    outgoing.of('other').make(MIB);
  });

  it('is exact, also of who held nothing when all was full', () => {
    outgoing.make(60 * MIB);
    reader(25);
    outgoing.of('late').make(20 * MIB); // ends the reader
    outgoing.of('late').made(20 * MIB);
    outgoing.made(60 * MIB);

    expect(outgoing.held).toBe(0);
    outgoing.of('late').make(40 * MIB);
    expect(() => outgoing.of('late').make(4 * MIB)).toThrow(Outage);
  });

  it('those that hold more than their share are ended first when all is full', () => {
    const [small, large] = [
      reader(30, 0, undefined, 'small'),
      Array.from({ length: 60 }, () => reader(1, 0, undefined, 'large')),
    ];
    outgoing.sent(20 * MIB);

    expect(small.isEnded).toBe(false);
    expect(large.filter(({ isEnded }) => isEnded).length).toBeGreaterThan(20);
  });
});
