/** The limits of this door, each with its reason. Equal on every transport; documents are checked against them in cost.ts. */

/** Tokens of one document: our own console's introspection has some 300; parsing is quick up to here. */
export const TOKENS_MAX = 2_000;
/** Levels of fields: session, events, edges, node, actor, kind are six; introspection needs fifteen. */
export const DEPTH_MAX = 16;
/** Fields under another name, as often as fragments repeat them: each can be a use case of its own. */
export const ALIASES_MAX = 50;
/** Fields times how often they can be in the answer: 500 sessions with all their fields, or 500 events. */
export const COMPLEXITY_MAX = 30_000;
/** Of these, fields of the schema that an introspection may ask for: what tools send asks for sixteen thousand, which takes some 70 ms to count. */
export const INTROSPECTION_FIELDS_MAX = 22_000;
/** Pairs of fields under one name in one place, which validation compares: twenty fragments that share five fields make a thousand. */
export const MEETINGS_MAX = 10_000;
/** Steps of the count itself: some milliseconds; honest documents take some hundred. */
export const COUNT_STEPS_MAX = 100_000;
/** Bytes that one event, or whatever else is answered as one thing, can have under all of its names. */
export const OBJECT_BYTES_MAX = 16 * 1024 * 1024;
/** Errors that are worth reading; the rest of a bad document is not looked at. */
export const ERRORS_MAX = 10;
/** Documents kept parsed and checked: apps have a few dozen. */
export const DOCUMENTS_MAX = 500;
/** Tokens of all of them: each costs some 350 bytes. Apps have some ten thousand. */
export const KNOWN_TOKENS_MAX = 100_000;
/** A longer document is parsed and checked each time: those of apps are shorter, and the memory of all that are kept is bounded. */
export const KNOWN_DOCUMENT_CHARS_MAX = 16 * 1024;
/** How long a new socket may wait with connection_init: an honest client sends it at once. */
export const INIT_TIMEOUT_MS = 5_000;
/** Subscriptions and requests at once on one socket: a console with a page of sessions. */
export const OPERATIONS_PER_SOCKET_MAX = 100;
/** The id that a client gives an operation: it comes back with every message. Most are UUIDs of 36 or counters. */
export const OPERATION_ID_BYTES_MAX = 64;
/** Sockets at once: each costs some 50 KB. */
export const SOCKETS_MAX = 20_000;
/** `send` does not wait below so many buffered bytes: waiting for each write costs more than the write. */
export const SEND_AHEAD_BYTES_MAX = 1024 * 1024;
/** One answer, as rendered: what the budget of logs allows (OPERATION_LOG_BYTES_MAX, 16 MiB), with the names that the document gives. */
export const ANSWER_BYTES_MAX = 20 * 1024 * 1024;
/** Bodies and texts that one operation may read from the store, shown or not: several times what it can answer. */
export const READ_BYTES_MAX = 64 * 1024 * 1024;
/** Whole bodies that one operation may read: they are held until the answer is read. */
export const WHOLE_BODIES_BYTES_MAX = 16 * 1024 * 1024;
/** A live follower with so many bytes unread is told SlowConsumer: what it has not read must not fill our memory. */
export const HIGH_WATER_BYTES = 8 * 1024 * 1024;
/** A socket with so many bytes unread is cut: it asks for more than it takes. */
export const SOCKET_BYTES_MAX = 32 * 1024 * 1024;
/** A socket that answers no ping for one interval is closed. */
export const PING_INTERVAL_MS = 30_000;
