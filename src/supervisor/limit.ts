/** The limits of supervision. Those that a deployment tunes are options with these as defaults (docs/configuration.md). */
import { END_GRACE_MS } from '../hands/limit.ts';

/** Sessions that run at the same time on this machine: each holds a brain of some 100 MB. */
export const SLOTS_DEFAULT = 16;
/** Brains kept started and loaded, so that a session starts without waiting for one. */
export const SPARES_DEFAULT = 1;
/**
 * Spares beyond those that are asked for, where organisations share a server: for those that have nothing running. Beside a crowd the next one
 * takes two starts to come up, the crowd's and its own: meanwhile another newcomer, or the same one's next session, finds the second.
 */
export const SPARES_KEPT = 2;
/** Brains that come up at the same time, where nobody says how many cores there are: each takes one for a third of a second. */
export const STARTS_MAX_DEFAULT = 4;
/** A session with nothing to do keeps its brain and hands this long, since a follow-up often comes soon. */
export const IDLE_MS_DEFAULT = 30_000;
/** A session with nothing to do but commands in the background stays this long: a long build or a server ends sooner or is forgotten. */
export const BACKGROUND_MS_DEFAULT = 3_600_000;
/** How often it is looked whether they still run. */
export const BACKGROUND_LOOK_MS = 2_000;
/** A stop that takes longer is cut off, as by a crash: some gigabytes of files are saved in it, and what hangs does not hang for ever. */
export const STOP_MS_DEFAULT = 60_000;
/** How long the end of a turn waits for its files to be saved: some gigabytes take as long. */
export const SAVE_MS_MAX = 30_000;
/** The same for a turn that somebody stopped; with the grace of its commands it fits into STOP_GRACE_MS. */
export const STOPPED_SAVE_MS_MAX = 2_000;
/** How long the next turn waits for commands that were stopped: their grace, and a little for what is killed then. */
export const END_MS_MAX = END_GRACE_MS + 1_000;
/** Events that are looked through for tools that were used since a checkpoint: a busy turn writes some hundred. */
export const LOOKED_BACK_EVENTS_MAX = 10_000;
/** How often it is tried again to remove what closed sessions have left: a server that has it, and is dead, is known to be after as long. */
export const REMOVAL_RETRY_MS = 15_000;
/** Of these, at most: more wait for the next start. */
export const REMOVALS_MAX = 10_000;
/** How often all deleted sessions of which something is left are looked at: a lost hint, or files that another server had, cost no more. */
export const ERASURE_SWEEP_MS = 15_000;
/** Deleted sessions that are told of between two sweeps; the next sweep finds more. */
export const ERASURES_TOLD_MAX = 10_000;
/** Of these, together: their rows share commits. */
export const ERASED_TOGETHER = 50;
/** After a step of erasing, so many times as long as it took is left to others. */
export const ERASURE_PAUSES = 3;
/** What files still hold of erased rows is overwritten no more often: SQLite copies up to 32 MiB home for it. */
export const OVERWRITE_MS = 60_000;
/** Wishes are hints; this often the supervisor looks at the store itself. */
export const SWEEP_MS = 1_000;
/** Sessions taken from the store in one sweep, of all organisations that come in it. */
export const SWEEP_MAX = 256;
/** Between two sweeps, when a slot has come free, it takes fewer: so many for each slot that there is, since others may have them by then. */
export const SWEEP_PER_SLOT = 2;
/** How often a supervisor says that it lives; a third of LEASE_TTL_MS, so that two beats may be lost. */
export const BEAT_MS = 5_000;
/** Brains lost in a row without progress, before the turn ends with an error. */
export const LOSSES_MAX = 5;
/** Wait before the next brain: doubles from the first to the last. */
export const RETRY_FIRST_MS = 100;
export const RETRY_LAST_MS = 10_000;
/** A turn that was asked to stop gets this long before its brain is ended for it: its commands clean up, and its files are saved. */
export const STOP_GRACE_MS = 8_000;
/**
 * A call may take so much longer than its own time: hands that live end it at its time, with END_GRACE_MS and some seconds for what dies
 * slowly, on a busy machine too. Later they are frozen.
 */
export const CALL_LATE_MS = 10_000;
/** The same after a cancel: the grace of its commands, and the time for what is killed then. */
export const CANCELED_MS_MAX = END_GRACE_MS + 3_000;
/** Before hands are ended for being late: what they said while this process itself was held up is read first. */
export const LAST_LOOK_MS = 500;
/** What was killed is gone at once, unless the kernel holds it (a disk that does not answer). */
export const HANDS_DYING_MS_MAX = 5_000;
/** Hands that die at once, or do not start, this many times in a row are not started again for that call. */
export const HANDS_ATTEMPTS_MAX = 3;
/** Wait before hands are started again, or a brain for which there was no room: doubles from the first to the last. */
export const LAUNCH_RETRY_FIRST_MS = 200;
export const LAUNCH_RETRY_LAST_MS = 2_000;
/** While the machine has no room for another process, a call waits so long for its hands: a rush is over by then, and the model is told else. */
export const HANDS_SHORTAGE_MS_MAX = 30_000;
/** So many calls of a session are known to have begun or to be canceled: an answer has far fewer, and older ones are over. */
export const CALLS_REMEMBERED_MAX = 1_024;
/** A spare is replaced a little after it was taken, so that loading it does not slow the session that took it. */
export const SPARE_DELAY_MS = 300;
/** A brain that has its session and does not take up the waiting messages within this long hangs. */
export const BEGIN_MS_MAX = 30_000;
/** A slot that failed (the store does not answer, say) is opened again after this long, so that trying costs little. */
export const SLOT_RETRY_MS = 2_000;
