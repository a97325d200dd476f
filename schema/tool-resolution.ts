/** What the payloads show of mutations that settle a tool call which waits. */
import { cursorOf } from '../src/journal/cursor.ts';
import { TOOL_RESOLUTIONS } from '../src/journal/tool-request-events.ts';
import type { ToolAnswered } from '../src/sessions/tool-standing.ts';
import type { builder } from './builder.ts';
import { choiceEnum } from './event-choice.ts';
import { PAYLOAD_SESSION } from './payload-session.ts';
import { SessionType } from './session.ts';

type FieldBuilder = Parameters<
  NonNullable<Parameters<ReturnType<typeof builder.objectRef<ToolAnswered>>['implement']>[0]['fields']>
>[0];

export function resolutionFields(t: FieldBuilder) {
  return {
    callId: t.exposeString('callId', { description: 'As it was given.' }),
    applied: t.exposeBoolean('applied', {
      description:
        'False when the call does not wait (any more): nothing was done, and resolution says what stands.',
    }),
    resolution: t.field({
      type: choiceEnum({ name: 'ToolResolution', values: TOOL_RESOLUTIONS }),
      nullable: true,
      description: 'How the call was resolved; null: it never waited for anybody outside.',
      resolve: ({ resolution }) => resolution ?? null,
    }),
    eventId: t.id({
      nullable: true,
      description: 'The tool.resolved that says so: by whom, when and why. null: there is none.',
      resolve: ({ eventId }) => eventId ?? null,
    }),
    cursor: t.field({
      type: 'Cursor',
      description: 'The place at the end of the log: follow from here to see what comes of it.',
      resolve: ({ session, head }) => cursorOf(session.id, head),
    }),
    session: t.field({ type: SessionType, description: PAYLOAD_SESSION, resolve: (answered) => answered }),
    replayed: t.exposeBoolean('replayed', {
      description: 'True when the same request with the same key had been answered before.',
    }),
  };
}
