/** The forms in which variables of the environment are written: each reads one, and answers undefined when it has another. */
import { resolve } from 'node:path';
import type { Origins } from '../api/graphql/options.ts';
import { Sealed } from '../kernel/sealed.ts';
import type { ContextWindows } from '../models/model-table.ts';

/** A variable of the environment, and its row in docs/configuration.md. */
export interface Variable<T> {
  readonly name: string;
  readonly fallback: string | undefined;
  readonly prose: string;
  readonly expected: string;
  /** undefined: not what was expected. */
  parse(text: string): T | undefined;
}

/** The URI is sealed: it may hold a password. */
export type DatabaseChoice =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'mongodb'; readonly uri: Sealed };

/** Less holds no prompt and its tools; more has no model. As for agents' own. */
export const CONTEXT_WINDOW_MIN = 1_000;
export const CONTEXT_WINDOW_MAX = 10_000_000;

export const whole = (least: number, most: number) => (text: string) => {
  const value = Number(text);
  return /^\d+$/.test(text) && value >= least && value <= most ? value : undefined;
};
export const oneOf =
  <const V extends string>(...values: readonly V[]) =>
  (text: string): V | undefined =>
    values.find((value) => value === text);

/** Whether a MongoDB URI is right in all its parts is the driver's to say, when it is opened. */
export function databaseOf(text: string): DatabaseChoice | undefined {
  if (/^mongodb(\+srv)?:\/\/./.test(text)) return { kind: 'mongodb', uri: new Sealed(text) };
  return /^sqlite:./.test(text) ? { kind: 'sqlite', path: resolve(text.slice('sqlite:'.length)) } : undefined;
}

/** Addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** An origin is written in one way only (RFC 6454 6.2), and compared letter by letter. */
export function originsOf(text: string): Origins | undefined {
  if (text === '*') return '*';
  if (text === 'none') return [];
  const origins = text.split(',').map((one) => one.trim());
  const isOrigin = (one: string): boolean =>
    /^https?:\/\/[^*]+$/.test(one) && URL.canParse(one) && new URL(one).origin === one;
  return origins.every(isOrigin) ? origins : undefined;
}

export function contextWindowsOf(text: string): ContextWindows | undefined {
  const windows = text.split(',').map((one) => {
    const [, name, tokens] = /^\s*([^\s=,]+)\s*=\s*(\d+)\s*$/.exec(one) ?? [];
    const value = whole(CONTEXT_WINDOW_MIN, CONTEXT_WINDOW_MAX)(tokens ?? '');
    return name === undefined || value === undefined ? undefined : ([name, value] as const);
  });
  const known = windows.filter((one) => one !== undefined);
  return known.length === windows.length ? new Map(known) : undefined;
}
