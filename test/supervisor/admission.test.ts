/** Who gets a slot when more want one than there are: the choice, and what becomes of many choices in a row. */
import { describe, expect, it } from 'vitest';
import { newId, type OrganisationId } from '../../src/kernel/id.ts';
import { Admission, KEEPING_SLOTS_MIN, type Slots, type Waiting } from '../../src/supervisor/admission.ts';
import { randomOf } from '../support/random.ts';

const [A, B, C] = [newId('organisation'), newId('organisation'), newId('organisation')];

const session = (organisationId: OrganisationId, statusAt: number): Waiting => ({
  id: newId('session'),
  organisationId,
  statusAt,
});
const many = (organisationId: OrganisationId, count: number): readonly Waiting[] =>
  Array.from({ length: count }, (_, at) => session(organisationId, at));
const slots = (given: Partial<Slots> = {}): Slots => ({
  max: 16,
  running: new Map(),
  idle: 0,
  isShared: false,
  ...given,
});
const admit = (waiting: readonly Waiting[], now: Slots) => new Admission().admit(waiting, now);
const whose = (opened: readonly Waiting[]): readonly OrganisationId[] =>
  opened.map(({ organisationId }) => organisationId);

describe('a slot', () => {
  it('proves ADMIT-1: goes to the organisation that has fewest, and there to who has waited longest', () => {
    const [late, early] = [session(B, 9), session(B, 5)];
    const waiting = [...many(A, 20), late, early, session(C, 8)];

    const { open, left } = admit(waiting, slots({ max: 8, running: new Map([[C, 1]]) }));

    expect(whose(open)).toEqual([A, B, A, C, B, A, A]);
    expect(open.filter(({ organisationId }) => organisationId === B)).toEqual([early, late]);
    expect(left).toHaveLength(16);
  });

  it('proves ADMIT-1: goes round those that have as many, also where there is one slot', () => {
    const admission = new Admission();
    let waiting = [...many(A, 5), ...[7, 8, 9].map((at) => session(B, at))];
    const order: OrganisationId[] = [];
    while (waiting.length > 0) {
      const { open, left } = admission.admit(waiting, slots({ max: 1 }));
      order.push(...whose(open));
      waiting = [...left];
    }

    expect(order).toEqual([A, B, A, B, A, B, A, A]);
  });

  it('goes to the one organisation that there is as long as there are any', () => {
    expect(admit(many(A, 20), slots()).open).toHaveLength(16);
  });

  it('proves ADMIT-2: is kept for whoever comes anew, where there are several organisations', () => {
    const shared = slots({ isShared: true });
    const { open, left } = admit(many(A, 20), shared);
    expect([open.length, left.length]).toEqual([14, 6]);

    const full = { ...shared, running: new Map([[A, 14]]) };
    const anew = admit([...left, session(B, 99), session(B, 100)], full);
    expect(whose(anew.open)).toEqual([B]);
    expect(
      admit([...left, session(C, 99)], { ...full, running: new Map([...full.running, [B, 1]]) }).open,
    ).toEqual([expect.objectContaining({ organisationId: C })]);
  });

  it('is not kept on a server that has few', () => {
    const max = KEEPING_SLOTS_MIN - 1;
    expect(admit(many(A, 20), slots({ isShared: true, max })).open).toHaveLength(max);
  });

  it('proves ADMIT-4: is made free by those who have nothing to do, as many as that helps', () => {
    const running = new Map([[A, 10]]);
    expect(admit(many(A, 3), slots({ running, idle: 6 }))).toMatchObject({ open: [], evict: 3 });
    expect(admit(many(A, 3), slots({ running, idle: 4 }))).toMatchObject({ evict: 1 });
    expect(admit([], slots({ running, idle: 6 }))).toMatchObject({ evict: 0 });
    const full = slots({ running: new Map([[A, 14]]), idle: 1, isShared: true });
    expect(admit(many(A, 9), full), 'what is kept is free while somebody waits').toMatchObject({
      open: [],
      evict: 1,
    });
    expect(admit([], full)).toMatchObject({ evict: 0 });
  });
});

/** Turns of any length, and organisations of which one has very many sessions. */
describe.each([1, 2, 3, 4, 5, 6, 7, 8])('many choices in a row (seed %i)', (seed) => {
  it('starve nobody and waste nothing', () => {
    const random = randomOf(seed);
    const max = 1 + random.below(20);
    const kept = max >= KEEPING_SLOTS_MIN ? Math.max(1, Math.floor(max / 8)) : 0;
    const organisations = Array.from({ length: 2 + random.below(5) }, () => newId('organisation'));
    const [crowd] = organisations as [OrganisationId]; // there are two
    const admission = new Admission();
    let waiting: readonly Waiting[] = many(crowd, 300);
    const running = new Map<Waiting, number>();
    const countOf = (all: Iterable<Waiting>): Map<OrganisationId, number> => {
      const counts = new Map<OrganisationId, number>();
      for (const { organisationId: id } of all) counts.set(id, (counts.get(id) ?? 0) + 1);
      return counts;
    };
    /** How often the crowd was served since an organisation waits with nothing running. */
    const passed = new Map<OrganisationId, number>();

    for (let step = 0; step < 2_000 || waiting.length + running.size > 0; step += 1) {
      for (const [one, until] of running) if (until <= step) running.delete(one);
      if (step < 2_000 && random.below(20) === 0)
        waiting = [
          ...waiting,
          session(organisations[random.below(organisations.length)] as OrganisationId, step),
        ];
      const before = countOf(running.keys());
      const now = slots({ max, running: before, isShared: true });
      const { open, left } = admission.admit(waiting, now);
      for (const one of open) running.set(one, step + 1 + random.below(60));
      const after = countOf(running.keys());
      const crowdServed = whose(open).includes(crowd);
      for (const id of organisations.slice(1)) {
        const waits = left.some(({ organisationId }) => organisationId === id);
        const has = after.get(id) ?? 0;
        passed.set(id, waits && has === 0 ? (passed.get(id) ?? 0) + Number(crowdServed) : 0);
        expect(passed.get(id), 'it is the next').toBeLessThanOrEqual(1);
        if (waits && crowdServed) expect(after.get(crowd), 'it has its share').toBeLessThanOrEqual(has + 1);
      }
      expect(running.size).toBeLessThanOrEqual(max);
      if (left.length > 0) expect(running.size).toBeGreaterThanOrEqual(max - kept);
      waiting = left;
    }
  });
});
