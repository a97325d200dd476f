/**
 * Diagnostics (the journal is the event log; this is not). One JSON line per record: constant message, fields for the
 * rest. Level by who must act: error wakes someone, warn is read tomorrow, info tells the story of a session,
 * debug is for the author.
 */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Fields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  with(fields: Fields): Logger;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export function jsonLogger(least: LogLevel, write: (line: string) => void, bound: Fields = {}): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: Fields = {}): void => {
      if (RANK[level] < RANK[least]) return;
      const record = { ts: new Date().toISOString(), level, message, ...bound, ...fields };
      write(`${JSON.stringify(record, printable)}\n`);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => jsonLogger(least, write, { ...bound, ...fields }),
  };
}

export const silentLogger: Logger = jsonLogger('error', () => undefined);

function printable(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  return { name: value.name, message: value.message, stack: value.stack, cause: value.cause };
}
