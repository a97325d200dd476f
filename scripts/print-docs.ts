/** Prints what is made from the code: docs/{configuration,session-lifecycle,events,limits,models,policy,promises}.md, and a table of rehearsal.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { POLICY, type Rule } from '../src/access/policy.ts';
import { CLIENT_SCOPES, KEY_SCOPES } from '../src/access/principal.ts';
import { EVENTS } from '../src/journal/event-catalog.ts';
import {
  ANSWER_ERROR_BYTES_MAX,
  ANSWER_LINE_BYTES_MAX,
  ANSWER_STREAM_BYTES_MAX,
  ANSWER_VALUES_MAX,
  ANSWER_WHOLE_BYTES_MAX,
} from '../src/models/answer-limit.ts';
import { MODELS } from '../src/models/model-table.ts';
import { RATES, type Rates } from '../src/models/price.ts';
import { PRICES } from '../src/models/price-table.ts';
import { variables } from '../src/processes/config.ts';
import { HEAD_RULES } from '../src/rehearsal/rules/head.ts';
import { REQUEST_RULES } from '../src/rehearsal/rules/table.ts';
import { PHASES, VERDICT } from '../src/sessions/lifecycle.ts';
import { limitLines } from './limits.ts';
import { promises } from './promises.ts';

/** Page name -> text. */
export function printedDocs(): Readonly<Record<string, string>> {
  return {
    'configuration.md': configuration(),
    'session-lifecycle.md': lifecycle(),
    'events.md': events(),
    'limits.md': limits(),
    'models.md': models(),
    'policy.md': policy(),
    'rehearsal.md': rehearsal(),
    'promises.md': printedPromises(),
  };
}

function printedPromises(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const rows = promises().map(
    ({ id, text, file, provedBy }) =>
      `| ${id} | ${cell(text)} | ${file} | ${provedBy.map((name) => name.replace(/^test\//, '')).join(', ')} |`,
  );
  return page(
    'Promises',
    'What the code promises, from the headers of the files that keep it (`scripts/promises.ts`). The last column names the tests, under `test/`, that fail when it is broken.',
    ['| id | promise | kept in | proved by |', '|---|---|---|---|', ...rows],
  );
}

function configuration(): string {
  const rows = variables().map(
    ({ name, fallback, prose, expected }) => `| \`${name}\` | ${fallback ?? ''} | ${expected} | ${prose} |`,
  );
  return page(
    'Configuration',
    'Read from the environment at the start, by `src/processes/config.ts` alone; an empty value means unset. All mistakes are reported at once, and the exit code is 78.',
    ['| variable | default | expected | what it does |', '|---|---|---|---|', ...rows],
  );
}

function lifecycle(): string {
  const rows = Object.entries(VERDICT).map(
    ([command, row]) => `| ${command} | ${PHASES.map((phase) => row[phase]).join(' | ')} |`,
  );
  return page(
    'The life of a session',
    'What each command means in each status (`parked`: `awaiting_input` with an open turn, whose tool calls wait for somebody outside): `yes` decides events (`src/sessions/lifecycle.ts`), `nothing` does nothing and that is fine, `refuse` is a fault with nothing written.',
    [`| command | ${PHASES.join(' | ')} |`, `|---|${PHASES.map(() => '---|').join('')}`, ...rows],
  );
}

function events(): string {
  const sections = Object.entries(EVENTS).flatMap(([type, { level, description, body }]) => [
    `## ${type} (${level})`,
    '',
    description,
    '',
    ...Object.entries(body).map(
      ([name, field]) =>
        `- \`${name}\` ${field.kind}${field.optional ? ', optional' : ''}: ${field.description}`,
    ),
    '',
  ]);
  return page(
    'Events',
    'Every event has `id`, `seq` (1, 2, 3 … in its session), `at`, `type`, `level`, `actor`, and `turnId` where it belongs to a turn. These are the types and their bodies.',
    sections,
  );
}

