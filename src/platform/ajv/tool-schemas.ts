/** Whether the validator takes the schemas that somebody declares (TOOLS-1): one at a time, each within a bound, others in between. */
import { type Scheduler, nextRound, systemScheduler } from '../../kernel/scheduler.ts';
import { Semaphore } from '../../kernel/semaphore.ts';
import type { ToolSchemas } from '../../sessions/agent-tool.ts';
import type { JsonSchema } from '../../sessions/tool-schema.ts';
import { bounded } from './bounded.ts';
import { compiled } from './compiled-schema.ts';

/** The largest schemas take some tens of milliseconds; what is slower here would be slower in each brain. */
export const SCHEMA_COMPILE_MS_MAX = 500;
/** Of what the validator says of a schema. */
const WHY_CHARS_MAX = 300;
const NEVER = new AbortController().signal;
const TOO_SLOW = `expected a simpler schema: this one is not compiled within ${SCHEMA_COMPILE_MS_MAX} ms.`;

export class AjvToolSchemas implements ToolSchemas {
  readonly #scheduler: Scheduler;
  readonly #one = new Semaphore(1);

  constructor(scheduler: Scheduler = systemScheduler) {
    this.#scheduler = scheduler;
  }

  async whyNot(schema: JsonSchema): Promise<string | undefined> {
    const release = await this.#one.acquire(NEVER);
    try {
      await nextRound(this.#scheduler);
      return whyNot(schema);
    } finally {
      release?.();
    }
  }
}

function whyNot(schema: JsonSchema): string | undefined {
  try {
    const tried = bounded(() => {
      compiled(schema).defectOf({}); // one that refers to itself without end shows here
      return {};
    }, SCHEMA_COMPILE_MS_MAX);
    return tried === undefined ? TOO_SLOW : undefined;
  } catch (error) {
    if (error instanceof RangeError) return 'expected a schema that does not refer to itself without end.';
    if (!(error instanceof Error)) throw error;
    const why = error.message.slice(0, WHY_CHARS_MAX).toWellFormed();
    return `expected a JSON Schema of draft 2020-12, or of draft-07 where "$schema" says so (${why}).`;
  }
}
