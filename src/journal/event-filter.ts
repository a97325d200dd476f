/** Which events of a log a reader wants to see: applied by the stores to what is old, and here to what is live. */
import type { TurnId } from '../kernel/id.ts';
import { type Level, LEVEL_RANK } from './event-catalog.ts';
import type { RecordedEvent } from './event.ts';

/** Absent and null: whatever it is. */
export interface EventFilter {
  /** The most detailed one. */
  readonly level?: Level | null | undefined;
  readonly types?: readonly string[] | null | undefined;
  readonly turnId?: TurnId | null | undefined;
}

/** True for events that the filter lets through. */
export function passes({ level, types, turnId }: EventFilter, event: RecordedEvent): boolean {
  if (level && LEVEL_RANK[event.level] > LEVEL_RANK[level]) return false;
  if (turnId && event.turnId !== turnId) return false;
  return !types || types.includes(event.type);
}

/** Whether it lets everything through. */
export function isOpen({ level, types, turnId }: EventFilter): boolean {
  return !types && !turnId && levelsOf(level) === undefined;
}

/** The levels that it lets through; undefined: all. */
export function levelsOf(level: EventFilter['level']): readonly string[] | undefined {
  if (!level) return undefined;
  const rank = LEVEL_RANK[level];
  const levels = Object.entries(LEVEL_RANK);
  const kept = levels.filter(([, other]) => other <= rank).map(([name]) => name);
  return kept.length === levels.length ? undefined : kept;
}
