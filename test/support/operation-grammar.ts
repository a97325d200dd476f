/** Operations by a grammar, and an execution that answers as much as they can ask for: for what has to hold of every document. */
import {
  type ExecutionArgs,
  type GraphQLField,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from 'graphql';
import { costOf } from '../../schema/cost.ts';
import type { Random } from './random.ts';

const DEPTH_MAX = 6;

export interface RandomOperation {
  readonly text: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Most are valid. */
export function randomOperation(schema: GraphQLSchema, random: Random): RandomOperation {
  const fragments: { readonly name: string; readonly on: string; readonly text: string }[] = [];
  let names = 0;
  const one = (of: number): boolean => random.below(of) === 0;

  const condition = (): string => {
    if (!one(6)) return '';
    return ` @${random.pick(['skip', 'include'])}(if: ${random.pick(['true', 'false', '$on', '$off', '$byDefault'])})`;
  };
  const argumentsOf = (field: GraphQLField<unknown, unknown>): string => {
    const given = field.args.flatMap(({ name, type }) => {
      if (name === 'first') {
        return one(3) ? [] : [`first: ${random.pick(['1', '3', '$few', '$missing', '$some', 'null'])}`];
      }
      if (name === 'includeDeprecated') return one(2) ? ['includeDeprecated: true'] : [];
      if (!isNonNullType(type)) return [];
      return [
        `${name}: ${name === 'name' ? `"${random.pick(['Session', 'Event', 'AgentResult'])}"` : '"x"'}`,
      ];
    });
    return given.length === 0 ? '' : `(${given.join(', ')})`;
  };
  const fieldOf = (field: GraphQLField<unknown, unknown>, depth: number): string => {
    const inner = getNamedType(field.type);
    const args = argumentsOf(field);
    names += 1;
    const alias = args !== '' || one(5) ? `n${names}: ` : '';
    const selection = isCompositeType(inner) ? ` { ${selectionOf(inner.name, depth - 1)} }` : '';
    return `${alias}${field.name}${args}${condition()}${selection}`;
  };
  const fragmentOn = (on: string, depth: number): string => {
    if (one(2)) return `... on ${on}${condition()} { ${selectionOf(on, depth)} }`;
    const known = fragments.filter((fragment) => fragment.on === on);
    const again = known[random.below(known.length + 1)];
    if (again !== undefined) return `...${again.name}${condition()}`;
    const text = selectionOf(on, depth);
    const name = `F${fragments.length}`;
    fragments.push({ name, on, text });
    return `...${name}${condition()}`;
  };
  const selectionOf = (typeName: string, depth: number): string => {
    const type = schema.getType(typeName);
    const parts = ['__typename'];
    if (!isCompositeType(type)) return parts[0] ?? '';
    if (!isUnionType(type)) {
      const fields = Object.values(type.getFields()).filter(
        (field) => depth > 0 || !isCompositeType(getNamedType(field.type)),
      );
      for (const field of fields) if (one(fields.length > 8 ? 4 : 2)) parts.push(fieldOf(field, depth));
    }
    if (isAbstractType(type)) {
      const possible = schema.getPossibleTypes(type);
      for (let count = random.below(4); count > 0; count -= 1) {
        const on = possible[random.below(possible.length)]?.name;
        if (on !== undefined) parts.push(fragmentOn(on, depth));
      }
    } else if (one(3) && depth > 0) parts.push(fragmentOn(type.name, depth));
    return parts.join(' ');
  };

  const root = one(5) ? 'Subscription' : 'Query';
  const introspection = root === 'Query' && one(8) ? ` __schema { ${selectionOf('__Schema', 3)} }` : '';
  const body =
    root === 'Query'
      ? `${selectionOf('Query', DEPTH_MAX)}${introspection}`
      : `sessionEvents(sessionId: "x") { ${selectionOf('SessionFrame', DEPTH_MAX)} }`;
  const declared =
    '($on: Boolean!, $off: Boolean!, $byDefault: Boolean! = true, $few: Int, $missing: Int, $some: Int = 4)';
  const used = ['on', 'off', 'byDefault', 'few', 'missing', 'some'];
  const all = [body, ...fragments.map(({ text }) => text)].join(' ');
  const kept = declared
    .slice(1, -1)
    .split(', ')
    .filter((_, at) => new RegExp(`\\$${used[at]}\\b`).test(all));
  const head = kept.length === 0 ? '' : ` (${kept.join(', ')})`;
  const kind = root === 'Query' ? 'query' : 'subscription';
  const spreads = fragments.map(({ name, on, text }) => `fragment ${name} on ${on} { ${text} }`);
  return {
    text: [`${kind}${head} { ${body} }`, ...spreads].join(' '),
    variables: { on: one(2), off: one(2), few: one(3) ? null : 2 },
  };
}

/** As many things as each list may hold, each of any type that it may have. */
export function standIn(random: Random): Pick<ExecutionArgs, 'fieldResolver' | 'typeResolver'> {
  const value = (type: GraphQLOutputType, info: GraphQLResolveInfo, items: number, page: number): unknown => {
    if (isNonNullType(type)) return value(type.ofType, info, items, page);
    if (isListType(type)) return Array.from({ length: items }, () => value(type.ofType, info, 1, page));
    if (isObjectType(type)) return { __typename: type.name, page };
    if (isAbstractType(type)) {
      const possible = info.schema.getPossibleTypes(type);
      return { __typename: possible[random.below(possible.length)]?.name, page };
    }
    if (isEnumType(type)) return type.getValues()[0]?.value;
    return type.name === 'Boolean' ? true : 1;
  };
  return {
    typeResolver: (of: unknown) => (of as { __typename: string }).__typename, // as: value() made it
    fieldResolver: (from: unknown, args: Readonly<Record<string, unknown>>, _context, info) => {
      const field = info.schema.getField(info.parentType, info.fieldName);
      if (field === undefined) return null;
      const { items, page: pageOf } = costOf(field);
      const around = (from as { page?: number } | undefined)?.page ?? 1;
      const page = pageOf?.(args) ?? around;
      return value(info.returnType, info, items === 'page' ? page : (items ?? 2), page);
    },
  };
}

/** How many fields an answer has. */
export function answeredFields(data: unknown): number {
  if (typeof data !== 'object' || data === null) return 0;
  const inner = Object.values(data).reduce<number>((sum, one) => sum + answeredFields(one), 0);
  return Array.isArray(data) ? inner : inner + Object.keys(data).length;
}
