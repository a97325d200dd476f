/** Starts what does things that are due by themselves. */
import type { Scope } from '../kernel/scope.ts';
import { startServices } from '../kernel/service.ts';
import { DueSweep } from '../supervisor/due-sweep.ts';
import type { Parts } from './parts.ts';

export function startDueSweep(parts: Parts, scope: Scope): void {
  const { due, runs: sessions, clock, logger } = parts;
  const sweep = new DueSweep({ due, sessions, clock, logger });
  scope.add('due', startServices([sweep], parts), (stop) => stop());
}
