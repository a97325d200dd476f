/**
 * Sharing the limit of open files between the doors and all else. Node itself raises the soft limit to the hard one when it starts
 * (PlatformInit in node.cc), so what is read here is what an operator can give: `ulimit -Hn`, LimitNOFILE of systemd, or docker's
 * --ulimit nofile.
 *
 * FILES-1 connections, inside and outside, leave what the database and the units need, from `limitMin` on; below it the server says at
 *    its start what to raise.
 */
import { readFileSync } from 'node:fs';

/** The pool of a database (100), its files, archives, logs, and what a process has anyway. */
const PROCESS_FILES = 256;
/** Of each brain with its hands: pipes at both ends while they start, the model call, files of the workspace. */
const UNIT_FILES = 24;
/** Of each brain to the unit endpoint: the calls of one model answer (TOOL_CALLS_MAX), and what else it asks for. */
const UNIT_CONNECTIONS = 80;
/** A smaller limit than this leaves so few connections that only one's own machine can do with them. */
const CONNECTIONS_MIN = 32;
/** More connections than this cost more memory than a process has for them. */
const CONNECTIONS_MAX = 25_000;
/** Of the connections, what sockets may take: the others are for requests. */
const SOCKET_SHARE = 0.9;
/** Where the limit cannot be read: the usual soft one. */
const LIMIT_UNKNOWN = 1_024;

export interface OpenFileShares {
  readonly limit: number;
  /** From here on everybody has what they may need. */
  readonly limitMin: number;
  /** Of the outer door. */
  readonly connectionsMax: number;
  readonly socketsMax: number;
  /** Of the unit endpoint. */
  readonly unitConnectionsMax: number;
}

export function shareOpenFiles(limit: number, units: number): OpenFileShares {
  const reserve = PROCESS_FILES + units * UNIT_FILES;
  const unitConnectionsMax = Math.max(
    CONNECTIONS_MIN,
    Math.min(units * UNIT_CONNECTIONS, Math.floor(limit / 4), limit - reserve - CONNECTIONS_MIN),
  );
  const left = limit - reserve - unitConnectionsMax; // FILES-1
  const connectionsMax = Math.min(CONNECTIONS_MAX, Math.max(CONNECTIONS_MIN, left));
  const socketsMax = Math.floor(connectionsMax * SOCKET_SHARE);
  return { limit, limitMin: reserve + 2 * CONNECTIONS_MIN, connectionsMax, socketsMax, unitConnectionsMax };
}

/** What an operator should do about a limit that is too small; undefined where it is not. */
export function filesAdvice({ limit, limitMin }: OpenFileShares): string | undefined {
  if (limit >= limitMin) return undefined;
  return `the limit of open files is ${limit}, and this server may need ${limitMin}: raise it (ulimit -Hn, LimitNOFILE, docker's --ulimit nofile), or set HOLDFAST_SLOTS lower`;
}

/** The limit of this process. */
export function openFilesLimit(): number {
  try {
    return limitIn(readFileSync('/proc/self/limits', 'utf8'));
  } catch {
    return LIMIT_UNKNOWN; // no /proc: a container that hides it
  }
}

/** The soft limit in the text of /proc/self/limits. */
export function limitIn(text: string): number {
  const [, soft = ''] = /^Max open files\s+(\S+)/m.exec(text) ?? [];
  return /^\d+$/.test(soft) ? Number(soft) : soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : LIMIT_UNKNOWN;
}
