/** What the workbench knows of one session while a slot has it: its hands, its calls, and how its files stand to the log. */
import type { FilesAsOf, LogPlace } from '../hands/workspace-archive.ts';
import type { ToolResult } from '../hands/wire.ts';
import type { Hands } from './launcher.ts';
import { CALLS_REMEMBERED_MAX } from './limit.ts';

export interface Running {
  readonly result: Promise<ToolResult>;
  readonly canceled: AbortController;
}

export interface Bench {
  hands: Promise<Hands> | undefined;
  /** Of these, once they serve. */
  serving: Hands | undefined;
  /** Hands were started, or it was tried. */
  used: boolean;
  /** Aborted by `release`. */
  readonly released: AbortController;
  readonly running: Map<string, Running>;
  /** The last calls that were given to hands: what is asked for again was asked for before (HANDS-1). */
  readonly begun: Set<string>;
  /** The last calls that were canceled and have not come yet (WORKBENCH-5). */
  readonly canceled: Set<string>;
  /** With which files the first hands began; undefined once the log says what there is to say (WORKBENCH-4). */
  untold: FilesAsOf | undefined;
  telling: Promise<void> | undefined;
  /** Calls were made since the last checkpoint was begun. */
  isChanged: boolean;
  /** How far the log has come, for the next checkpoint. */
  place: LogPlace | undefined;
  saving: Promise<unknown> | undefined;
  /** The checkpoint after that one. */
  next: Promise<unknown> | undefined;
}

export function newBench(): Bench {
  return {
    hands: undefined,
    serving: undefined,
    used: false,
    released: new AbortController(),
    running: new Map(),
    begun: new Set(),
    canceled: new Set(),
    untold: undefined,
    telling: undefined,
    isChanged: false,
    place: undefined,
    saving: undefined,
    next: undefined,
  };
}

/** Adds `callId`, in place of the oldest one when there are many. */
export function remember(calls: Set<string>, callId: string): void {
  calls.add(callId);
  const [oldest] = calls;
  if (calls.size > CALLS_REMEMBERED_MAX && oldest !== undefined) calls.delete(oldest);
}