function limits(): string {
  return page(
    'Limits',
    'Every bound on a buffer, loop, wait or payload that stands in the code, with its reason: first what you and your agents meet, then the rest. Those that a deployment may want to tune are variables: [configuration.md](configuration.md).',
    limitLines(),
  );
}

function models(): string {
  const rows = Object.entries(MODELS).map(([name, facts]) =>
    [
      '',
      `\`${name}\``,
      facts.contextWindow,
      facts.outputTokensMax,
      facts.cacheTokensMin,
      facts.modes.join(', '),
      facts.modes.length === 0 ? '' : facts.mode,
      facts.efforts.join(', '),
      '',
    ]
      .join(' | ')
      .trim(),
  );
  return page(
    'Models',
    'What is known of models, as of 2026-11-26 (`src/models/model-table.ts`): tokens, the modes of thinking and the efforts that each takes. One model has many names: with a date, a version, a region or another provider before it. What an agent asks for and its model does not take becomes the nearest that it does. A model that is not here has a window of 200,000 tokens, answers with up to 32,000, and is told about thinking and effort just what its agent says; set `contextWindow` and `maxOutputTokens` on the agent, or `HOLDFAST_CONTEXT_WINDOWS` on the server, where that is wrong.',
    [
      '| model | context window | longest answer | shortest cached prompt | thinking | by itself | effort |',
      '|---|---|---|---|---|---|---|',
      ...rows,
      '',
      ...priceLines(),
      '## How much a model service may send',
      '',
      `Of an answer at most ${mib(ANSWER_STREAM_BYTES_MAX)} MiB are read as a stream and ${mib(ANSWER_WHOLE_BYTES_MAX)} MiB whole, packed or unpacked, with lines of ${mib(ANSWER_LINE_BYTES_MAX)} MiB and ${ANSWER_VALUES_MAX.toLocaleString('en')} values of JSON in one event. More ends the turn as \`MODEL_ANSWER_TOO_LARGE\`, without another attempt, and the call is \`unmetered\` where the service had not said what it used. An error of a service that is larger than ${mib(ANSWER_ERROR_BYTES_MAX)} MiB keeps its status and loses its words.`,
      '',
      "What the server does with answers and requests of one session has a share of its time: a service that floods is read slowly, and other sessions' turns go on.",
    ],
  );
}

function mib(bytes: number): number {
  return bytes / 1024 ** 2;
}

function policy(): string {
  const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');
  const rows = Object.entries<Rule>(POLICY);
  const opened = (scope: string, of: 'key' | 'client'): string =>
    code(
      rows
        .filter(([, rule]) => rule[of].some((one) => one === scope))
        .flatMap(([, { operations }]) => operations),
    );
  return page(
    'Who may do what',
    'One table (`src/access/policy.ts`), which every door asks before anything is done. A caller needs one of the scopes of the row; an empty cell is for nobody of that kind. Operations are the root fields of the schema, and `Type.field` where a field asks for more than what it is on. `test/api/policy.test.ts` walks all of it: every kind of caller, every operation, every transport.',
    [
      '| action | with | API key | client token | operations |',
      '|---|---|---|---|---|',
      ...rows.map(([action, { resource, key, client, level, operations }]) => {
        const scopes = code(client.map((scope) => scope.toUpperCase()));
        const atLevel = level === undefined ? scopes : `${scopes} with the level \`${level.toUpperCase()}\``;
        return `| \`${action}\` | ${resource} | ${code(key)} | ${atLevel} | ${code(operations)} |`;
      }),
      '',
      '## By scope',
      '',
      'An API key holds for its organisation, and a client token for one session; what is of another organisation or session is answered as what there never was.',
      '',
      '| scope | of | opens |',
      '|---|---|---|',
      ...KEY_SCOPES.map((scope) => `| \`${scope}\` | API key | ${opened(scope, 'key')} |`),
      ...CLIENT_SCOPES.map(
        (scope) => `| \`${scope.toUpperCase()}\` | client token | ${opened(scope, 'client')} |`,
      ),
      '',
      '## What is answered',
      '',
      '- No key or token, one that nobody knows, that was altered or has expired: `UNAUTHENTICATED`, with status 401 over HTTP, and a socket closes with 4401.',
      '- One without the scope, or below the level: `FORBIDDEN`, with a sentence that names what is missing. Nothing was changed.',
      '- A client token that names another session, and whoever names a thing of another organisation: what is answered for an id that never was, `SESSION_NOT_FOUND` for a session. A subscription says it as `SessionGone`.',
      '- A mutation of a session answers the `session` as its caller may read it: without `sessions:read` or `READ`, its `id` and `status`. Asking for more is `FORBIDDEN` before anything is done.',
      '- A unit token is for brains: it opens the unit endpoint, which is no address of the network, and nothing of this table. Keys and client tokens do not open that.',
    ],
  );
}

