/** Turning a `sessionEvents` operation on a socket into its follower: arguments, permission, renderer. */
import {
  type ExecutionArgs,
  type ExecutionResult,
  type FieldNode,
  getArgumentValues,
  getOperationAST,
  getVariableValues,
  GraphQLError,
  type OperationDefinitionNode,
} from 'graphql';
import type { Context } from '../../../schema/context.ts';
import { type FollowArgs, openFollow } from '../../../schema/frame-source.ts';
import { schema } from '../../../schema/schema.ts';
import { must } from '../../kernel/assert.ts';
import type { Logger } from '../../kernel/logger.ts';
import { Fanout } from './fanout.ts';
import { followerOf } from './follower.ts';
import { HIGH_WATER_BYTES } from './limits.ts';
import { masked } from './masking.ts';
import type { DoorPorts, GraphqlOptions } from './options.ts';
import type { Line } from './line.ts';
import { plainRoot, Renderers } from './renderer.ts';

const FIELD = must(
  schema.getSubscriptionType()?.getFields()['sessionEvents'],
  'the schema has sessionEvents',
);

export class Follows {
  readonly #logger: Logger;
  readonly #renderers = new Renderers();
  readonly #fanout: Fanout;

  constructor(ports: DoorPorts, options: GraphqlOptions) {
    const { journal, live, logger, turns } = ports;
    this.#logger = logger;
    this.#fanout = new Fanout({
      journal,
      live,
      turns,
      highWaterBytes: options.highWaterBytes ?? HIGH_WATER_BYTES,
    });
  }

  /** Groups that read a log now; none is left behind when the last follower has gone. */
  get groups(): number {
    return this.#fanout.size;
  }

  /** The follower; a result with errors when it is refused; undefined when only general execution can tell what is asked. */
  async open(
    args: ExecutionArgs,
    context: Context,
    line: Line,
  ): Promise<AsyncIterableIterator<never> | ExecutionResult | undefined> {
    const operation = getOperationAST(args.document, args.operationName);
    const root = operation ? plainRoot(operation) : undefined;
    if (!operation || root === undefined) return undefined;
    const masking = { requestId: context.requestId, logger: this.#logger };
    try {
      const variables = args.variableValues ?? undefined;
      const given = argumentsOf(operation, root, variables);
      const opened = await openFollow(context, given);
      const follow = { schema, document: args.document, operation, root, variables };
      const renderer = this.#renderers.rendererOf(follow, context, masking);
      const { outlet, operationId: id } = line;
      const sort = context.principal.kind;
      return followerOf({
        outlet,
        id,
        opened,
        renderer,
        journal: context.journal,
        budget: context.budget,
        fanout: this.#fanout,
        sort,
      });
    } catch (error) {
      const place =
        error instanceof GraphQLError
          ? error
          : new GraphQLError('refused', { nodes: root, path: [root.name.value], cause: error });
      return { errors: [masked(place, masking)] };
    }
  }
}

function argumentsOf(
  operation: OperationDefinitionNode,
  root: FieldNode,
  variables: Readonly<Record<string, unknown>> | undefined,
): FollowArgs {
  const { variableValues, errors } = getVariableValues(
    schema,
    operation.variableDefinitions ?? [],
    variables ?? {},
    {
      maxErrors: 1,
      hideSuggestions: true,
    },
  );
  if (variableValues === undefined) throw must(errors[0], 'there are values or errors');
  // as: the schema coerced them to what the field declares
  return getArgumentValues(FIELD, root, variableValues, undefined, true) as unknown as FollowArgs;
}
