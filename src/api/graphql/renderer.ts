/**
 * From a frame to the payload text of a `next` message. One renderer per document and variables: by projection where the
 * document allows it, else by `execute`, which is also what a single frame falls back to.
 *
 * RENDER-1 EXECUTIONS_MAX frames are executed at a time; of those who wait the key or the session's client tokens that has had least is next, and
 *    of that owner the session: one owner's followers do not keep the others' waiting. What a frame reads is bounded in time (BODYREAD-1).
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
import { type FrameCut, frameCutOf } from '../../../schema/frame-cut.ts';
import type { Frame } from '../../../schema/frame.ts';
import { AnswerTooLarge } from '../../../schema/reading.ts';
import { Fault } from '../../kernel/fault.ts';
import { FRAME_BYTES_MAX } from '../../kernel/limit.ts';
import { FairSemaphore } from '../../kernel/fair-semaphore.ts';
import { Outage } from '../../kernel/outage.ts';
import { Allowance } from './allowance.ts';
import { jsonBytes } from './json-size.ts';
import { jsonText } from './json-writer.ts';
import { formatted, type Masking, maskedResult } from './masking.ts';
import { nameOf } from './operations.ts';
import { compileProjection } from './projection.ts';
import { fragmentsOf, Unprojectable } from './selection.ts';

export interface Renderer {
  /** Equal for renderers that write the same: it is part of what followers share (fanout.ts). */
  readonly id: string;
  /** Throws EventTooLarge for an event that no frame holds, and when `signal` aborts before its turn has come. */
  render(frame: Frame, signal?: AbortSignal): string | Promise<string>;
  /** What is to be cut before it is rendered (FRAME-1). */
  readonly cut: FrameCut;
}

/** One event, as it is asked for, is larger than a frame: nobody can be sent it, and what comes after it would be out of order. */
export class EventTooLarge extends Fault {
  readonly code = 'EVENT_TOO_LARGE';

  constructor(frame: Frame, cause?: unknown) {
    const which = frame.kind === 'events' ? `The event ${frame.seq}` : 'A frame';
    super(
      `${which} is larger than ${FRAME_BYTES_MAX} bytes as you ask for it. Ask for body and fullBody under fewer names, or for fullBody by the query \`event\`.`,
      { cause },
    );
  }
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

/** Frames that are made by execution at a time. */
const EXECUTIONS_MAX = 8;
const NEVER = new AbortController().signal;
/** What frames read is bounded by their number (EXECUTIONS_MAX), not refused: a follower waits for its turn. */
const UNCOUNTED = { make: () => undefined, made: () => undefined };

interface Projection {
  readonly id: string;
  readonly write: ((frame: Frame) => string) | undefined;
  readonly cut: FrameCut;
}

export class Renderers {
  readonly #projections = new WeakMap<OperationDefinitionNode, Projection>();
  /** So few at a time: what an execution holds is many times what is sent of it. */
  readonly #executing = new FairSemaphore(EXECUTIONS_MAX);
  #made = 0;

  /** `context` is used where the document needs execution: whoever shares the renderer may read the same session. */
  rendererOf(follow: FollowOperation, context: Context, masking: Masking): Renderer {
    const { id, write, cut } = this.#projectionOf(follow);
    const byExecution = async (frame: Frame, signal: AbortSignal = NEVER): Promise<string> => {
      const session = 'sessionId' in frame ? frame.sessionId : '';
      const release = await this.#executing.acquire(nameOf(context.principal), session, signal); // RENDER-1
      if (release === undefined) throw new Error('Nobody waits for this frame any more.');
      try {
        return await executed(follow, frame, context, masking);
      } finally {
        release();
      }
    };
    if (write === undefined)
      return { id: `${id}${JSON.stringify(follow.variables ?? {})}`, render: byExecution, cut };
    const render = (frame: Frame, signal?: AbortSignal): string | Promise<string> => {
      try {
        return write(frame);
      } catch (error) {
        if (error instanceof Unprojectable) return byExecution(frame, signal);
        throw error;
      }
    };
    return { id, render, cut };
  }

  #projectionOf(follow: FollowOperation): Projection {
    const known = this.#projections.get(follow.operation);
    if (known !== undefined) return known;
    this.#made += 1;
    const definitions = follow.document.definitions.filter(
      (one) => one === follow.operation || one.kind === Kind.FRAGMENT_DEFINITION,
    );
    const cut = frameCutOf(follow.schema, definitions);
    const made = { id: `${this.#made} `, write: compiled(follow), cut };
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
  const reading = new Allowance(UNCOUNTED, FRAME_BYTES_MAX);
  const result: ExecutionResult = await execute({
    schema,
    document,
    rootValue: frame,
    contextValue: { ...contextValue, reading },
    operationName: operation.name?.value,
    variableValues: variables,
  });
  await contextValue.budget.turnToMake(reading.bytes); // TURNS-1
  const outage = result.errors?.find(({ cause }) => cause instanceof Outage);
  if (outage !== undefined) throw outage.cause; // what this frame could not show would be missing (REPLY-3)
  const tooLarge = result.errors?.find(({ cause }) => cause instanceof AnswerTooLarge);
  if (tooLarge !== undefined || jsonBytes(result.data, FRAME_BYTES_MAX) === undefined) {
    throw new EventTooLarge(frame, tooLarge);
  }
  const { errors, ...rest } = maskedResult(result, masking);
  return jsonText({ ...rest, ...(errors === undefined ? {} : { errors: errors.map(formatted) }) });
}
