/**
 * Who is ended first when the machine has no memory left (proc(5), oom_score_adj): hands, then brains, the control plane last.
 *
 * OOM-1 The kernel ends hands before brains and both before the control plane, and nothing inside can change that: their /proc is read-only,
 *    and a score that root has raised is lowered by nobody without CAP_SYS_RESOURCE.
 */
import { readFileSync, writeFileSync } from 'node:fs';

export const HANDS_OOM_SCORE = 1_000;
/** A brain goes before the control plane, which starts it again where it was. */
export const BRAIN_OOM_SCORE = 500;
/** As good as last; not -1000, which is never: a server that leaks must end before its machine does. */
const CONTROL_PLANE_OOM_SCORE = -900;

/**
 * OOM-1. Puts this process last. False where that is not allowed (only root may); what an operator has set, systemd's OOMScoreAdjust, stays.
 */
export function guardControlPlane(): boolean {
  const path = '/proc/self/oom_score_adj';
  try {
    if (readFileSync(path, 'utf8').trim() === '0') writeFileSync(path, String(CONTROL_PLANE_OOM_SCORE));
    return Number(readFileSync(path, 'utf8')) < 0;
  } catch {
    return false;
  }
}

/** For a child that nothing isolates, and which would have the control plane's score. */
export function setOomScore(pid: number | undefined, score: number): void {
  try {
    if (pid !== undefined) writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
  } catch {
    // it has ended, or has a higher score
  }
}
