/**
 * Whether programs can be isolated on this machine, found out by doing it once, and what to do where they cannot.
 * Holdfast refuses to start units without isolation unless it was told so in words (HOLDFAST_ISOLATION=none).
 */
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { systemClock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import { Child } from '../launcher/child.ts';
import { APP, type Bubblewrap, type Jail, NODE, startInJail } from './jail.ts';
import { APP_FOLDER, entryOf, NODE_BINARY, SEARCH_PATH, SOURCE } from '../launcher/launch.ts';
import { findControlGroups } from './control-groups.ts';
import { HANDS_OOM_SCORE } from './oom-score.ts';
import { seccompFilter } from './seccomp.ts';
import { BRAIN_UID } from './user-slots.ts';

export type Isolation = Bubblewrap | { readonly kind: 'none'; readonly mark: string };

/** Programs cannot be isolated here; the message says what to do. */
export class IsolationImpossible extends Fault {
  readonly code = 'ISOLATION_IMPOSSIBLE';
}

export type Probed =
  | { readonly kind: 'possible'; readonly bubblewrap: Bubblewrap }
  | { readonly kind: 'impossible'; readonly reason: string; readonly advice: string };

/** Whatever hangs in the probe would hang every unit. */
const PROBE_MS_MAX = 10_000;
const OTHERWISE =
  'or set HOLDFAST_ISOLATION=none where something else contains Holdfast (every command then runs in the open)';

/** Runs everything that a unit's start runs, and looks whether the user inside can read the program. */
const READABLE = 'the program can be read';
const TRIAL: Jail = {
  binds: [
    { source: NODE_BINARY, target: NODE },
    { source: SOURCE, target: `${APP}/src` },
  ],
  env: {},
  cwd: '/',
  limits: ['--core=0'],
  tmpBytesMax: 4096,
  oomScore: HANDS_OOM_SCORE,
  entrances: [],
  memoryIsCharged: false,
  argv: [
    'sh',
    '-c',
    `test -x ${NODE} && test -r ${entryOf('hands', `${APP}/src`)} || { echo 'not: ${READABLE}' >&2; exit 1; }`,
  ],
  uid: BRAIN_UID,
};

/** Throws IsolationImpossible. `searchPath` is where bwrap is looked for, as PATH is written; `mark` is launchMark's. */
export async function chooseIsolation(
  wanted: 'bubblewrap' | 'none',
  mark: string,
  searchPath?: string,
): Promise<Isolation> {
  if (wanted === 'none') return { kind: 'none', mark };
  const probed = await probeIsolation(mark, searchPath);
  if (probed.kind === 'possible') return probed.bubblewrap;
  throw new IsolationImpossible(
    `the hands of an agent cannot be isolated on this machine (${probed.reason}): ${probed.advice}, ${OTHERWISE}.`,
  );
}

export async function probeIsolation(mark: string, searchPath: string = SEARCH_PATH): Promise<Probed> {
  const program = find('bwrap', searchPath);
  if (program === undefined) {
    return {
      kind: 'impossible',
      reason: 'there is no bwrap',
      advice: 'install bubblewrap (apt-get install bubblewrap)',
    };
  }
  const groups = await findControlGroups(mark, systemClock);
  const bubblewrap: Bubblewrap = {
    kind: 'bubblewrap',
    program,
    seccomp: {
      charged: seccompFilter({ memoryIsCharged: true }),
      uncharged: seccompFilter({ memoryIsCharged: false }),
    },
    groups: groups.kind === 'found' ? groups.groups : undefined,
    groupsMissing: groups.missing,
    asRoot: process.getuid?.() === 0,
    mark,
  };
  const child = new Child(startInJail(bubblewrap, TRIAL));
  child.endInput();
  const watchdog = setTimeout(() => child.kill(`the trial took more than ${PROBE_MS_MAX} ms`), PROBE_MS_MAX);
  const { code, signal, stderr } = await child.ended;
  clearTimeout(watchdog);
  if (code === 0) return { kind: 'possible', bubblewrap };
  const reason = stderr.trim().split('\n').at(-1) || `bwrap ended with ${code ?? signal}`;
  return { kind: 'impossible', reason, advice: adviceFor(stderr, readSwitch) };
}

/** What to do about what the trial said. `switchOf` reads a file of /proc/sys; undefined where there is none. */
export function adviceFor(stderr: string, switchOf: (path: string) => string | undefined): string {
  if (stderr.includes(READABLE)) {
    return `let everybody read it (chmod -R a+rX ${APP_FOLDER} ${NODE_BINARY}): as root, units run as users of their own`;
  }
  const missing = /(prlimit|setpriv|unshare|mount)\b.*(?:No such file|not found|ENOENT)/.exec(stderr)?.[1];
  if (missing !== undefined) return `install ${missing} (apt-get install util-linux mount)`;
  if (/ENOENT/.test(stderr) && /unshare/.test(stderr)) return 'install unshare (apt-get install util-linux)';
  if (switchOf('kernel/unprivileged_userns_clone') === '0') {
    return 'allow user namespaces (sysctl -w kernel.unprivileged_userns_clone=1)';
  }
  if (switchOf('user/max_user_namespaces') === '0') {
    return 'allow user namespaces (sysctl -w user.max_user_namespaces=15000)';
  }
  if (switchOf('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return 'allow user namespaces (sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for bwrap)';
  }
  if (/unshare failed|mount:|Operation not permitted|Permission denied|No permissions/.test(stderr)) {
    return 'allow namespaces where Holdfast runs (a container: --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined)';
  }
  return 'make this command work (bwrap --unshare-all --ro-bind / / true)';
}

function find(program: string, searchPath: string): string | undefined {
  for (const folder of searchPath.split(delimiter)) {
    const path = join(folder, program);
    try {
      if (folder === '') continue;
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

function readSwitch(path: string): string | undefined {
  try {
    return readFileSync(join('/proc/sys', path), 'utf8').trim();
  } catch {
    return undefined;
  }
}
