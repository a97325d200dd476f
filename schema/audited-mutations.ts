/**
 * Writes the audit log beside mutations. Each says of itself what it is (auditing.ts), and is wrapped when the schema is built; one that says
 * nothing lets no schema be built, so none can be forgotten. What the promises are: src/audit/audit-log.ts.
 */
import { type GraphQLFieldResolver, GraphQLError, type GraphQLSchema } from 'graphql';
import { type Action, authorize, POLICY, type Rule } from '../src/access/policy.ts';
import type { Principal } from '../src/access/principal.ts';
import type { AuditLog } from '../src/audit/audit-log.ts';
import {
  type AskedChange,
  type AuditTarget,
  differences,
  type Settlement,
  type Shown,
  type TargetKind,
} from '../src/audit/entry.ts';
import { must } from '../src/kernel/assert.ts';
import { Fault, Forbidden } from '../src/kernel/fault.ts';
import { isId } from '../src/kernel/id.ts';
import type { Session } from '../src/sessions/session.ts';
import { askedBy, auditsOf } from './append-audit.ts';
import { askedOf } from './asked-field.ts';
import { type Args, type Auditing, type ChangeAudit, type IssueAudit } from './auditing.ts';
import type { Context } from './context.ts';

type Resolver = GraphQLFieldResolver<unknown, Context, Args>;

/** Wraps every mutation of the schema, once it is built. */
export function auditMutations(schema: GraphQLSchema): GraphQLSchema {
  for (const [action, field] of Object.entries(schema.getMutationType()?.getFields() ?? {})) {
    const auditing = field.extensions['auditing'] as Auditing | undefined; // only the three functions above write it
    const resolve = must(field.resolve, `${action} has a resolver`);
    field.resolve = wrapped(
      action,
      must(auditing, `the mutation ${action} says how it is audited (auditing.ts)`),
      resolve,
    );
  }
  return schema;
}

function wrapped(action: string, auditing: Auditing, resolve: Resolver): Resolver {
  switch (auditing.kind) {
    case 'command':
      return commanded(action, resolve);
    case 'change':
      return changing(action, auditing.of, resolve);
    case 'issue':
      return issuing(action, auditing.of, resolve);
  }
}

/**
 * AUDIT-2. The entry is made by the append. A start that is answered again has none to make it, so it is looked at here; and a client token
 * that is asked for with it is in its entry, or has one of its own.
 */
function commanded(action: string, resolve: Resolver): Resolver {
  return async (root, args, context, info) => {
    const asked = askedBy(context, action);
    const token = askedOf(info, 'clientToken').size > 0 ? { clientToken: true } : {};
    const audits = auditsOf(context, asked, token);
    const payload: unknown = await resolve(root, args, { ...context, audits }, info);
    if (action !== 'startSession' || !isReplay(payload)) return payload;
    const { session } = payload as { readonly session: Session }; // a StartSessionPayload
    await context.audit.repair(
      audits({ before: session, after: session, firstSeq: 1, lastSeq: 1, replayed: true }),
    );
    if (token.clientToken === true) {
      const target = { kind: 'session', id: session.id } as const;
      await context.audit.add(asked, { outcome: 'replayed', target, after: token });
    }
    return payload;
  };
}

/** AUDIT-1 */
function changing(
  action: string,
  of: ChangeAudit<{ readonly id: string }, unknown>,
  resolve: Resolver,
): Resolver {
  return async (root, args, context, info) => {
    const asked = {
      ...askedBy(context, action),
      target: targetOf(of.target, of.id?.(args, context) ?? idOf(args)),
    };
    const { audit } = context;
    const answer = (): unknown => resolve(root, args, context, info);
    if (!mayAsk(context.principal, action)) {
      return settled(answer, unbegun(audit, asked), () => ({ outcome: 'done' }));
    }
    const { target } = asked;
    const before = target && of.find ? await shownOf(of, context, target.id) : undefined;
    const id = await audit.begin(asked);
    const elsewhere = of.elsewhere?.(args);
    return settled(
      answer,
      async (settlement) => {
        await audit.settle(id, settlement);
        if (settlement.outcome === 'done') await tellElsewhere(audit, asked, settlement, elsewhere);
      },
      (payload) => {
        if (isReplay(payload)) return { outcome: 'replayed' };
        const thing = of.changed?.(payload, context);
        const after = thing === undefined ? undefined : of.shown(thing);
        const known = thing === undefined ? target : targetOf(of.target, thing.id);
        return { outcome: 'done', target: known, ...differences(before, after) };
      },
    );
  };
}

