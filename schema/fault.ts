/** Every Fault that a field lists, registered once: the class stays ignorant of GraphQL. */
import {
  ApiKeyNotFound,
  ApiKeyRevoked,
  LastKey,
  OlderServerRuns,
  OrganisationNameTaken,
  OrganisationNotFound,
  RateLimited,
} from '../src/access/faults.ts';
import { LogFull, SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import { type Fault, Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { CredentialNotFound } from '../src/secrets/faults.ts';
import {
  AgentGone,
  AgentInUse,
  AgentNameTaken,
  AgentNotFound,
  AlreadyClaimed,
  EventNotFound,
  NoCredential,
  PendingFull,
  RequestGone,
  SessionArchived,
  TurnNotFound,
} from '../src/sessions/faults.ts';
import { builder } from './builder.ts';

const FaultInterface = builder.interfaceRef<Fault>('Fault').implement({
  description: 'An expected refusal: nothing was changed. Switch on __typename or code; show the message.',
  fields: (t) => ({
    code: t.exposeString('code', {
      description: 'A constant to switch on, the same on every door and in every version.',
    }),
    message: t.exposeString('message', { description: 'One sentence for a person that says what to do.' }),
  }),
});
const interfaces = [FaultInterface];

builder.objectType(InvalidInput, {
  name: 'InvalidInput',
  interfaces,
  description: 'The input has the wrong shape or breaks a limit.',
  fields: (t) => ({ field: t.exposeString('field', { description: 'The input to mend.' }) }),
});
builder.objectType(Forbidden, {
  name: 'Forbidden',
  interfaces,
  description: 'The key or token is good, but may not do this.',
});
builder.objectType(RateLimited, {
  name: 'RateLimited',
  interfaces,
  description: 'The client token has sent as much as it may for now.',
  fields: (t) => ({
    retryAfterMs: t.exposeInt('retryAfterMs', { description: 'Try again after so many milliseconds.' }),
  }),
});
builder.objectType(IdempotencyConflict, {
  name: 'IdempotencyConflict',
  interfaces,
  description: 'The same key was used before for another request.',
  fields: (t) => ({ key: t.exposeString('key', { description: 'The key that was used twice.' }) }),
});
builder.objectType(SessionNotFound, {
  name: 'SessionNotFound',
  interfaces,
  description: 'There is no such session, or it is not yours to see.',
  fields: (t) => ({ sessionId: t.exposeString('sessionId', { description: 'As it was given.' }) }),
});
/** Also a frame of followers (session-frame.ts), which is no Fault that was thrown. */
export const SessionGoneType = builder.objectType(SessionGone, {
  name: 'SessionGone',
  interfaces,
  isTypeOf: (value) =>
    value instanceof SessionGone ||
    (typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'gone'),
  description:
    'The session was deleted; its id is not used again. A follower is sent it as a frame, also when there is no such session or it is not its to see (code SESSION_NOT_FOUND); the subscription ends.',
  fields: (t) => ({ sessionId: t.exposeString('sessionId', { description: 'The session that is gone.' }) }),
});
builder.objectType(SessionArchived, {
  name: 'SessionArchived',
  interfaces,
  description: 'The session is closed and can only be read.',
  fields: (t) => ({ sessionId: t.exposeString('sessionId', { description: 'The closed session.' }) }),
});
builder.objectType(LogFull, {
  name: 'LogFull',
  interfaces,
  description: 'The log of the session has reached its cap.',
  fields: (t) => ({ sessionId: t.exposeString('sessionId', { description: 'The session that is full.' }) }),
});
builder.objectType(PendingFull, {
  name: 'PendingFull',
  interfaces,
  description: 'Too many messages wait for the next turn.',
});
builder.objectType(AlreadyClaimed, {
  name: 'AlreadyClaimed',
  interfaces,
  description: 'Somebody else looks after it.',
  fields: (t) => ({
    by: t.exposeString('by', { description: 'The assignee, or else the API key that claimed it.' }),
    until: t.field({
      type: 'DateTime',
      description: 'When the claim ends, unless it is renewed.',
      resolve: ({ until }) => until,
    }),
  }),
});
builder.objectType(RequestGone, {
  name: 'RequestGone',
  interfaces,
  description: 'What was to be claimed does not wait any more.',
  fields: (t) => ({ requestId: t.exposeString('requestId', { description: 'As it was given.' }) }),
});
builder.objectType(AgentNotFound, {
  name: 'AgentNotFound',
  interfaces,
  description: 'There is no agent of this id or name.',
});
builder.objectType(AgentNameTaken, {
  name: 'AgentNameTaken',
  interfaces,
  description: 'An agent of this name exists with another definition.',
  fields: (t) => ({ agentId: t.exposeString('agentId', { description: 'The agent that has the name.' }) }),
});
builder.objectType(AgentGone, {
  name: 'AgentGone',
  interfaces,
  description: 'The agent was deleted: it starts no sessions and cannot be changed.',
  fields: (t) => ({ agentId: t.exposeString('agentId', { description: 'The deleted agent.' }) }),
});
builder.objectType(AgentInUse, {
  name: 'AgentInUse',
  interfaces,
  description: 'A session of the agent is queued or running.',
  fields: (t) => ({
    agentId: t.exposeString('agentId', { description: 'The agent, which is as it was.' }),
    sessionId: t.exposeString('sessionId', { description: 'One of the sessions that are in the way.' }),
  }),
});
builder.objectType(CredentialNotFound, {
  name: 'CredentialNotFound',
  interfaces,
  description: 'There is no credential of this id.',
});
builder.objectType(NoCredential, {
  name: 'NoCredential',
  interfaces,
  description: "No key for the model's provider can be found.",
});
builder.objectType(TurnNotFound, {
  name: 'TurnNotFound',
  interfaces,
  description: 'The session has no such turn.',
});
builder.objectType(EventNotFound, {
  name: 'EventNotFound',
  interfaces,
  description: 'The session has no such event.',
});
builder.objectType(ApiKeyNotFound, {
  name: 'ApiKeyNotFound',
  interfaces,
  description: 'There is no API key of this id.',
});
builder.objectType(ApiKeyRevoked, {
  name: 'ApiKeyRevoked',
  interfaces,
  description: 'The API key was revoked, which is for good.',
});
builder.objectType(LastKey, {
  name: 'LastKey',
  interfaces,
  description: 'The organisation would be left without a key that can make keys.',
});
builder.objectType(OrganisationNotFound, {
  name: 'OrganisationNotFound',
  interfaces,
  description: 'There is no organisation of this id.',
});
builder.objectType(OrganisationNameTaken, {
  name: 'OrganisationNameTaken',
  interfaces,
  description: 'An organisation of this name exists.',
  fields: (t) => ({
    organisationId: t.exposeString('organisationId', { description: 'The organisation that has the name.' }),
  }),
});
builder.objectType(OlderServerRuns, {
  name: 'OlderServerRuns',
  interfaces,
  description: 'A server of a version that knows one organisation only is on the same database.',
});
