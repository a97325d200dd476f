/**
 * Diagnostics (the journal is the event log; this is not). One JSON line per record: constant message, fields for the
 * rest. Level by who must act: error wakes someone, warn is read tomorrow, info tells the story of a session,
 * debug is for the author. A line is JSON, can be read on a terminal (TERMINAL-1), and has an end.
 */
import { visibleJson } from './visible.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Fields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  with(fields: Fields): Logger;
}

/** Of one text in a record: a stack fits, a model's whole answer does not. */
const FIELD_CHARS_MAX = 8 * 1024;
/** Of a line: what collects them breaks longer ones (journald at 48 KiB: journald.conf(5), LineMax), and no person reads them. */
const LINE_CHARS_MAX = 32 * 1024;

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export function jsonLogger(least: LogLevel, write: (line: string) => void, bound: Fields = {}): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: Fields = {}): void => {
      if (RANK[level] < RANK[least]) return;
      const record = { ts: new Date().toISOString(), level, message, ...bound, ...fields };
      const line = JSON.stringify(record, printable);
      const isLong = line.length > LINE_CHARS_MAX;
      const { ts } = record;
      const shown = isLong
        ? JSON.stringify({ ts, level, message, cut: line.slice(0, FIELD_CHARS_MAX) })
        : line;
      write(`${visibleJson(shown)}\n`);
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
  if (typeof value === 'string' && value.length > FIELD_CHARS_MAX)
    return `${value.slice(0, FIELD_CHARS_MAX)}… (${value.length - FIELD_CHARS_MAX} characters more)`;
  if (!(value instanceof Error)) return value;
  return { name: value.name, message: value.message, stack: value.stack, cause: value.cause };
}
