/** The events with which a tool call waits for somebody outside, and goes on: entries of the table in event-catalog.ts. */
import { choice, count, json, optional, text } from './event-field.ts';

/** approval: may it be run? client: somebody else runs it and says what came of it. */
export const TOOL_REQUEST_KINDS = ['approval', 'client'] as const;
export type ToolRequestKind = (typeof TOOL_REQUEST_KINDS)[number];

export const TOOL_RESOLUTIONS = ['approved', 'denied', 'answered', 'failed', 'expired', 'canceled'] as const;
export type ToolResolution = (typeof TOOL_RESOLUTIONS)[number];

const callId = text('The id of the tool call.');
const tool = text('The name of the tool.');

export const TOOL_REQUESTED = {
  'tool.requested': {
    level: 'user',
    description:
      'A tool call waits for somebody outside: to be approved, or to be answered by who runs the tool. The turn goes on once it is resolved.',
    body: {
      callId,
      tool,
      kind: choice(
        'ToolRequestKind',
        TOOL_REQUEST_KINDS,
        'approval: somebody has to allow it. client: somebody has to run it and say what came of it.',
      ),
      input: json('What the model passed to the tool.'),
      reason: optional(text('Of an approval: why it is asked for, as the rule says it.')),
      timeoutSeconds: optional(
        count(
          'Seconds from this event on, after which it is given up; absent: it waits for as long as it takes.',
        ),
      ),
    },
  },
  'tool.resolved': {
    level: 'user',
    description:
      'What a tool call waited for is settled, by the actor of this event. A call that was denied or answered has its tool.result in the same append; one that was approved is run now.',
    body: {
      callId,
      tool,
      resolution: choice(
        'ToolResolution',
        TOOL_RESOLUTIONS,
        'approved: it may run. denied: it is not run. answered, failed: what came of it is its result. expired: nobody did in time. canceled: its turn ended before.',
      ),
      reason: optional(text('Why, in the words of who resolved it.')),
      input: optional(
        json('Of an approval: what the tool is run with, where that is not what the model passed.'),
      ),
      rule: optional(json('Of an approval that holds from now on in this session: the rule that was added.')),
    },
  },
} as const;
