/**
 * The only reader of the environment. One table gives each variable's default, check and prose; docs/configuration.md
 * is printed from it. All problems are reported at once, with the name and what was expected. An empty value means unset.
 */
import { resolve } from 'node:path';
import { GIVEN_KEY_EXPECTED, isRootKey } from '../access/root-key.ts';
import {
  BACKGROUND_MS_DEFAULT,
  IDLE_MS_DEFAULT,
  SLOTS_DEFAULT,
  SPARES_DEFAULT,
  STOP_MS_DEFAULT,
} from '../supervisor/limit.ts';
import type { Origins } from '../api/graphql/options.ts';
import type { LogLevel } from '../kernel/logger.ts';
import { Sealed } from '../kernel/sealed.ts';
import type { ContextWindows } from '../models/model-table.ts';
import { type Provider, providerEntry, providers } from '../secrets/provider-table.ts';
import {
  CONTEXT_WINDOW_MAX,
  CONTEXT_WINDOW_MIN,
  type DatabaseChoice,
  type Variable,
  contextWindowsOf,
  databaseOf,
  isLoopback,
  oneOf,
  originsOf,
  whole,
} from './variable-form.ts';

export interface Config {
  readonly port: number;
  readonly host: string;
  /** Absolute path. */
  readonly dataFolder: string;
  /** Absolute path. */
  readonly secretsFolder: string;
  readonly database: DatabaseChoice;
  readonly rootKey: Sealed | undefined;
  readonly providers: Readonly<Record<Provider, ProviderAccess>>;
  /** Of models, by their own names: where the model table does not know them, or knows them wrong. */
  readonly contextWindows: ContextWindows;
  /** Absolute path of the deployment's own prices. */
  readonly pricesFile: string | undefined;
  readonly rehearsalFolder: string | undefined;
  readonly rehearsalStrict: boolean;
  readonly isolation: 'bubblewrap' | 'none';
  /** Where programs of the system are looked for. */
  readonly searchPath: string | undefined;
  readonly idleMs: number;
  readonly backgroundMs: number;
  /** A stop that takes longer is cut off. */
  readonly stopMs: number;
  readonly slotsMax: number;
  readonly spares: number;
  readonly logLevel: LogLevel;
  readonly graphiql: boolean;
  /** Web origins that may use the API; `*`: all. */
  readonly origins: Origins;
}

export interface ProviderAccess {
  readonly baseUrl: string;
  /** The server's own. */
  readonly key: Sealed | undefined;
}

/** EX_CONFIG of sysexits.h. */
export const EXIT_CONFIG = 78;

/** Everything that is wrong with the environment, one sentence each. */
export class ConfigRefused extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

