/**
 * The port by which the deltas of messages that are being written reach the other processes of this installation, where one
 * store serves several. Deltas are ephemeral: the wire may lose them, and never holds up the one who posts.
 *
 * Adapter: platform/mongo/live/live-channel.ts. The embedded store has one process and needs none.
 */
import type { SessionId } from '../kernel/id.ts';
import type { Delta } from './draft.ts';

export interface LiveWire {
  /** Tells the other processes. Neither waits nor throws. */
  post(sessionId: SessionId, delta: Delta): void;
  /** Calls back for what other processes posted, never for what this one did. Answers its end. */
  onDelta(listener: (sessionId: SessionId, delta: Delta) => void): () => void;
}
