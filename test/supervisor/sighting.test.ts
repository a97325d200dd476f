/** Since when what a record says is so. */
import { expect, it } from 'vitest';
import { Sighting } from '../../src/supervisor/sighting.ts';
import { turnDeadline } from '../../src/supervisor/judgement.ts';
import { answers, HUMAN, Life, REACH, seen } from '../support/session-life.ts';

it('the time of a turn stands still while it is parked (PARK-3), and goes on where it was', () => {
  const life = new Life({ turnSeconds: 10 });
  const sighting = new Sighting();
  REACH.running(life);
  seen(life);
  expect(turnDeadline(life.session, sighting.see(life.session, 1_000))).toBe(11_000);

  answers(life, { callId: 't', tool: 'deploy' });
  expect(turnDeadline(life.session, sighting.see(life.session, 4_000))).toBeUndefined();
  expect(turnDeadline(life.session, sighting.see(life.session, 50_000))).toBeUndefined();

  life.do({ kind: 'resolveTool', callId: 't', answer: { kind: 'approve' }, actor: HUMAN });
  const deadline = turnDeadline(life.session, sighting.see(life.session, 104_000));
  expect(deadline).toBe(111_000);
  expect(turnDeadline(life.session, sighting.see(life.session, 105_000))).toBe(deadline);
});