export const VARIABLES = {
  PORT: {
    name: 'PORT',
    fallback: '4000',
    prose: 'Port of GraphQL, health and readiness. 0 takes a free one.',
    expected: 'a port from 0 to 65535',
    parse: whole(0, 65_535),
  },
  HOST: {
    name: 'HOST',
    fallback: '127.0.0.1',
    prose: 'Address to listen on. 0.0.0.0 opens the server to the network; put TLS before it.',
    expected: 'an address',
    parse: (text) => text,
  },
  HOLDFAST_DATA: {
    name: 'HOLDFAST_DATA',
    fallback: '.holdfast',
    prose:
      'Folder of the database, the sealed secrets, their key and the workspaces. Each server has its own.',
    expected: 'a folder',
    parse: (text) => resolve(text),
  },
  HOLDFAST_SECRETS: {
    name: 'HOLDFAST_SECRETS',
    fallback: undefined,
    prose:
      'Folder of the sealed secrets and of the key that opens them. Servers on one MongoDB database share it. Unset: the data folder.',
    expected: 'a folder',
    parse: (text) => resolve(text),
  },
  DATABASE_URL: {
    name: 'DATABASE_URL',
    fallback: undefined,
    prose:
      'Where the journal is: one file for one server, or a MongoDB replica set (7.0 or newer) for any number of servers; the path of its URI names the database, `holdfast` when there is none. Unset: holdfast.db in the data folder.',
    expected: 'sqlite:<path>, mongodb://<hosts>/<database> or mongodb+srv://<host>/<database>',
    parse: databaseOf,
  },
  HOLDFAST_ROOT_KEY: {
    name: 'HOLDFAST_ROOT_KEY',
    fallback: undefined,
    prose:
      'The operator key, of your making; another one takes its place at the next start. Once it was revoked or rotated ([keys.md](keys.md)), only another value makes a key. Unset: one is made and printed at the first start.',
    expected: GIVEN_KEY_EXPECTED,
    parse: (text) => (isRootKey(text) ? new Sealed(text) : undefined),
  },
  HOLDFAST_CONTEXT_WINDOWS: {
    name: 'HOLDFAST_CONTEXT_WINDOWS',
    fallback: undefined,
    prose:
      "Context windows of models, where [models.md](models.md) does not know them or knows them wrong: the model's name without the provider, and tokens. An agent's own `contextWindow` comes first.",
    expected: `name=tokens, several with commas between them, each from ${CONTEXT_WINDOW_MIN} to ${CONTEXT_WINDOW_MAX}`,
    parse: contextWindowsOf,
  },
  HOLDFAST_PRICES: {
    name: 'HOLDFAST_PRICES',
    fallback: undefined,
    prose:
      'A JSON file of prices, before the list prices: [models.md](models.md#prices). Read at the start; servers on one database have the same.',
    expected: 'a file',
    parse: (text) => resolve(text),
  },
  HOLDFAST_REHEARSAL: {
    name: 'HOLDFAST_REHEARSAL',
    fallback: undefined,
    prose:
      'A folder of your own scripts for rehearsal/<script> models, beside those that come with Holdfast.',
    expected: 'a folder',
    parse: (text) => resolve(text),
  },
  HOLDFAST_REHEARSAL_STRICT: {
    name: 'HOLDFAST_REHEARSAL_STRICT',
    fallback: 'on',
    prose:
      'Whether the rehearsal refuses the requests that the Messages API refuses; off: it answers whatever it can read.',
    expected: 'on or off',
    parse: oneOf('on', 'off'),
  },
  HOLDFAST_ISOLATION: {
    name: 'HOLDFAST_ISOLATION',
    fallback: 'bubblewrap',
    prose: 'none runs brain and hands as plain processes: only where something else contains them.',
    expected: 'bubblewrap or none',
    parse: oneOf('bubblewrap', 'none'),
  },
  HOLDFAST_IDLE_SECONDS: {
    name: 'HOLDFAST_IDLE_SECONDS',
    fallback: String(IDLE_MS_DEFAULT / 1000),
    prose: 'Seconds without anything to do until a session hibernates.',
    expected: 'seconds from 0 to 86400',
    parse: whole(0, 86_400),
  },
  HOLDFAST_BACKGROUND_SECONDS: {
    name: 'HOLDFAST_BACKGROUND_SECONDS',
    fallback: String(BACKGROUND_MS_DEFAULT / 1000),
    prose:
      'Seconds that a session stays awake beyond those because commands of it run in the background; then they are ended. It may be put to sleep before when its slot is needed. 0: they keep nothing awake.',
    expected: 'seconds from 0 to 604800',
    parse: whole(0, 604_800),
  },
  HOLDFAST_STOP_SECONDS: {
    name: 'HOLDFAST_STOP_SECONDS',
    fallback: String(STOP_MS_DEFAULT / 1000),
    prose:
      'Seconds that the server has for its stop (SIGTERM): ending what runs, and on MongoDB saving the files of its sessions. What is not saved by then is as after a crash. Let your service manager wait longer than this.',
    expected: 'seconds from 1 to 3600',
    parse: whole(1, 3_600),
  },
  HOLDFAST_SLOTS: {
    name: 'HOLDFAST_SLOTS',
    fallback: String(SLOTS_DEFAULT),
    prose:
      'Sessions that may run at the same time; the others wait in status queued. Where organisations share the server, one in eight is kept for those that have nothing running.',
    expected: 'a number from 1 to 1000',
    parse: whole(1, 1_000),
  },
  HOLDFAST_SPARES: {
    name: 'HOLDFAST_SPARES',
    fallback: String(SPARES_DEFAULT),
    prose:
      'Brains kept started and loaded, for a quick start; two more where organisations share the server. 0: none.',
    expected: 'a number from 0 to 100',
    parse: whole(0, 100),
  },
  HOLDFAST_LOG: {
    name: 'HOLDFAST_LOG',
    fallback: 'info',
    prose: 'Least level of diagnostics on standard error.',
    expected: 'debug, info, warn or error',
    parse: oneOf('debug', 'info', 'warn', 'error'),
  },
  HOLDFAST_GRAPHIQL: {
    name: 'HOLDFAST_GRAPHIQL',
    fallback: undefined,
    prose:
      'Whether /graphql shows GraphiQL to a browser, without a key. Unset: on where HOST is a loopback address, off elsewhere.',
    expected: 'on or off',
    parse: oneOf('on', 'off'),
  },
  HOLDFAST_CORS: {
    name: 'HOLDFAST_CORS',
    fallback: '*',
    prose:
      'Web origins whose pages may use the API: others get no CORS headers, and 403 for a WebSocket. `*` is safe as far as tokens go, which travel in headers and never in cookies.',
    expected:
      '*, none, or origins with commas between them, each as browsers send it: https://app.example or http://localhost:3000',
    parse: originsOf,
  },
} as const satisfies Record<string, Variable<unknown>>;

