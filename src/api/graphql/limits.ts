/** The limits of this door, each with its reason, and the check of a document against them. Equal on every transport. */
import { complexityFromQuery } from '@pothos/plugin-complexity';
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  getOperationAST,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from 'graphql';
import { refusal } from './masking.ts';

/** Tokens of one document: our own console's introspection has some 300; parsing is quick up to here. */
export const TOKENS_MAX = 2_000;
/** Levels of fields: session, events, edges, node, actor, kind are six; introspection needs fifteen. */
export const DEPTH_MAX = 16;
/** Fields under another name: each can be a use case of its own. */
export const ALIASES_MAX = 50;
/** Fields times how often they can be in the answer: 500 sessions with all their fields, or 500 events. */
export const COMPLEXITY_MAX = 30_000;
/** Errors that are worth reading; the rest of a bad document is not looked at. */
export const ERRORS_MAX = 10;
/** Documents kept parsed and checked: apps have a few dozen. */
export const DOCUMENTS_MAX = 500;
/** A longer document is parsed and checked each time: those of apps are shorter, and the memory of all that are kept is bounded. */
export const KNOWN_DOCUMENT_CHARS_MAX = 16 * 1024;
/** How long a new socket may wait with connection_init: an honest client sends it at once. */
export const INIT_TIMEOUT_MS = 5_000;
/** Subscriptions and requests at once on one socket: a console with a page of sessions. */
export const OPERATIONS_PER_SOCKET_MAX = 100;
/** Sockets at once: each costs some 50 KB. */
export const SOCKETS_MAX = 20_000;
/** `send` does not wait below so many buffered bytes: waiting for each write costs more than the write. */
export const SEND_AHEAD_BYTES_MAX = 1024 * 1024;
/** One answer, as rendered: four of the largest bodies, or a page of 500 events with bodies of 32 KiB each. */
export const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** Bodies and texts that one operation may read from the store, shown or not: several times what it can answer. */
export const READ_BYTES_MAX = 64 * 1024 * 1024;
/** Whole bodies that one operation may read: they are parsed, which takes many times their bytes. */
export const WHOLE_BODIES_BYTES_MAX = 16 * 1024 * 1024;
/** A live follower with so many bytes unread is told SlowConsumer: what it has not read must not fill our memory. */
export const HIGH_WATER_BYTES = 8 * 1024 * 1024;
/** A socket with so many bytes unread is cut: it asks for more than it takes. */
export const SOCKET_BYTES_MAX = 32 * 1024 * 1024;
/** A socket that answers no ping for one interval is closed. */
export const PING_INTERVAL_MS = 30_000;

/** Throws when the operation asks for too much; `variables` as they came. */
export function checkCost(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | undefined,
  variables: Readonly<Record<string, unknown>> | undefined,
): void {
  const operation = getOperationAST(document, operationName);
  if (operation === null || operation === undefined) return; // execution says so
  const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  const alone: DocumentNode = { kind: Kind.DOCUMENT, definitions: [operation, ...fragments] };
  const depth = depthOf(operation.selectionSet, fragments);
  if (depth > DEPTH_MAX)
    throw refusal('TOO_DEEP', `This query is ${depth} levels deep; ${DEPTH_MAX} is the most.`, 400);
  const complexity = complexityOf(schema, alone, variables);
  if (complexity > COMPLEXITY_MAX) {
    throw refusal(
      'TOO_COMPLEX',
      `This query can answer ${complexity} fields; ${COMPLEXITY_MAX} is the most. Ask for smaller pages.`,
      400,
    );
  }
}

/** Throws when the document gives too many fields another name. */
export function checkAliases(document: DocumentNode): void {
  let aliases = 0;
  visit(document, {
    Field(node) {
      if (node.alias !== undefined) aliases += 1;
    },
  });
  if (aliases > ALIASES_MAX) {
    throw refusal('TOO_MANY_ALIASES', `This query has ${aliases} aliases; ${ALIASES_MAX} is the most.`, 400);
  }
}

/** Introspection included, which the complexity plugin does not look into. The document is valid: no fragment is in itself. */
function depthOf(selectionSet: SelectionSetNode, fragments: readonly FragmentDefinitionNode[]): number {
  const known = new Map<string, number>(); // a fragment is measured once, however often it is spread
  const spread = (name: string): number => {
    const depth =
      known.get(name) ?? deepest(fragments.find((fragment) => fragment.name.value === name)?.selectionSet);
    known.set(name, depth);
    return depth;
  };
  const deepest = (of: SelectionSetNode | undefined): number =>
    Math.max(0, ...(of?.selections ?? []).map(levels));
  const levels = (selection: SelectionNode): number => {
    switch (selection.kind) {
      case Kind.FIELD:
        return 1 + deepest(selection.selectionSet);
      case Kind.INLINE_FRAGMENT:
        return deepest(selection.selectionSet);
      case Kind.FRAGMENT_SPREAD:
        return spread(selection.name.value);
    }
  };
  return deepest(selectionSet);
}

function complexityOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>> | undefined,
): number {
  try {
    return complexityFromQuery(document, { schema, variables: { ...variables } }).complexity;
  } catch (error) {
    if (error instanceof GraphQLError) return 0; // variables of the wrong type: execution says so
    throw error;
  }
}
