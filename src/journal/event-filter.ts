/** Which events of a log a reader wants to see: applied by the stores to what is old, and here to what is live. */
import type { TurnId } from '../kernel/id.ts';
import { EVENTS, type Level, LEVEL_RANK } from './event-catalog.ts';
import type { RecordedEvent } from './event.ts';

/** Absent and null: whatever it is. */
export interface EventFilter {
  /** The most detailed one. */
  readonly level?: Level | null | undefined;
  readonly types?: readonly string[] | null | undefined;
  readonly turnId?: TurnId | null | undefined;
  /** None of these types. */
  readonly without?: readonly string[] | undefined;
}

/** What there is of a log for a reader, whatever it asks for. */
export interface EventView {
  /** The most detailed one; absent: all. */
  readonly level?: Level | undefined;
  /** Whether it may see what the model thinks. */
  readonly thinking: boolean;
}

/** Those that hold what the model thinks. */
const THINKING_TYPES: readonly string[] = ['agent.thinking'];

/** The filter that lets through what both do. */
export function viewed(filter: EventFilter, { level, thinking }: EventView): EventFilter {
  const isLower = level !== undefined && (!filter.level || LEVEL_RANK[level] < LEVEL_RANK[filter.level]);
  return {
    ...filter,
    ...(isLower ? { level } : {}),
    ...(thinking ? {} : { without: THINKING_TYPES }),
  };
}

/** True for events that the filter lets through. */
export function passes({ level, types, turnId, without }: EventFilter, event: RecordedEvent): boolean {
  if (without?.includes(event.type)) return false;
  if (level && LEVEL_RANK[event.level] > LEVEL_RANK[level]) return false;
  if (turnId && event.turnId !== turnId) return false;
  return !types || types.includes(event.type);
}

/** Whether no event that this version writes ever passes. */
export function neverPasses({ level, types, without }: EventFilter): boolean {
  if (!types || types.length === 0) return false;
  return types.every((type) => without?.includes(type) === true || (level && isAbove(type, level)));
}

/** An event is written at the level of the table or, as narration is, between the lowest and the highest of its type. */
function isAbove(type: string, level: Level): boolean {
  const least: Level | undefined = Object.hasOwn(EVENTS, type)
    ? EVENTS[type as keyof typeof EVENTS].level
    : undefined; // as: looked for
  return least !== undefined && LEVEL_RANK[least] > LEVEL_RANK[level];
}

/** Whether it lets everything through. */
export function isOpen({ level, types, turnId, without }: EventFilter): boolean {
  return !types && !turnId && !without && levelsOf(level) === undefined;
}

/** The levels that it lets through; undefined: all. */
export function levelsOf(level: EventFilter['level']): readonly string[] | undefined {
  if (!level) return undefined;
  const rank = LEVEL_RANK[level];
  const levels = Object.entries(LEVEL_RANK);
  const kept = levels.filter(([, other]) => other <= rank).map(([name]) => name);
  return kept.length === levels.length ? undefined : kept;
}
