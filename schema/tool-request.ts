/** A tool call that waits for somebody outside, as the record of its turn has it. */
import { TOOL_REQUEST_KINDS } from '../src/journal/tool-request-events.ts';
import type { OpenTool } from '../src/sessions/session.ts';
import { builder } from './builder.ts';
import { choiceEnum } from './event-choice.ts';

export const ToolRequestType = builder.objectRef<OpenTool>('ToolRequest').implement({
  description:
    'A tool call that waits for somebody outside. What it passes stands in its event tool.requested.',
  fields: (t) => ({
    callId: t.exposeString('callId', { description: 'For approveToolCall, denyToolCall, answerToolCall.' }),
    tool: t.exposeString('tool', { description: 'The name of the tool.' }),
    requestKind: t.field({
      type: choiceEnum({ name: 'ToolRequestKind', values: TOOL_REQUEST_KINDS }),
      nullable: true,
      description: 'What it waits for.',
      resolve: ({ request }) => request?.kind ?? null,
    }),
    since: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Since when it waits.',
      resolve: ({ request }) => request?.since ?? null,
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it is given up; null: it waits for as long as it takes.',
      resolve: ({ request }) => request?.expiresAt ?? null,
    }),
  }),
});
