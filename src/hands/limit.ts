/** The limits of the hands: each a number and its reason. docs/isolation.md says how each is enforced. */
const KIB = 1024;
const MIB = 1024 * KIB;

/** All files of one workspace: a large project with its packages fits, a filled disk does not. */
export const WORKSPACE_BYTES_MAX = 4 * 1024 * MIB;
/** Files and folders of it: beyond it measuring the workspace would take longer than filling it. */
export const WORKSPACE_ENTRIES_MAX = 500_000;
/** Room that must stay on the disk of the workspaces: the log of all sessions is usually there too, and a second of writing is this much. */
export const DISK_FREE_BYTES_MIN = 1024 * MIB;
/** The same as a part of a small disk. */
export const DISK_FREE_SHARE_MIN = 0.05;
/** One file (RLIMIT_FSIZE): stops a runaway log before the workspace is full. */
export const FILE_BYTES_MAX = 1024 * MIB;
/** Processes and threads of one session (RLIMIT_NPROC): a parallel build fits, a fork bomb is harmless. */
export const PROCESSES_MAX = 512;
/** Open files of one process (RLIMIT_NOFILE). */
export const OPEN_FILES_MAX = 4_096;
/** Writable memory of one process (RLIMIT_DATA): a bundler fits. */
export const PROCESS_DATA_BYTES_MAX = 4 * 1024 * MIB;
/** Memory of a session in all its forms, where a control group is charged with it: one process at its limit, /tmp, and buffers of files. */
export const SESSION_MEMORY_BYTES_MAX = 6 * 1024 * MIB;
/** The same on a small machine, as a part of its memory: one session must leave room for others. */
export const SESSION_MEMORY_SHARE = 0.5;
/** Memory of the hands of all sessions together, as a part of the machine's: the rest is the control plane's, whatever commands do. */
export const HANDS_MEMORY_SHARE = 0.75;
/** Buffers of TCP of one session, which version 1 of control groups counts apart. */
export const SESSION_TCP_BYTES_MAX = 256 * MIB;
/**
 * CPU of the hands of all sessions together, where the server has 100 and a kernel before 5.15 cannot be told that they come last (cpu.idle):
 * a tenth when all want to run, however many they are, and all that nobody else wants.
 */
export const HANDS_CPU_WEIGHT = 10;
/** The same beside programs that are not ours: as much as one of those. */
export const HANDS_CPU_WEIGHT_AMONG_OTHERS = 100;
/**
 * CPU of the server with all that it launches, where another program of the machine has 100 and no service manager says anything: others share
 * what it leaves, and its hands come last within it.
 */
export const SERVER_CPU_WEIGHT = 1_000;
/** CPU of all brains together, where the server has 100: behind the server that they ask. The start of one takes a fifth of a second of it. */
export const BRAINS_CPU_WEIGHT = 50;
/** CPU of each session among the sessions: all alike, however many processes one starts. */
export const SESSION_CPU_WEIGHT = 100;
/** Processes of the set-up (bubblewrap's, and what prepares for it), in the count of a session's group. */
export const SET_UP_PROCESSES_MAX = 16;
/** How commands are run below their hands (setpriority(2)), which must go on measuring and keeping deadlines. */
export const COMMAND_NICENESS = 10;
/** Files and folders in /tmp: each takes memory of the kernel that no size of a file system counts. */
export const TMP_ENTRIES_MAX = 100_000;
/** Files in /dev/shm: a few dozen are usual. */
export const SHARED_MEMORY_ENTRIES_MAX = 10_000;
/** /tmp of the hands is memory. */
export const TMP_BYTES_MAX = 256 * MIB;
/** /dev/shm of the hands is memory: some tools want a little of it. */
export const SHARED_MEMORY_BYTES_MAX = 64 * MIB;

/** What is stopped is asked to end (SIGTERM) and gets this long to clean up (a lock of git, a database) before it is killed. */
export const END_GRACE_MS = 2_000;

/** Calls that run at the same time: those of one model answer (TOOL_CALLS_MAX), and as many left over. */
export const CALLS_RUNNING_MAX = 128;
/**
 * Calls of a session whose results are kept: only those of its last answer (TOOL_CALLS_MAX) may be asked for again; this is four answers.
 * ANSWER_BYTES_MAX each, so the folder of results is bounded without being measured.
 */
export const CALLS_KEPT_MAX = 256;

/** A file that `write` or `edit` makes: what a model can write in one answer, with room. */
export const TEXT_FILE_BYTES_MAX = 4 * MIB;
/** Lines that `read` answers when no limit is given. */
export const READ_LINES_DEFAULT = 2_000;
/** A longer line is cut: it is data, not text. */
export const LINE_CHARS_MAX = 2_000;
/** Entries that `list` shows: an overview, not an inventory. */
export const LIST_ENTRIES_MAX = 500;
/** Folders in folders that `list` shows: deeper ones are listed by a call of their own. */
export const LIST_DEPTH_MAX = 3;
/** Entries of one folder that are looked at, so that a folder of a million files costs no more than others. */
export const FOLDER_ENTRIES_MAX = 5_000;
/** Matching lines that `grep` answers: whoever needs more needs a better pattern. */
export const GREP_LINES_MAX = 200;
