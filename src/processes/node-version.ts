/** Holdfast runs TypeScript as it is, and keeps its journal in node:sqlite: both need Node 24. */
import { Fault } from '../kernel/fault.ts';

const MAJOR_MIN = 24;

class RuntimeTooOld extends Fault {
  readonly code = 'RUNTIME_TOO_OLD';
}

export function checkNodeVersion(): void {
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= MAJOR_MIN) return;
  throw new RuntimeTooOld(
    `this is Node ${process.versions.node}, and Node ${MAJOR_MIN} or newer is needed: start with npm (npm start, npm run demo), which brings its own.`,
  );
}
