/** The events with which somebody takes up what a session waits for, and lets go of it: entries of the table in event-catalog.ts. */
import { count, json, optional, text } from './event-field.ts';

const requestId = text('What is waited for: the id of the tool call, or of the event that asks.');

export const REQUEST_CLAIMED = {
  'request.claimed': {
    level: 'progress',
    description:
      'Somebody looks after what the session waits for, so that nobody else has to. It keeps no one from answering.',
    body: {
      requestId,
      assignee: optional(text('For whom it was claimed, in the words of who did; absent: for the actor.')),
      by: json('Who claimed it: the id and the name of the API key.'),
      expiresAt: count('When the claim ends by itself, in milliseconds since the epoch.'),
      seconds: count('How long it was claimed for.'),
    },
  },
  'request.released': {
    level: 'progress',
    description: 'Nobody looks after it any more: it can be claimed again.',
    body: { requestId },
  },
} as const;
