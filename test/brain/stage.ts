/** Runs brains over a UnitDouble until the session rests. */
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { Model } from '../../src/brain/model.ts';
import { toolInputs } from '../../src/platform/ajv/tool-inputs.ts';
import { type BrainOptions, runBrain } from '../../src/brain/turn-loop.ts';
import { wantsBrain } from '../../src/sessions/lifecycle.ts';
import { Crash, type UnitDouble } from './unit-double.ts';

export const QUICK: BrainOptions = { retryPace: { firstMs: 1, ceilingMs: 2 } };

/** Resolves when no turn runs or waits any more; a brain that crashes is followed by another one. */
export async function settle(
  unit: UnitDouble,
  model: Model,
  options: BrainOptions = QUICK,
): Promise<{ readonly crashes: number }> {
  let crashes = 0;
  while (wantsBrain(unit.session)) {
    unit.command({ kind: 'takeLease', owner: 'test' });
    const stop = new AbortController();
    const { tools } = unit.assignmentNow();
    unit.onEvents = () => {
      if (!wantsBrain(unit.session)) setImmediate(() => stop.abort()); // after the append has been answered
    };
    try {
      await runBrain(
        {
          unit,
          model,
          clock: systemClock,
          logger: silentLogger,
          inputs: tools === undefined ? undefined : toolInputs(tools, systemClock),
        },
        unit.assignmentNow(),
        stop.signal,
        options,
      );
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      crashes += 1;
    }
  }
  return { crashes };
}
