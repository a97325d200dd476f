/** The bounds of a siege: those that the server is held to, and those that keep the siege itself small. Each with its reason. */
const MIB = 1024 * 1024;

/**
 * Resident bytes of the control plane. It idles at some 150 MiB; all that its own limits allow for answers, frames and what nobody
 * reads is a few hundred more, and a machine of 2 GiB must have room for sessions beside it.
 */
export const SIEGE_RSS_MAX = 1024 * MIB;
/** Longest wait of a probe that the event loop alone is to blame for: above it people feel that a server hangs. */
export const DEAF_MS_MAX = 250;
/** Requests and turns of a tenant who does nothing wrong: p95 under siege over p95 in quiet. */
export const OTHERS_FACTOR_MAX = 2;
/** And so much more on top: figures of a few milliseconds are doubled by a collection of garbage or a turn of the scheduler. */
export const OTHERS_ALLOWANCE_MS = 50;
/** Disk that a siege may take beyond the workspaces of its sessions: the database, logs, and what others on the machine write. */
export const DISK_ALLOWANCE_BYTES = 2048 * MIB;

/** The server is ended, and the kind has failed, before it takes the machine with it. */
export const END_RSS_BYTES = 3 * 1024 * MIB;
/** The same when the machine as a whole has lost so much memory since the kind began, for whomever: a session may have 6 GiB. */
export const END_MACHINE_BYTES = 8 * 1024 * MIB;
/** Or so much of what there was: a machine without memory answers nobody. */
export const END_MACHINE_SHARE = 0.75;
/** Or so much of the disk. */
export const END_DISK_BYTES = 16 * 1024 * MIB;

/** Open files of the server: the kernel's own hard limit (INR_OPEN_MAX). The siege opens more connections than that. */
export const SERVER_OPEN_FILES = 4096;
/** How often the server and the reference are asked: a deaf moment of DEAF_MS_MAX is seen a dozen times. */
export const PROBE_EVERY_MS = 20;
/** Between two turns of the polite tenant, so that it is no load of its own. */
export const POLITE_PAUSE_MS = 150;
/** A polite turn that has not ended by then counts as this long, and as failed. */
export const POLITE_MS_MAX = 20_000;
/** Turns of one polite session: with a longer conversation each turn costs more, and the figures would drift. */
export const POLITE_TURNS_MAX = 60;

/** What is read of one answer before the siege hangs up: more would show nothing new. */
export const ANSWER_BYTES_READ_MAX = 128 * MIB;
/** What is kept of it, to find its code. */
export const ANSWER_CHARS_KEPT = 16 * 1024;
/** One request; a server that is deaf for longer is measured by the probe. */
export const ANSWER_MS_MAX = 30_000;
/** One action, all of its requests together. */
export const ACTION_MS_MAX = 60_000;
/** Connections that are held open at a time; the oldest go first. More than the server may have files open. */
export const HELD_MAX = 5_000;
/** Kept of what happened last, for the report of a failure. */
export const LAST_ACTIONS_TOLD = 30;
/** And so many are known, to say what was done when something went wrong. */
export const LAST_ACTIONS_KEPT = 3_000;
/** Findings of one kind that are told; more of them say the same. */
export const FOUND_MAX = 8;

/** What a kind holds is held on while the server's memory grows: it may have been asked faster than it could answer. Looked at so often … */
export const GROWTH_LOOK_MS = 400;
/** … this is growth … */
export const GROWTH_BYTES = 8 * MIB;
/** … and this is enough of it. */
export const GROWTH_MS_MAX = 4_000;
/** The control plane ends a call so long after its own deadline (docs/limits.md), and a new start of hands takes a while. */
export const CALL_GRACE_MS = 10_000;
/** On a machine that does much else. */
export const MACHINE_GRACE_MS = 25_000;
/** How long what was started may take to end when its sessions are archived. */
export const END_MS_MAX = 40_000;
