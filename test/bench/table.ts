/** The one table: for the terminal in columns, and as markdown to paste. */
import { columnsOf } from '../support/columns.ts';
import type { Machine } from './machine.ts';
import type { Figure, Goal } from './row.ts';
import { median, spread } from './statistics.ts';

const HEAD = ['what', 'unit', 'ours', 'reference', 'ratio', 'goal', 'reached'] as const;

export function columns(figures: readonly Figure[]): string {
  return columnsOf([HEAD, ...figures.map(cells)]);
}

export function markdown(figures: readonly Figure[]): string {
  const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
  return [line(HEAD), line(HEAD.map(() => '---')), ...figures.map((figure) => line(cells(figure)))].join(
    '\n',
  );
}

export function machineLine(machine: Machine): string {
  const { cores, nodeVersion, nodeStartMs, fdatasyncMs, workMs, load } = machine;
  return (
    `${cores} cores, node ${nodeVersion}, load ${load.toFixed(2)}, \`node -e 0\` ${number(nodeStartMs)} ms, ` +
    `fdatasync p50 ${number(fdatasyncMs)} ms, fixed work ${number(workMs)} ms`
  );
}

/** undefined: there is no goal. */
export function isReached({ ours, reference, goal }: Figure): boolean | undefined {
  if (goal === undefined) return undefined;
  const value = goal.kind === 'figure' ? median(ours) : median(ours) / median(reference ?? []);
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost;
}

function cells(figure: Figure): readonly string[] {
  const { label, unit, ours, reference, goal } = figure;
  const reached = isReached(figure);
  return [
    label,
    unit,
    told(ours),
    reference === undefined ? '' : told(reference),
    reference === undefined ? '' : (median(ours) / median(reference)).toFixed(2),
    goal === undefined ? '' : goalText(goal, unit),
    reached === undefined ? '' : reached ? 'yes' : 'NO',
  ];
}

/** Median (min–max). */
function told(values: readonly number[]): string {
  const { median: middle, min, max } = spread(values);
  return values.length === 1 ? number(middle) : `${number(middle)} (${number(min)}–${number(max)})`;
}

function goalText(goal: Goal, unit: string): string {
  if (goal.kind === 'figure') return `≤ ${goal.atMost} ${unit}`;
  return 'atLeast' in goal ? `≥ ${goal.atLeast} ×` : `≤ ${goal.atMost} ×`;
}

/** Three digits that count. */
function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}
