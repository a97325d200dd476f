/**
 * One fault of the MongoDB driver, patched: a command that waited to be written outlived its connection, for ever.
 *
 * `Connection.writeCommand` (mongodb 7.9.0, lib/cmap/connection.js) writes to the socket; when that takes no more it waits for 'drain'
 * or 'error'. A socket that was closed without an error gives neither: the peer ended it and its 'close' is still on the way (Node
 * takes a write then, answers false, and says no more), or the driver itself closed it, after `socketTimeoutMS` or with the client. The
 * operation never ended, nor did its connection go back to the pool. The driver's `timeoutMS`, which bounded this wait, has no
 * effect in 7.9.0 (lib/timeout.js); of a signal from outside, getMore and GridFS take none.
 *
 * WRITE-1 A command that waits to be written fails when its connection closes, with what closed the connection. It holds for every
 *    connection of the driver in this process: of pools and of monitors, greetings and the end of sessions included.
 *
 * The test of WRITE-1 hangs without the patch; when it passes without it on a newer driver, delete this file.
 */
import { createRequire } from 'node:module';
import { MongoNetworkError } from 'mongodb';
import { assert } from '../../kernel/assert.ts';

/** What is used here of the driver's inner class; its types are not published. */
interface Connection {
  readonly closed: boolean;
  /** Why it was closed. */
  readonly error: Error | null;
  once(event: 'close', listener: () => void): unknown;
}

/** `signal` ends the wait; so the driver has it for reads. */
type WriteCommand = (
  this: Connection,
  command: unknown,
  options: { readonly signal?: AbortSignal },
) => Promise<void>;

/** One copy of this module may be loaded after another, the driver once. */
const PATCHED = Symbol.for('holdfast.driver-patch');

/** To be called before a client is made; more than once does no harm. */
export function patchDriver(): void {
  const module: unknown = createRequire(import.meta.url)('mongodb/lib/cmap/connection.js');
  const prototype: unknown = Object(Object(module).Connection).prototype;
  assert(hasWriteCommand(prototype), 'the driver writes where it did: another version needs another patch');
  if (Object.hasOwn(prototype, PATCHED)) return;
  const { writeCommand } = prototype;
  const closings = new WeakMap<Connection, AbortSignal>();
  prototype.writeCommand = async function (command, options) {
    const closing = closings.get(this) ?? closingOf(this);
    closings.set(this, closing);
    const signal = options.signal === undefined ? closing : AbortSignal.any([options.signal, closing]);
    await writeCommand.call(this, command, { ...options, signal }); // WRITE-1
  };
  Object.defineProperty(prototype, PATCHED, { value: true });
}

/** Aborted, with the reason, when the connection is closed. */
function closingOf(connection: Connection): AbortSignal {
  const closing = new AbortController();
  const close = (): void =>
    closing.abort(connection.error ?? new MongoNetworkError('The connection was closed.'));
  if (connection.closed) close();
  else connection.once('close', close);
  return closing.signal;
}

function hasWriteCommand(value: unknown): value is { writeCommand: WriteCommand } {
  return typeof Object(value).writeCommand === 'function';
}
