/**
 * How a field of an event's body is written down, once: its kind, whether it may be missing, and what it means. The
 * TypeScript type of a body is derived from its fields.
 */
type Kind = 'text' | 'count' | 'flag' | 'json' | 'choice';

export interface Field<K extends Kind = Kind, V extends string = string, O extends boolean = boolean> {
  readonly kind: K;
  readonly optional: O;
  readonly description: string;
  /** Only of a choice: the name of its GraphQL enum, and its values as stored. */
  readonly choice?: { readonly name: string; readonly values: readonly V[] } | undefined;
}

function field<K extends Kind>(kind: K, description: string): Field<K, never, false> {
  return { kind, optional: false, description };
}
export const text = (description: string) => field('text', description);
export const count = (description: string) => field('count', description);
export const flag = (description: string) => field('flag', description);
export const json = (description: string) => field('json', description);
export function choice<const V extends string>(
  name: string,
  values: readonly V[],
  description: string,
): Field<'choice', V, false> {
  return { kind: 'choice', optional: false, description, choice: { name, values } };
}
export function optional<K extends Kind, V extends string>(given: Field<K, V, false>): Field<K, V, true> {
  return { ...given, optional: true };
}

type ValueOf<F> =
  F extends Field<'choice', infer V>
    ? V
    : F extends Field<'text'>
      ? string
      : F extends Field<'count'>
        ? number
        : F extends Field<'flag'>
          ? boolean
          : unknown;

type Shape = Readonly<Record<string, Field>>;

/** The TypeScript type of a body of this shape. */
export type Body<S extends Shape> = {
  readonly [N in keyof S as S[N]['optional'] extends true ? never : N]: ValueOf<S[N]>;
} & {
  readonly [N in keyof S as S[N]['optional'] extends true ? N : never]?: ValueOf<S[N]> | undefined;
};