/** Of a provider: its variables, as its entry in the provider table names them. */
function providerVariables(provider: Provider): { key: Variable<Sealed>; baseUrl: Variable<string> } {
  const { title, keyVariable, baseUrlVariable, baseUrl } = providerEntry(provider);
  return {
    key: {
      name: keyVariable,
      fallback: undefined,
      prose: `The key for models of ${title}, for sessions whose agent has no credential and where there is no default one.`,
      expected: 'a key',
      parse: (text) => new Sealed(text),
    },
    baseUrl: {
      name: baseUrlVariable,
      fallback: baseUrl,
      prose: `The service behind the gateway for models of ${title}.`,
      expected: 'an http or https URL',
      parse: (text) =>
        /^https?:\/\//.test(text) && URL.canParse(text) ? text.replace(/\/+$/, '') : undefined,
    },
  };
}

/** All that is read, in the order of the page. */
export function variables(): readonly Variable<unknown>[] {
  return [
    ...Object.values(VARIABLES),
    ...providers().flatMap((provider) => Object.values(providerVariables(provider))),
  ];
}

/** Throws ConfigRefused with every problem. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const read = <T>(variable: Variable<T>): T | undefined => {
    const given = env[variable.name];
    const text = given === undefined || given === '' ? variable.fallback : given;
    if (text === undefined) return undefined;
    const value = variable.parse(text);
    if (value === undefined) problems.push(`${variable.name}: expected ${variable.expected}.`);
    return value;
  };
  const V = VARIABLES;
  const dataFolder = read(V.HOLDFAST_DATA) ?? '';
  const config = {
    port: read(V.PORT),
    host: read(V.HOST),
    dataFolder,
    secretsFolder: read(V.HOLDFAST_SECRETS) ?? dataFolder,
    database: read(V.DATABASE_URL) ?? { kind: 'sqlite', path: resolve(dataFolder, 'holdfast.db') },
    rootKey: read(V.HOLDFAST_ROOT_KEY),
    providers: Object.fromEntries(
      providers().map((provider) => {
        const { key, baseUrl } = providerVariables(provider);
        return [provider, { key: read(key), baseUrl: read(baseUrl) }];
      }),
    ),
    contextWindows: read(V.HOLDFAST_CONTEXT_WINDOWS) ?? new Map(),
    pricesFile: read(V.HOLDFAST_PRICES),
    rehearsalFolder: read(V.HOLDFAST_REHEARSAL),
    rehearsalStrict: read(V.HOLDFAST_REHEARSAL_STRICT) === 'on',
    isolation: read(V.HOLDFAST_ISOLATION),
    searchPath: env['PATH'],
    idleMs: (read(V.HOLDFAST_IDLE_SECONDS) ?? 0) * 1000,
    backgroundMs: (read(V.HOLDFAST_BACKGROUND_SECONDS) ?? 0) * 1000,
    stopMs: (read(V.HOLDFAST_STOP_SECONDS) ?? 0) * 1000,
    slotsMax: read(V.HOLDFAST_SLOTS),
    spares: read(V.HOLDFAST_SPARES),
    logLevel: read(V.HOLDFAST_LOG),
    graphiql: (read(V.HOLDFAST_GRAPHIQL) ?? (isLoopback(read(V.HOST) ?? '') ? 'on' : 'off')) === 'on',
    origins: read(V.HOLDFAST_CORS),
  };
  if (problems.length > 0) throw new ConfigRefused(problems);
  return config as Config; // every variable with a fallback parsed, or there was a problem
}
