/** Followers of a session over a real graphql-ws client, and what they have been sent. */
import type { Client } from 'graphql-ws';
import type { Answer } from './door.ts';
import { eventually } from './eventually.ts';

export const QUICK = `__typename ... on EventBatch { cursor events { __typename seq type body ... on AgentMessage { text } } }
  ... on CaughtUp { cursor } ... on MessageDelta { callId offset text } ... on ThinkingDelta { callId offset text }
  ... on SlowConsumer { resumeFrom }
  ... on SessionGone { message } ... on CursorRefused { reason earliest }`;
/** A directive with a variable: no projection, the same frames. */
export const BY_EXECUTION = QUICK.replace('cursor events', 'cursor @include(if: $yes) events');

export interface Follower {
  readonly frames: Answer[];
  readonly failed: () => unknown;
  readonly completed: () => boolean;
  readonly stop: () => void;
  sees(what: string, condition: (frames: readonly Answer[]) => boolean): Promise<void>;
  seqs(): readonly number[];
}

export function follow(
  client: Client,
  sessionId: string,
  more: Record<string, unknown> = {},
  selection = QUICK,
): Follower {
  const frames: Answer[] = [];
  let failure: unknown;
  let completed = false;
  const query = `subscription ($id: ID!, $after: Cursor, $filter: EventFilter, $deltas: Boolean${selection.includes('$yes') ? ', $yes: Boolean!' : ''}) {
    sessionEvents(sessionId: $id, after: $after, filter: $filter, deltas: $deltas) { ${selection} } }`;
  const stop = client.subscribe<Answer>(
    { query, variables: { id: sessionId, ...(selection.includes('$yes') ? { yes: true } : {}), ...more } },
    {
      next: ({ data, errors }) => {
        if (data) frames.push(data.sessionEvents);
        else failure = errors;
      },
      error: (error) => {
        failure = error;
      },
      complete: () => {
        completed = true;
      },
    },
  );
  return {
    frames,
    failed: () => failure,
    completed: () => completed,
    stop,
    async sees(what, condition) {
      await eventually(`${what}, after ${JSON.stringify(frames.slice(-3)).slice(0, 500)}`, () =>
        condition(frames),
      );
    },
    seqs: () => frames.flatMap(({ events = [] }) => events.map(({ seq }: Answer) => seq)),
  };
}

export const caughtUp = (frames: readonly Answer[]): boolean =>
  frames.some(({ __typename }) => __typename === 'CaughtUp');
export const upTo = (head: number): readonly number[] => Array.from({ length: head }, (_, at) => at + 1);
