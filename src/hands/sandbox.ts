/**
 * What a tool may do to the world: run a command and use files. The implementation runs inside the isolation, so the
 * isolation is the boundary and this port is not: it promises clear refusals, bounds and clean ends.
 *
 * Paths are absolute. Every file operation refuses what is neither a regular file nor a folder (a fifo would hang),
 * and throws FileRefused with a message for the model.
 */
export interface Command {
  /** The program and its arguments; looked up in PATH, no shell. */
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Marks every process that the command starts, so that all of them can be ended. */
  readonly callId: string;
  /** stdout and stderr on one pipe: in the order they were written. */
  onOutput(chunk: Buffer): void;
}

/** Everything the command started has ended, unless it ended by itself (`exited`): then daemons live on. */
export type CommandEnd =
  | { readonly kind: 'exited'; readonly code: number | null; readonly signal: string | null }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'overQuota'; readonly explanation: string }
  | { readonly kind: 'notStarted'; readonly reason: string };

export interface FolderEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  readonly bytes: number;
  /** Where a link points, as it is written. */
  readonly target?: string | undefined;
  /** Of a link: nothing is where it points. */
  readonly dangles?: boolean | undefined;
}

export interface Sandbox {
  /** The workspace as a path here: /workspace when isolated. */
  readonly root: string;
  /** A program and its first arguments; the last one is a SearchRequest as JSON (search/request.ts). */
  readonly searchProgram: readonly string[];
  /**
   * Resolves when the command has ended; never rejects. `signal` ends it with all it started: they are asked to (SIGTERM), and killed
   * after END_GRACE_MS (limit.ts). What is said meanwhile is output too.
   */
  run(command: Command, signal: AbortSignal): Promise<CommandEnd>;
  /** What a path leads to; `other` also for a link that leads nowhere, and for what may not be looked at; undefined for nothing. */
  look(path: string): Promise<'file' | 'folder' | 'other' | undefined>;
  /** The bytes of a file from its start, piece by piece; the reader may stop at any time. */
  read(path: string, signal: AbortSignal): AsyncIterable<Buffer>;
  /**
   * Replaces the content of the file as a whole, or not at all; makes its folders. A file that is there stays the same one:
   * mode, owner, hard links; links are followed. Answers whether it was new, and where a link led.
   */
  write(
    path: string,
    content: Buffer,
  ): Promise<{ readonly created: boolean; readonly target?: string | undefined }>;
  /** The entries of a folder sorted by name, at most `entriesMax`; undefined when `path` is a file. */
  list(
    path: string,
    entriesMax: number,
  ): Promise<{ entries: readonly FolderEntry[]; cut: boolean } | undefined>;
  /** How many processes run that commands have left behind. */
  background(): number;
  /** Ends everything that was ever started here, as `signal` of `run` does, commands that still run included. */
  close(): Promise<void>;
}
