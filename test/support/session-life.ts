/** The life of one session without a store: for tests of its commands and of the record that its events leave. */
import type { Actor, NewEvent } from '../../src/journal/event.ts';
import { type AgentId, newId } from '../../src/kernel/id.ts';
import { fold } from '../../src/sessions/fold.ts';
import { type Command, decide, type Phase } from '../../src/sessions/lifecycle.ts';
import { newSession, type Session } from '../../src/sessions/session.ts';
import { OURS } from './organisation.ts';

export const HUMAN: Actor = { kind: 'human' };

/** A session and its log in memory: decide, then fold, as every store does. */
export class Life {
  session: Session;
  readonly events: NewEvent[] = [];

  constructor(limits: Session['limits'] = {}, more: Partial<Session> = {}) {
    const id = newId('session');
    const agentId: AgentId = newId('agent');
    this.session = newSession({
      id,
      organisationId: OURS.id,
      createdAt: 1,
      agentId,
      agentRevision: 1,
      model: 'rehearsal/echo',
      limits,
      requestHash: '',
      toolRules: [{ tool: 'deploy', action: 'ask' }],
      ...more,
    });
  }

  do(command: Command): 'nothing' | string | readonly string[] {
    const decision = decide(this.session, command);
    if (decision.kind === 'nothing') return 'nothing';
    if (decision.kind === 'refuse') return (decision.fault as unknown as { code: string }).code;
    for (const event of decision.events) {
      this.events.push(event);
      const seq = this.events.length;
      this.session = fold(this.session, { ...event, seq, at: seq });
    }
    return decision.events.map((event) => event.type);
  }

  send(mode: 'queue' | 'steer' | 'interrupt' = 'steer') {
    return this.do({ kind: 'send', text: 'hello', mode, actor: HUMAN });
  }

  record(...events: readonly Pick<NewEvent, 'type' | 'body'>[]) {
    const turnId = this.session.turn?.id;
    return this.do({
      kind: 'record',
      events: events.map((event) => ({ ...event, actor: HUMAN, turnId }) as NewEvent),
    });
  }

  get lastTurnId() {
    return this.events.at(-1)?.turnId;
  }
}

/** How a life gets into each status. */
export const REACH: Readonly<Record<Phase, (life: Life) => void>> = {
  idle: () => undefined,
  queued: (life) => void life.send(),
  running: (life) => {
    life.send();
    life.do({ kind: 'takeLease', owner: 'me' });
    life.do({ kind: 'beginTurn' });
  },
  awaiting_input: (life) => {
    REACH.running(life);
    seen(life);
    life.do({ kind: 'completeTurn', outcome: 'needs_input' });
  },
  parked: (life) => {
    REACH.running(life);
    seen(life);
    answers(life, { callId: 't', tool: 'deploy' });
  },
  failed: (life) => {
    REACH.running(life);
    life.do({ kind: 'completeTurn', outcome: 'error', failure: { code: 'X', message: 'x' } });
  },
  archived: (life) => void life.do({ kind: 'archive', actor: HUMAN }),
};

/** The model answers with these calls. */
export function answers(life: Life, ...calls: readonly { readonly callId: string; readonly tool: string }[]) {
  return life.record(
    ...calls.map(({ callId, tool }) => ({
      type: 'tool.call' as const,
      body: { callId, modelCallId: 'c', toolUseId: callId, tool, input: { of: callId } },
    })),
    { type: 'model.completed', body: { callId: 'c', stopReason: 'tool_use' } },
  );
}

/** A model call that has seen every message of the turn. */
export function seen(life: Life): void {
  life.record({
    type: 'model.started',
    body: { callId: 'c', inputToSeq: life.session.turn?.inputToSeq ?? 0 },
  });
}
