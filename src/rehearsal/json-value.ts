/** Looking into JSON that may be anything: what is not there is undefined, nothing throws. */
import { createHash } from 'node:crypto';

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** With sorted keys, so that two writers of the same value agree. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'string') return JSON.stringify(value.toWellFormed()); // half a character comes back as a whole one
  if (!isFields(value)) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(',')}}`;
}

export function withoutBreakpoint(block: unknown): unknown {
  if (!isFields(block)) return block;
  const { cache_control: _, ...rest } = block;
  return rest;
}

export function digest(text: string, chars = 24): string {
  return createHash('sha256').update(text).digest('hex').slice(0, chars);
}
