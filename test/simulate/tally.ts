/** What a run of many histories has seen, and how it says so. */
import type { History } from './history.ts';

/** Lines of the story that lead to a violation: about what one session does in a minute. */
const STORY_LINES = 150;

export class Tally {
  histories = 0;
  #steps = 0;
  #virtualMs = 0;
  readonly #counts = new Map<string, number>();
  /** Seeds by the rule that did not hold. */
  readonly violations = new Map<string, number[]>();

  add({ seed, world, sessions, events, toolRuns, virtualMs }: History): void {
    this.histories += 1;
    this.#steps += world.step;
    this.#virtualMs += virtualMs;
    this.#count('sessions', sessions);
    this.#count('events', events);
    this.#count('tools run', toolRuns);
    if (world.violation === undefined) return;
    const { rule } = world.violation;
    this.violations.set(rule, [...(this.violations.get(rule) ?? []), seed]);
  }

  /** In some lines. */
  toString(): string {
    const hours = (this.#virtualMs / 3_600_000).toFixed(1);
    const counts = [...this.#counts].map(([what, count]) => `${count} ${what}`).join(', ');
    const found = [...this.violations].map(
      ([rule, seeds]) => `VIOLATED in ${seeds.length}: ${rule} (seeds ${seeds.slice(0, 10).join(', ')})`,
    );
    return [
      `${this.histories} histories, ${hours} h of their time, ${this.#steps} steps: ${counts}`,
      ...found,
    ].join('\n');
  }

  #count(what: string, more: number): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + more);
  }
}

/** What led to the violation of a history; undefined when everything held. */
export function storyOf({ seed, world }: History, again: string): string | undefined {
  const { violation } = world;
  if (violation === undefined) return undefined;
  return `${world.story(STORY_LINES)}\n\nseed ${seed}, step ${world.step}: ${violation.message}\nthe same again: ${again} --seed ${seed}`;
}
