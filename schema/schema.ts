/** The schema: every noun is imported for its definitions, then built once. `printedSchema` is schema.graphql. */
import { type GraphQLSchema, lexicographicSortSchema, printSchema } from 'graphql';
import './scalar.ts';
import './fault.ts';
import './agent.ts';
import './agent-change.ts';
import './credential.ts';
import './event.ts';
import './turn.ts';
import './client-token.ts';
import './organisation.ts';
import './api-key.ts';
import './api-key-change.ts';
import './session.ts';
import './session-command.ts';
import './session-update.ts';
import './session-deletion.ts';
import './message.ts';
import './tool-answer.ts';
import './tool-approval.ts';
import './audit-entry.ts';
import './retention.ts';
import './inbox.ts';
import './inbox-changed.ts';
import './session-frame.ts';
import { auditMutations } from './audited-mutations.ts';
import { builder } from './builder.ts';

export const schema: GraphQLSchema = auditMutations(builder.toSchema());

const HEADER = '# Printed from schema/*.ts by `npm run schema`. Do not edit; review it like code.\n\n';

export function printedSchema(): string {
  return `${HEADER}${printSchema(lexicographicSortSchema(schema))}\n`;
}
