/**
 * docs/limits.md: the named numbers of the code with the reasons above them. The files in FIRST have what users of the API and their agents
 * meet; whatever stands in another file is for who reads the code, by folder.
 */
import { globSync, readFileSync } from 'node:fs';

const ROOT = new URL('..', import.meta.url).pathname;

/** In the order of the page. */
const FIRST: readonly (readonly [title: string, files: readonly string[]])[] = [
  [
    'Requests, pages, sessions, turns and tokens',
    ['src/kernel/limit.ts', 'schema/event.ts', 'schema/frame-source.ts'],
  ],
  ['Documents, answers and connections', ['src/api/graphql/limits.ts', 'src/api/http-server.ts']],
  ['Commands, files and results of tools', ['src/hands/limit.ts', 'src/brain/toolbox.ts']],
  ['Model calls', ['src/brain/model-call.ts', 'src/brain/resume.ts', 'src/models/answer-limit.ts']],
  ['Running and resting', ['src/supervisor/limit.ts']],
];

interface Limit {
  readonly name: string;
  /** As it stands in the code: a number, or a product or sum with other limits. */
  readonly expression: string;
  readonly reason: string;
  readonly file: string;
}

/** A doc comment of one line and the numbers below it, up to the next line that is none. */
const REASON = /^\/\*\* (.+) \*\/\n((?:(?:export )?const [A-Z][A-Z0-9_]+ = [0-9A-Z_ *+/]+;\n)+)/gm;
const NUMBER = /const ([A-Z][A-Z0-9_]+) = ([0-9A-Z_ *+/]+);/g;
const UNITS: Readonly<Record<string, number>> = { KIB: 1024, MIB: 1024 ** 2, GIB: 1024 ** 3 };
const BINARY = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** The lines of the page, below its opening. */
export function limitLines(): readonly string[] {
  const files = globSync(['src/**/*.ts', 'schema/*.ts'], { cwd: ROOT }).toSorted();
  const limits = files.flatMap((file) => limitsIn(file));
  const told = new Set(FIRST.flatMap(([, names]) => names));
  const folders = Map.groupBy(
    limits.filter(({ file }) => !told.has(file)),
    ({ file }) => file.slice(0, file.lastIndexOf('/')),
  );
  return [
    '## What you meet first',
    ...FIRST.flatMap(([title, names]) => [
      ...['', `### ${title}`, '', '| limit | number | reason |', '|---|---|---|'],
      ...names
        .flatMap((name) => limits.filter(({ file }) => file === name))
        .map((limit) => `| \`${limit.name}\` | ${amountOf(limit, limits)} | ${cell(limit.reason)} |`),
    ]),
    ...['', '## The rest, by folder'],
    ...[...folders].flatMap(([folder, own]) => [
      ...['', `### ${folder}`, '', '| limit | number | reason | where |', '|---|---|---|---|'],
      ...own.map((limit) => {
        const where = limit.file.slice(folder.length + 1);
        return `| \`${limit.name}\` | ${amountOf(limit, limits)} | ${cell(limit.reason)} | ${where} |`;
      }),
    ]),
  ];
}

function limitsIn(file: string): Limit[] {
  return [...readFileSync(`${ROOT}${file}`, 'utf8').matchAll(REASON)].flatMap(([, reason = '', lines = '']) =>
    [...lines.matchAll(NUMBER)]
      .map(([, name = '', expression = '']) => ({ name, expression, reason, file }))
      .filter(({ name }) => !name.startsWith('EXIT_')),
  );
}

/** For people: 2 MiB, 15 s, 2,000,000; as it stands in the code where it is made of what is not here. */
function amountOf(limit: Limit, limits: readonly Limit[]): string {
  const value = valueOf(limit, limits);
  if (value === undefined) return limit.expression;
  if (/(^|_)BYTES(_|$)/.test(limit.name)) return binary(value);
  if (/_MS(_|$)/.test(limit.name)) return value < 1_000 ? `${value} ms` : seconds(value / 1_000);
  if (/_(S|SECONDS)(_|$)/.test(limit.name)) return seconds(value);
  return value.toLocaleString('en-US');
}

/** Sums of products; a name is a limit of the same file, or else the only one of that name. */
function valueOf({ expression, file }: Limit, limits: readonly Limit[]): number | undefined {
  const known = (text: string): number | undefined => {
    if (/^[\d_]+$/.test(text)) return Number(text.replaceAll('_', ''));
    const named = limits.filter(({ name }) => name === text);
    const one = named.find((other) => other.file === file) ?? (named.length === 1 ? named[0] : undefined);
    return UNITS[text] ?? (one === undefined ? undefined : valueOf(one, limits));
  };
  const product = (text: string): number =>
    text.split(/(?=[*/])/).reduce((value, factor) => {
      const number = known(factor.replace(/^[*/]/, '').trim()) ?? Number.NaN;
      return factor.startsWith('/') ? value / number : value * number;
    }, 1);
  const sum = expression.split('+').reduce((value, part) => value + product(part), 0);
  return Number.isNaN(sum) ? undefined : sum;
}

function binary(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && value % 1024 === 0 && unit < BINARY.length - 1)
    [value, unit] = [value / 1024, unit + 1];
  return `${value.toLocaleString('en-US')} ${BINARY[unit]}`;
}

function seconds(value: number): string {
  if (value >= 3_600 && value % 3_600 === 0) return `${value / 3_600} h`;
  return value >= 120 && value % 60 === 0 ? `${value / 60} min` : `${value} s`;
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`);
}
