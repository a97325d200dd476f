/** Checks what a model passes to the tools of an agent against their schemas (brain/client-tools.ts), within bounds of time. */
import type { ToolInputs } from '../../brain/client-tools.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { AgentTool } from '../../sessions/agent-tool.ts';
import { bounded } from './bounded.ts';
import { type CompiledSchema, compiled } from './compiled-schema.ts';

/** One input: what a schema without a hungry pattern checks takes microseconds, and the first one compiles its schema. */
export const INPUT_CHECK_MS_MAX = 250;
/** All inputs of one answer: the brain hears nothing meanwhile. */
export const ANSWER_CHECK_MS_MAX = 1_000;

type Checked = { readonly defect: string | undefined };

export function toolInputs(
  tools: readonly Pick<AgentTool, 'name' | 'inputSchema'>[],
  clock: Pick<Clock, 'monotonicNow'>,
): ToolInputs {
  const schemas = new Map(tools.map(({ name, inputSchema }) => [name, inputSchema]));
  const known = new Map<string, CompiledSchema>();
  const schemaOf = (tool: string): CompiledSchema => {
    const there = known.get(tool) ?? compiled(schemas.get(tool) ?? {});
    known.set(tool, there);
    return there;
  };
  return {
    checks() {
      let left = ANSWER_CHECK_MS_MAX;
      return (tool, input) => {
        if (!schemas.has(tool)) return undefined;
        const startedAt = clock.monotonicNow();
        const msMax = Math.min(INPUT_CHECK_MS_MAX, left);
        const checked = msMax < 1 ? undefined : tried(() => schemaOf(tool).defectOf(input), msMax);
        left -= clock.monotonicNow() - startedAt;
        if (checked === undefined) {
          known.delete(tool); // nothing that was ended in the middle is used again
          return `The call was not made: its input could not be checked against the schema of ${tool} in time. Make it with a smaller or simpler input.`;
        }
        const { defect } = checked;
        if (defect === undefined) return undefined;
        return `The call was not made: its input does not fit the schema of ${tool}: ${defect}. Mend the input and make it again.`;
      };
    },
  };
}

/** Undefined: not in time. A schema that a version before took and this one does not says so. */
function tried(check: () => string | undefined, msMax: number): Checked | undefined {
  try {
    return bounded((): Checked => ({ defect: check() }), msMax);
  } catch (error) {
    return { defect: error instanceof RangeError ? 'it is nested too deeply' : 'its schema cannot be used' };
  }
}
