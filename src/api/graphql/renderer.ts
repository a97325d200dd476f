/**
 * From a frame to the payload text of a `next` message. One renderer per document and variables: by projection where the
 * document allows it, else by `execute`, which is also what a single frame falls back to.
 */
import {
  type DocumentNode,
  type ExecutionResult,
  execute,
  type FieldNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import type { Context } from '../../../schema/context.ts';
import type { Frame } from '../../../schema/frame.ts';
import { formatted, type Masking, maskedResult } from './masking.ts';
import { compileProjection } from './projection.ts';
import { fragmentsOf, Unprojectable } from './selection.ts';

export interface Renderer {
  /** Equal for renderers that write the same: it is part of what followers share (fanout.ts). */
  readonly id: string;
  render(frame: Frame): string | Promise<string>;
}

export interface FollowOperation {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly root: FieldNode;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
}

/** The one field of a subscription that is written plainly; undefined where only execution can tell. */
export function plainRoot(operation: OperationDefinitionNode): FieldNode | undefined {
  const [root, ...rest] = operation.selectionSet.selections;
  if (rest.length > 0 || root?.kind !== Kind.FIELD || (root.directives?.length ?? 0) > 0) return undefined;
  return root.name.value === 'sessionEvents' ? root : undefined;
}

export class Renderers {
  readonly #projections = new WeakMap<
    OperationDefinitionNode,
    { id: string; write: ((frame: Frame) => string) | undefined }
  >();
  #made = 0;

  /** `context` is used where the document needs execution: whoever shares the renderer may read the same session. */
  rendererOf(follow: FollowOperation, context: Context, masking: Masking): Renderer {
    const { id, write } = this.#projectionOf(follow);
    const byExecution = (frame: Frame): Promise<string> => executed(follow, frame, context, masking);
    if (write === undefined)
      return { id: `${id}${JSON.stringify(follow.variables ?? {})}`, render: byExecution };
    const render = (frame: Frame): string | Promise<string> => {
      try {
        return write(frame);
      } catch (error) {
        if (error instanceof Unprojectable) return byExecution(frame);
        throw error;
      }
    };
    return { id, render };
  }

  #projectionOf(follow: FollowOperation) {
    const known = this.#projections.get(follow.operation);
    if (known !== undefined) return known;
    this.#made += 1;
    const made = { id: `${this.#made} `, write: compiled(follow) };
    this.#projections.set(follow.operation, made);
    return made;
  }
}

function compiled({ schema, document, root }: FollowOperation): ((frame: Frame) => string) | undefined {
  const key = JSON.stringify(root.alias?.value ?? root.name.value);
  try {
    const write = compileProjection(schema, fragmentsOf(document), root);
    return (frame) => `{"data":{${key}:${write(frame)}}}`;
  } catch (error) {
    if (error instanceof Unprojectable) return undefined;
    throw error;
  }
}

async function executed(
  follow: FollowOperation,
  frame: Frame,
  contextValue: Context,
  masking: Masking,
): Promise<string> {
  const { schema, document, operation, variables } = follow;
  const result: ExecutionResult = await execute({
    schema,
    document,
    rootValue: frame,
    contextValue,
    operationName: operation.name?.value,
    variableValues: variables,
  });
  const { errors, ...rest } = maskedResult(result, masking);
  return JSON.stringify({ ...rest, ...(errors === undefined ? {} : { errors: errors.map(formatted) }) });
}
