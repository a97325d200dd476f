/**
 * What a field says of its cost, for the count before an operation runs (api/graphql/cost.ts). A field that says nothing costs one
 * point. A list of objects must say how long it can be: one that does not cannot be counted, and an operation with it is refused.
 */
import type { GraphQLField } from 'graphql';

export interface Cost {
  /** Of the field alone, where it is not 1. */
  readonly points?: number | undefined;
  /** Bytes that it can have in an answer, where those are many. */
  readonly bytes?: number | undefined;
  /** How many things a list can hold; `page`: as many as the connection around it. */
  readonly items?: number | 'page' | undefined;
  /** Of a connection: how many things one page of it can hold. */
  readonly page?: ((args: Readonly<Record<string, unknown>>) => number) | undefined;
  /** Of a connection: points for reading each of them, whatever is asked of it. */
  readonly each?: number | undefined;
}

/** For the options of a field. */
export function costing(cost: Cost): { readonly extensions: { readonly cost: Cost } } {
  return { extensions: { cost } };
}

export function costOf({ extensions }: GraphQLField<unknown, unknown>): Cost {
  return extensions['cost'] ?? {}; // only costing() writes it
}