const OWN_PRICES = `{
  "anthropic/claude-sonnet-5": [
    { "from": "2026-11-01", "input": 1.8, "output": 9, "cacheWrite5m": 2.25, "cacheWrite1h": 3.6, "cacheRead": 0.18 }
  ]
}`;

function priceLines(): readonly string[] {
  const rows = Object.entries(PRICES).flatMap(([model, prices]) =>
    prices.flatMap(({ from, longPrompt, ...price }) => [
      priceRow(model, from, price),
      ...(longPrompt === undefined
        ? []
        : [priceRow(model, `${from}, prompts of more than ${longPrompt.overTokens} tokens`, longPrompt)]),
    ]),
  );
  return [
    '## Prices',
    '',
    'List prices in US dollars per million tokens, from the day on that is given (UTC), as of 2026-11-27 (`src/models/price-table.ts`): of the services themselves, not of others that serve the same models. Each call is journalled with its cost (`ModelUsage.costMicroUsd`, micro-dollars, rounded up) and the price that it was worked out with, that of the model that answered on the day of the call, so no later table changes what a call has cost. `Usage.costMicroUsd` of a turn and of a session is the sum, and null where the price of a call is not known; versions before journalled no costs.',
    '',
    '`HOLDFAST_PRICES` names a file of your own prices, which come before these: what you have agreed on, models that are not listed, and rehearsals. A model is named as agents name it, and has a list of prices, each with the day from which on it holds; `longPrompt: { overTokens, … }` has other prices for calls with longer prompts. All five prices have to be there; 0 is a price.',
    '',
    '```json',
    OWN_PRICES,
    '```',
    '',
    '| model | from | input | output | cache write, 5 minutes | cache write, 1 hour | cache read |',
    '|---|---|---|---|---|---|---|',
    ...rows,
  ];
}

function priceRow(model: string, from: string, price: Rates): string {
  return `| \`${model}\` | ${from} | ${RATES.map((name) => price[name]).join(' | ')} |`;
}

const RULES_BEGIN = '<!-- The rules, printed by `npm run docs`; edit src/rehearsal/rules. -->';
const RULES_END = '<!-- The end of the rules. -->';

/** The page as it is, with the table of rules between its two marks. */
function rehearsal(): string {
  const text = readFileSync(new URL('../docs/rehearsal.md', import.meta.url), 'utf8');
  const [before = '', rest = ''] = text.split(RULES_BEGIN);
  const [, after = ''] = rest.split(RULES_END);
  const rows = [...HEAD_RULES, ...REQUEST_RULES].map(
    ({ id, status = 400, refuses, message, source }) =>
      `| \`${id}\` | ${refuses} | ${status} | ${message.replaceAll('|', '\\|')} | ${source} |`,
  );
  const table = ['| rule | refuses | status | message | source |', '|---|---|---|---|---|', ...rows];
  return `${before}${RULES_BEGIN}\n\n${table.join('\n')}\n\n${RULES_END}${after}`;
}

function page(title: string, opening: string, lines: readonly string[]): string {
  return `# ${title}\n\n<!-- Printed by \`npm run docs\`; edit the table in the code. -->\n\n${opening}\n\n${lines.join('\n').trimEnd()}\n`;
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(printedDocs())) {
    writeFileSync(new URL(`../docs/${name}`, import.meta.url), text);
  }
}