/** Without the operator's key, which is not there (ORGANISATION-1). */
async function tellElsewhere(
  audit: AuditLog,
  asked: AskedChange,
  settlement: Settlement,
  organisationId: unknown,
): Promise<void> {
  if (typeof organisationId !== 'string' || !isId('organisation', organisationId)) return;
  if (organisationId === asked.organisationId) return;
  const { requestId: _requestId, from: _from, ...rest } = asked;
  await audit.add({ ...rest, organisationId, actor: { kind: 'key', name: 'an operator' } }, settlement);
}

function issuing(action: string, of: IssueAudit<never>, resolve: Resolver): Resolver {
  return async (root, args, context, info) => {
    const { audit } = context;
    const asked = { ...askedBy(context, action), target: targetOf(of.target, idOf(args)) };
    return settled(
      () => resolve(root, args, context, info),
      unbegun(audit, asked),
      (payload) => ({ outcome: 'done', after: of.after(payload as never) }), // as: the field's own
    );
  };
}

/** How that is written down which has no entry yet. */
function unbegun(audit: AuditLog, asked: AskedChange): (settlement: Settlement) => Promise<void> {
  return (settlement) =>
    settlement.outcome === 'done' ? audit.add(asked, settlement) : audit.refused(asked, settlement);
}

/** Writes down what comes of it, and answers it then. */
async function settled(
  answer: () => unknown,
  write: (settlement: Settlement) => Promise<void>,
  read: (payload: unknown) => Settlement,
): Promise<unknown> {
  let payload: unknown;
  try {
    payload = await answer();
  } catch (error) {
    await write({ outcome: 'failed', code: codeOf(error) }).catch(() => undefined); // what it failed of is told, and not this
    throw error;
  }
  const code = refusalIn(payload);
  await write(code === undefined ? read(payload) : { outcome: 'refused', code });
  return payload;
}

async function shownOf(
  { find, shown }: ChangeAudit<{ readonly id: string }, unknown>,
  context: Context,
  id: string,
): Promise<Shown | undefined> {
  try {
    const thing = await find?.(context, id);
    return thing === undefined ? undefined : shown(thing);
  } catch (error) {
    if (error instanceof Fault) return undefined; // the mutation itself says that there is none
    throw error;
  }
}

/** AUDIT-5. By the policy table; who may ask with some session is not looked at here. */
function mayAsk(principal: Principal, action: string): boolean {
  const found = Object.entries<Rule>(POLICY).find(([, rule]) => rule.operations.includes(action));
  if (found === undefined) return true; // the test of the table does not let it be
  const [row, { client }] = found;
  if (principal.kind === 'client' && client.length > 0) return true;
  try {
    authorize(principal, row as Action); // as: a row of the table
    return true;
  } catch (error) {
    if (error instanceof Forbidden) return false;
    throw error;
  }
}

const ID = /^[a-z]{2,8}_[0-9a-f]{24}$/;

/** What has not the form of an id is text of somebody's, and stays out. */
function targetOf(kind: TargetKind, id: string | undefined): AuditTarget | undefined {
  if (id === undefined || !ID.test(id)) return undefined;
  return { kind: isId('apiKey', id) ? 'apiKey' : kind, id }; // client tokens are revoked of sessions and of keys
}

function idOf({ input, ...args }: Args): string | undefined {
  const named = [
    args.id,
    input?.id,
    args.sessionId,
    input?.sessionId,
    args.agentId,
    input?.agentId,
    args.keyId,
  ];
  return named.find((id): id is string => typeof id === 'string');
}

/** Every payload says whether it is a replay (test/schema); what does not is a Fault, however the errors plugin has wrapped it. */
function refusalIn(payload: unknown): string | undefined {
  const { replayed, code } = payload as { readonly replayed?: boolean; readonly code?: string }; // one of the union's members
  return replayed === undefined ? (code ?? 'INTERNAL') : undefined;
}

function isReplay(payload: unknown): boolean {
  return (
    typeof payload === 'object' && payload !== null && 'replayed' in payload && payload.replayed === true
  );
}

function codeOf(error: unknown): string {
  if (error instanceof Fault) return error.code;
  const code: unknown = error instanceof GraphQLError ? error.extensions['code'] : undefined;
  return typeof code === 'string' ? code : 'INTERNAL';
}
