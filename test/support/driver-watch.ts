/**
 * What a client of MongoDB asks of its server, by the driver's own events: commands, cursors that stay open, documents that come
 * back. The client must have been made with `monitorCommands=true`, which may stand in its URI: `watchedUri`.
 */
import type { CommandStartedEvent, CommandSucceededEvent, Document, MongoClient } from 'mongodb';

/** Of the commands that open a cursor or go on with one. */
interface CursorAnswer {
  readonly cursor?: {
    readonly id: { toString(): string };
    readonly firstBatch?: readonly Document[];
    readonly nextBatch?: readonly Document[];
  };
}

export interface Asked {
  readonly name: string;
  readonly collection: string;
  readonly command: Document;
  /** Of what came back: documents of a find, an aggregate or a getMore. */
  documents: number;
}

export class DriverWatch {
  readonly #byRequest = new Map<number, Asked>();
  readonly #cursors = new Set<string>();
  readonly #counts = new Map<string, number>();
  #kept: Asked[] | undefined;

  constructor(client: MongoClient) {
    client.on('commandStarted', (event) => this.#started(event));
    client.on('commandSucceeded', (event) => this.#succeeded(event));
    client.on('commandFailed', ({ requestId }) => this.#byRequest.delete(requestId));
  }

  /** How often each was sent so far, as `find session`. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].toSorted(([a], [b]) => a.localeCompare(b)));
  }

  /** Cursors that the server still holds. */
  get openCursors(): number {
    return this.#cursors.size;
  }

  /** What is asked while `work` runs. One at a time. */
  async during(work: () => Promise<unknown>): Promise<readonly Asked[]> {
    const kept: Asked[] = [];
    this.#kept = kept;
    try {
      await work();
    } finally {
      this.#kept = undefined;
    }
    return kept;
  }

  #started({ requestId, commandName, command }: CommandStartedEvent): void {
    const target: unknown = commandName === 'getMore' ? command['collection'] : command[commandName];
    const collection = typeof target === 'string' ? target : '';
    const asked: Asked = { name: commandName, collection, command, documents: 0 };
    this.#byRequest.set(requestId, asked);
    this.#kept?.push(asked);
    const label = `${commandName} ${collection}`.trim();
    this.#counts.set(label, (this.#counts.get(label) ?? 0) + 1);
  }

  #succeeded({ requestId, reply }: CommandSucceededEvent): void {
    const asked = this.#byRequest.get(requestId);
    this.#byRequest.delete(requestId);
    if (asked === undefined) return;
    if (asked.name === 'killCursors')
      for (const id of asked.command['cursors']) this.#cursors.delete(String(id));
    const { cursor } = reply as CursorAnswer; // the protocol's shape, where the command has one
    if (cursor === undefined) return;
    asked.documents = (cursor.firstBatch ?? cursor.nextBatch ?? []).length;
    const id = cursor.id.toString();
    if (id !== '0') this.#cursors.add(id);
    else if (asked.name === 'getMore') this.#cursors.delete(String(asked.command['getMore']));
  }
}

/** `uri` with the driver's events on. */
export function watchedUri(uri: string): string {
  return `${uri}${uri.includes('?') ? '&' : '?'}monitorCommands=true`;
}
