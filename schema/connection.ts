/**
 * Forward Relay connections: `first` and `after`, never backwards. A page's cursors are opaque text that names the last
 * node's place; a text that this list did not give is refused with InvalidInput.
 */
import type { ObjectRef } from '@pothos/core';
import { InvalidInput } from '../src/kernel/fault.ts';
import { CONNECTION_FIRST_DEFAULT, CONNECTION_FIRST_MAX } from '../src/kernel/limit.ts';
import { parseCount } from '../src/kernel/parse.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { costing } from './cost.ts';

export interface Page<Node> {
  readonly nodes: readonly Node[];
  readonly hasNextPage: boolean;
  readonly cursorOf: (node: Node) => string;
  /** Set where the page ends behind its last node, because what follows was filtered out. */
  readonly endCursor?: string | undefined;
}

interface Edge<Node> {
  readonly node: Node;
  readonly cursor: string;
}

interface PageEnds {
  readonly hasNextPage: boolean;
  readonly endCursor: string | undefined;
}

const PageInfo = builder.objectRef<PageEnds>('PageInfo').implement({
  description: 'Where a page of a list ends.',
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage', { description: 'Whether there is more after endCursor.' }),
    endCursor: t.exposeString('endCursor', {
      nullable: true,
      description: 'Pass it as `after` to get the next page; null when the list is empty.',
    }),
  }),
});

/** The connection type `<name>Connection` and its edge over `node`. */
export function connectionOf<Node>(name: string, node: unknown): ObjectRef<never, Page<Node>> {
  const type = node as ObjectRef<never, Node>; // Pothos cannot name the ref of a generic node; the caller gives its own
  const edge = builder.objectRef<Edge<Node>>(`${name}Edge`);
  edge.implement({
    description: `A ${name} and its place in the list.`,
    fields: (t) => ({
      node: t.field({
        type: type as never,
        description: `The ${name}.`,
        resolve: (of) => of.node as never,
      }),
      cursor: t.exposeString('cursor', { description: 'Pass it as `after` to go on behind this one.' }),
    }),
  });
  const connection = builder.objectRef<Page<Node>>(`${name}Connection`);
  connection.implement({
    description: `A page of a list of ${name}s.`,
    fields: (t) => ({
      edges: t.field({
        type: [edge as never],
        ...costing({ items: 'page' }),
        description: 'The page, each with its cursor.',
        resolve: (page) => page.nodes.map((of) => ({ node: of, cursor: page.cursorOf(of) })) as never,
      }),
      nodes: t.field({
        type: [type as never],
        ...costing({ items: 'page' }),
        description: 'The page, for those who need no cursors.',
        resolve: (page) => page.nodes as never,
      }),
      pageInfo: t.field({
        type: PageInfo,
        description: 'Where the page ends.',
        resolve: ({ nodes, hasNextPage, cursorOf, endCursor }) => {
          const last = nodes.at(-1);
          return { hasNextPage, endCursor: endCursor ?? (last === undefined ? undefined : cursorOf(last)) };
        },
      }),
    }),
  });
  return connection as never; // the ref of this very connection, typed by its page
}

export interface FirstAfter {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
}

/**
 * What a connection costs: one, and what is in it as often as a page can hold (for a `first` that is refused later, something);
 * and `each` for every one of them, where reading it is dear.
 */
export function connectionCost(each = 0) {
  return costing({
    page: ({ first }) => Math.max(1, typeof first === 'number' ? first : CONNECTION_FIRST_DEFAULT),
    each,
  });
}

export function firstOf(args: FirstAfter): number {
  return parseCount('first', args.first ?? undefined, 1, CONNECTION_FIRST_MAX) ?? CONNECTION_FIRST_DEFAULT;
}

/** Reads one more than asked for, which tells whether there is a next page; when it is this operation's turn (BUDGET-2). */
export async function pageOf<Node>(
  { budget }: Pick<Context, 'budget'>,
  first: number,
  read: (limit: number) => Promise<readonly Node[]>,
  cursorOf: (node: Node) => string,
): Promise<Page<Node>> {
  await budget.turn();
  const nodes = await read(first + 1);
  return { nodes: nodes.slice(0, first), hasNextPage: nodes.length > first, cursorOf };
}

/** Lists ordered by creation time and id: the cursor is both. */
export function placeOf(list: string, node: { readonly createdAt: number; readonly id: string }): string {
  return Buffer.from(`${list} ${node.createdAt} ${node.id}`).toString('base64url');
}

/** The place of a cursor that `placeOf` made for the same list; throws InvalidInput for any other text. */
export function parsePlace<Id extends string>(
  list: string,
  after: string | null | undefined,
  isId: (text: string) => text is Id,
): { readonly createdAt: number; readonly id: Id } | undefined {
  if (after === undefined || after === null) return undefined;
  const [of, createdAt, id, ...rest] = Buffer.from(after, 'base64url').toString().split(' ');
  const at = Number(createdAt);
  if (of !== list || id === undefined || rest.length > 0 || !isId(id) || !Number.isSafeInteger(at)) {
    throw new InvalidInput(
      'after',
      'this cursor is not one of this list; leave it out to read from the start.',
    );
  }
  return { createdAt: at, id };
}
