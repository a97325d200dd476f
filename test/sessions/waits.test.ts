import { describe, expect, it } from 'vitest';
import { claimAt, waitsOf } from '../../src/sessions/waits.ts';
import { answers, Life, REACH } from '../support/session-life.ts';

const ME = { kind: 'human', id: 'key_me', display: 'me' } as const;
const YOU = { kind: 'human', id: 'key_you', display: 'you' } as const;
const claim = (requestId: string, actor: typeof ME | typeof YOU = ME, now = 1_000, assignee?: string) =>
  ({ kind: 'claimRequest', requestId, seconds: 60, now, actor, assignee }) as const;

function parked(): Life {
  const life = new Life();
  REACH.parked(life);
  return life;
}

describe('what a session waits for', () => {
  it('proves WAIT-1: is its open requests, and who looks after them', () => {
    const life = parked();
    expect(waitsOf(life.session)).toMatchObject([{ id: 't', kind: 'approval', tool: 'deploy' }]);
    expect(life.session.waits?.seq).toBe(waitsOf(life.session)[0]?.seq);

    expect(life.do(claim('t'))).toEqual(['request.claimed']);

    expect(life.session.waits?.seq).toBe(life.events.length);
    expect(waitsOf(life.session)[0]?.claim).toMatchObject({
      by: { id: 'key_me', display: 'me' },
      expiresAt: 61_000,
    });
    life.do({ kind: 'resolveTool', callId: 't', answer: { kind: 'approve' }, actor: YOU });
    expect(waitsOf(life.session)).toEqual([]);
    expect(life.session.waits).toEqual({ seq: life.events.length });
  });

  it('is the question, until somebody answers', () => {
    const life = new Life();
    REACH.awaiting_input(life);
    const [question] = waitsOf(life.session);
    expect(question).toMatchObject({ kind: 'question', id: life.session.turn?.id });

    life.send();

    expect(waitsOf(life.session)).toEqual([]);
  });

  it('proves WAIT-1: does not move what never waited', () => {
    const life = new Life();
    REACH.running(life);
    answers(life, { callId: 'b', tool: 'bash' });
    expect(life.session.waits).toBeUndefined();
  });

  it('is nothing once its turn is being ended, or the session closed', () => {
    const life = parked();
    life.do({ kind: 'archive', actor: ME });
    expect(waitsOf(life.session)).toEqual([]);
  });
});

describe('a claim', () => {
  it('proves INBOX-1: is one at a time; whoever has it renews it, others are told whose it is', () => {
    const life = parked();
    life.do(claim('t'));

    expect(life.do(claim('t', YOU, 60_999))).toBe('ALREADY_CLAIMED');
    expect(life.do(claim('t', ME, 1_000, 'somebody else of mine'))).toBe('ALREADY_CLAIMED');
    expect(life.do(claim('t', ME, 50_000))).toEqual(['request.claimed']);
    expect(life.do(claim('t', YOU, 61_001))).toBe('ALREADY_CLAIMED');
    expect(life.do(claim('t', YOU, 110_000))).toEqual(['request.claimed']);
    const [wait] = waitsOf(life.session);
    expect(wait && claimAt(wait, 169_999)?.by.id).toBe('key_you');
    expect(wait && claimAt(wait, 170_000)).toBeUndefined();
  });

  it('is let go, by anybody, and then free; what is free is let go by nobody', () => {
    const life = parked();
    expect(life.do({ kind: 'releaseRequest', requestId: 't', now: 1, actor: ME })).toBe('nothing');
    life.do(claim('t'));
    expect(life.do({ kind: 'releaseRequest', requestId: 't', now: 2_000, actor: YOU })).toEqual([
      'request.released',
    ]);
    expect(life.do(claim('t', YOU, 3_000))).toEqual(['request.claimed']);
  });

  it('is refused of what does not wait', () => {
    expect(new Life().do(claim('t'))).toBe('REQUEST_GONE');
    expect(parked().do(claim('other'))).toBe('REQUEST_GONE');
  });

  it('keeps nobody from answering', () => {
    const life = parked();
    life.do(claim('t'));
    const answer = life.do({ kind: 'resolveTool', callId: 't', answer: { kind: 'approve' }, actor: YOU });
    expect(answer).toContain('tool.resolved');
  });
});
