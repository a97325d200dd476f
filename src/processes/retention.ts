/** Starts what deletes sessions that rest for longer than the rules say. */
import type { Scope } from '../kernel/scope.ts';
import { startServices } from '../kernel/service.ts';
import { RetentionClock } from '../sessions/retention-clock.ts';
import { RetentionSweep } from '../supervisor/retention-sweep.ts';
import type { Parts } from './parts.ts';

export function startRetention(parts: Parts, scope: Scope): void {
  const { retention, deletions, audit, clock, logger } = parts;
  const time = new RetentionClock({ store: retention, clock, logger });
  const sweep = new RetentionSweep({ retention, time, deletions, audit, clock, logger });
  scope.add('retention', startServices([sweep], parts), (stop) => stop());
}
