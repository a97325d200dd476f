/**
 * Every limit that more than one part must agree on: a name, a number, a reason. Limits that only one file knows
 * stand at the top of that file. docs/limits.md lists both.
 */
const KIB = 1024;
const MIB = 1024 * KIB;

/** JOURNAL-6: events in one session's log. A busy turn writes some hundred events; this is years of turns. */
export const LOG_EVENTS_MAX = 2_000_000;
/** JOURNAL-6: bytes of bodies in one session's log, spilled ones included. */
export const LOG_BYTES_MAX = 2 * 1024 * MIB;
/** A larger body is stored beside the event and referenced (the v3 contract's figure). */
export const BODY_INLINE_BYTES_MAX = 32 * KIB;
/** One event's body at all: a written file or a long message fits, a disk image does not. */
export const BODY_BYTES_MAX = 4 * MIB;
/** One append: a model answer with all its tool calls, atomically (JOURNAL-3). All of it inline still fits one document of MongoDB. */
export const APPEND_EVENTS_MAX = 256;
/** Text of one message from outside; the prompt of an agent has the same bound (v3 contract). */
export const MESSAGE_BYTES_MAX = 256 * KIB;
export const PROMPT_BYTES_MAX = 256 * KIB;
/** Session metadata, serialised (v3 contract). */
export const METADATA_BYTES_MAX = 16 * KIB;
/** Names of agents and credentials: shown in one line. */
export const NAME_CHARS_MAX = 128;
/** Idempotency keys and session keys: indexed, so bounded. */
export const KEY_CHARS_MAX = 255;
/** A key of an append (JOURNAL-5): a caller's, with what the use case puts before it. */
export const APPEND_KEY_CHARS_MAX = KEY_CHARS_MAX + 32;
/** Levels of JSON that callers pass through us: what walks it must not run out of stack. */
export const JSON_DEPTH_MAX = 64;
/** A page of events as read from the store and as sent in one frame: larger pages only block the event loop longer. */
export const PAGE_EVENTS_MAX = 100;
/** A page also ends at this many bytes, so that large bodies cannot pile up in memory. */
export const PAGE_BYTES_MAX = MIB;
/** Events that one look through a log for what passes a filter may pass over: some milliseconds of an embedded store. */
export const SCAN_EVENTS_MAX = 2_000;
/** One frame of a follower, as rendered: the largest body under its two names fits, and no reader holds more of us than that. */
export const FRAME_BYTES_MAX = 8 * MIB;
/** Places in an organisation's queue that are told one by one, of all others that they are behind these: one short look into an index. */
export const QUEUE_POSITION_MAX = 1_000;
/** `first` of a connection. */
export const CONNECTION_FIRST_MAX = 500;
export const CONNECTION_FIRST_DEFAULT = 50;
/** Body of one GraphQL request: a message at its limit, escaped, and its envelope. */
export const REQUEST_BYTES_MAX = 2 * MIB;
/** Levels of JSON in a request or a message of a socket: what callers pass through us, in the fields of an input, in its variables. */
export const REQUEST_DEPTH_MAX = JSON_DEPTH_MAX + 16;
/** Values in them, lists and objects included: JSON.parse takes some milliseconds. Metadata of 16 KiB has at most 8,192. */
export const REQUEST_VALUES_MAX = 20_000;
/** Messages waiting for the next turn: beyond it the session is not being read. */
export const PENDING_MESSAGES_MAX = 1_000;
/** Longest turn whatever the agent asks for, in seconds (v3 contract). */
export const TURN_SECONDS_MAX = 1_800;
/** Model calls in one turn: a loop that has not ended by then is not going to. */
export const TURN_MODEL_CALLS_MAX = 200;
/** Tool calls in one model answer. */
export const TOOL_CALLS_MAX = 64;
/** What a tool may put into the conversation: head and tail are kept, the middle is cut. */
export const TOOL_OUTPUT_BYTES_MAX = 30_000;
/** A lease not renewed for this long is taken over. */
export const LEASE_TTL_MS = 15_000;
/** Client tokens, in seconds (v3 contract). */
export const CLIENT_TOKEN_TTL_MIN_S = 60;
export const CLIENT_TOKEN_TTL_MAX_S = 86_400;
export const CLIENT_TOKEN_TTL_DEFAULT_S = 3_600;
/** How long after it was minted a client token may be renewed, in seconds: a day of work, and by wish a month. */
export const CLIENT_TOKEN_RENEWABLE_DEFAULT_S = 86_400;
export const CLIENT_TOKEN_RENEWABLE_MAX_S = 2_592_000;
/** How long the values of a rotated API key still open: an hour to roll the new one out, a week for those who deploy once a week. */
export const KEY_OVERLAP_SECONDS_DEFAULT = 3_600;
export const KEY_OVERLAP_SECONDS_MAX = 604_800;
/** The furthest end of an API key, ten years: what is further is a slip of the unit, and a key without an end says so. */
export const KEY_LIFE_SECONDS_MAX = 315_576_000;
