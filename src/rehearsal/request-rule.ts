/**
 * A rule that the Messages API is documented to keep: what it refuses, in which words, and where that is to be read.
 * docs/rehearsal.md prints the rules, so `refuses` and `source` are written for its readers.
 */
import { errorTypeOf } from './service-error.ts';

export interface RequestRule<Subject> {
  /** The part of the request, and what may be wrong with it. */
  readonly id: string;
  readonly refuses: string;
  /** 400 if left out. */
  readonly status?: number | undefined;
  /** The service's own words; `{name}` stands for a value that `find` gives. */
  readonly message: string;
  readonly source: string;
  /** The values of the first place that breaks the rule; undefined where none does. Never throws, whatever it is given. */
  find(subject: Subject): Values | undefined;
}

export type Values = Readonly<Record<string, string | number>>;

export interface Refusal {
  /** Of the rule. */
  readonly id: string;
  readonly status: number;
  readonly type: string;
  readonly message: string;
}

/** In the order of the rules; a service answers with the first one. */
export function* refusalsOf<Subject>(
  rules: readonly RequestRule<Subject>[],
  subject: Subject,
): Generator<Refusal, void> {
  for (const rule of rules) {
    const values = rule.find(subject);
    if (values !== undefined) yield refusalOf(rule, values);
  }
}

function refusalOf({ id, status = 400, message }: RequestRule<never>, values: Values): Refusal {
  const said = message.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  return { id, status, type: errorTypeOf(status), message: said };
}
