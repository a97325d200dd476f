/**
 * What a follower of a session is sent, before GraphQL: both the subscription's resolvers (schema/session-frame.ts) and
 * the quick projection (api/graphql/projection.ts) answer from this.
 */
import type { DeltaFrame } from '../src/journal/draft.ts';
import type { RecordedEvent } from '../src/journal/event.ts';
import type { SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import type { SessionId } from '../src/kernel/id.ts';

export type Frame =
  /** `seq` is the last one read: greater than the last event's where a filter left some out. */
  | {
      readonly kind: 'events';
      readonly sessionId: SessionId;
      readonly events: readonly RecordedEvent[];
      readonly seq: number;
    }
  | { readonly kind: 'caughtUp'; readonly sessionId: SessionId; readonly seq: number }
  | DeltaFrame
  | { readonly kind: 'slow'; readonly sessionId: SessionId; readonly seq: number }
  | {
      readonly kind: 'gone';
      readonly code: (SessionGone | SessionNotFound)['code'];
      readonly message: string;
      readonly sessionId: string;
    }
  | { readonly kind: 'refused'; readonly sessionId: SessionId; readonly reason: CursorRefusal };

export type CursorRefusal = 'foreign' | 'ahead';

export const FRAME_TYPE: Readonly<Record<Frame['kind'], string>> = {
  events: 'EventBatch',
  caughtUp: 'CaughtUp',
  delta: 'MessageDelta',
  thinking: 'ThinkingDelta',
  slow: 'SlowConsumer',
  gone: 'SessionGone',
  refused: 'CursorRefused',
};
