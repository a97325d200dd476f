/**
 * Makes a fresh clone ready to run; every npm script that starts something runs it first. Plain JavaScript without a
 * dependency, because it is what brings them: it runs under whatever Node (18 or newer) npm itself runs on.
 *
 * When it ends well: node_modules holds exactly the locked packages, `node` inside an npm script is Node 24 or newer,
 * and on Linux bubblewrap is there, or the one line that installs it has been printed. Whatever takes time says so
 * every other second. When there is nothing to do it prints nothing. Two runs at once wait for each other.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const MODULES = path.join(ROOT, 'node_modules');
const BIN = path.join(MODULES, '.bin');
const STAMP = path.join(MODULES, '.holdfast-stamp');
/** Outside node_modules, which `npm ci` empties. */
const LOCK = path.join(ROOT, '.cache', 'bootstrap.lock');

const NODE_MAJOR_LEAST = 24;
/** The platforms for which Node itself is a locked package (optionalDependencies of package.json). */
const NODE_PACKAGES = ['linux-x64', 'linux-arm64'];
/** Between two signs of life: a person starts to wonder after two seconds of silence. */
const HEARTBEAT_MS = 2_000;
/** The holder touches the lock at every heartbeat; untouched for so long, its holder is dead. */
const LOCK_STALE_MS = 15_000;
const LOCK_POLL_MS = 250;
/** Of the output of a command that failed, at its start and at its end: enough to see why. */
const OUTPUT_LINES_SHOWN = 12;

process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
try {
  refuseOldNode();
  if (!installed()) await locked(installPackages);
  if (process.argv[2] !== 'packages') await ensureBubblewrap();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

/** Where no Node is among the locked packages, the one that runs this must do. */
function refuseOldNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= NODE_MAJOR_LEAST || NODE_PACKAGES.includes(platform())) return;
  throw new Error(
    `Holdfast needs Node ${NODE_MAJOR_LEAST} or newer, this is ${process.version}: install it from https://nodejs.org and run the command again.`,
  );
}

/** True when node_modules is what the lockfile says. The stamp makes the answer quick, npm's own record makes it true. */
function installed() {
  const lockfile = readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8');
  const stamp = stampOf(lockfile);
  if (read(STAMP) === stamp) return true;
  const record = read(path.join(MODULES, '.package-lock.json'));
  if (record === undefined || !sameVersions(JSON.parse(lockfile).packages, JSON.parse(record).packages))
    return false;
  if (!bringsNode()) return false;
  writeFileSync(STAMP, stamp);
  return true;
}

function stampOf(lockfile) {
  return `${createHash('sha256').update(lockfile).digest('hex')} ${platform()}\n`;
}

/** npm writes its record last, so an installation that was cut short has none. Optional packages may be left out. */
function sameVersions(wanted, found) {
  const names = Object.keys(wanted).filter((name) => name !== '');
  return (
    names.every(
      (name) => found[name]?.version === wanted[name].version || (!found[name] && wanted[name].optional),
    ) && Object.keys(found).every((name) => name in wanted)
  );
}

function bringsNode() {
  return (
    !NODE_PACKAGES.includes(platform()) ||
    read(path.join(MODULES, `node-${platform()}`, 'package.json')) !== undefined
  );
}

async function installPackages() {
  if (installed()) return; // by the run that held the lock before us
  rmSync(STAMP, { force: true });
  const started = Date.now();
  const [command, ...first] = npmCommand();
  const flags = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--prefer-offline'];
  const { code, output } = await run('installing the locked packages (npm ci)', command, [
    ...first,
    ...flags,
  ]);
  if (code !== 0) {
    showOutput(output);
    throw new Error(
      'npm ci failed: mend what it says above (is the package registry reachable?) and run the command again.',
    );
  }
  refuseSilentNode();
  writeFileSync(STAMP, stampOf(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')));
  say(`packages installed in ${seconds(started)}`);
}

/** The npm that runs us, on its own Node: the Node in node_modules is about to be replaced. */
function npmCommand() {
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  if (npm?.endsWith('.js') && node !== undefined && !node.startsWith(MODULES)) return [node, npm];
  return process.platform === 'win32' ? ['npm.cmd'] : ['npm'];
}

/** The locked Node must start: its build needs glibc, and it would hide a Node of the system that works. */
function refuseSilentNode() {
  if (!NODE_PACKAGES.includes(platform())) return;
  const { status, stdout } = spawnSync(path.join(BIN, 'node'), ['--version'], { encoding: 'utf8' });
  if (status === 0 && Number(/^v(\d+)\./.exec(stdout)?.[1]) >= NODE_MAJOR_LEAST) return;
  throw new Error(
    `The Node that came as the package node-${platform()} does not start here: Holdfast needs a Linux with glibc 2.28 or newer (Debian 10, Ubuntu 20.04 or newer).`,
  );
}

/** Hands run in bubblewrap. Without it we go on: only what starts hands needs it, and says so itself. */
async function ensureBubblewrap() {
  if (process.platform !== 'linux' || process.env.HOLDFAST_ISOLATION === 'none' || onPath('bwrap')) return;
  const apt = onPath('apt-get');
  if (apt && process.getuid?.() === 0) await locked(installBubblewrap);
  if (onPath('bwrap')) return;
  const how = apt
    ? 'type: sudo apt-get install bubblewrap'
    : "install the package bubblewrap with your system's package manager";
  say(`bubblewrap, which isolates what agents run, is missing; ${how}`);
}

async function installBubblewrap() {
  if (onPath('bwrap')) return;
  const started = Date.now();
  const steps = [
    ['update', '-q'],
    ['install', '-q', '-y', '--no-install-recommends', 'bubblewrap'],
  ];
  for (const step of steps) {
    const { code, output } = await run(`installing bubblewrap (apt-get ${step[0]})`, 'apt-get', step, {
      DEBIAN_FRONTEND: 'noninteractive',
    });
    if (code === 0) continue;
    showOutput(output);
    if (step[0] === 'install') return; // an update that failed in part may still do
  }
  say(`bubblewrap installed in ${seconds(started)}`);
}

/** Runs `work` while holding the lock; a dead holder's lock is taken over. */
async function locked(work) {
  mkdirSync(path.dirname(LOCK), { recursive: true });
  const started = Date.now();
  const waiting = heartbeat('waiting for another start of Holdfast to finish its installation', started);
  try {
    while (!tryLock()) await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  } finally {
    clearInterval(waiting);
  }
  const touching = setInterval(() => utimesSync(LOCK, new Date(), new Date()), HEARTBEAT_MS);
  const release = () => rmSync(LOCK, { force: true });
  process.once('exit', release);
  try {
    await work();
  } finally {
    clearInterval(touching);
    process.off('exit', release);
    release();
  }
}

function tryLock() {
  try {
    writeFileSync(LOCK, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  const touched = statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs;
  if (touched !== undefined && Date.now() - touched > LOCK_STALE_MS) rmSync(LOCK, { force: true });
  return false;
}

/** Runs a command with a sign of life every other second; its output is kept for the case that it fails. */
function run(what, command, args, env = {}) {
  const started = Date.now();
  say(`${what} …`);
  const beat = heartbeat(what, started);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { ...process.env, PATH: systemPath(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    const stop = () => child.kill();
    process.once('exit', stop);
    let output = '';
    const keep = (chunk) => (output += chunk);
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => {
      clearInterval(beat);
      reject(new Error(`${command} could not be started (${error.message}).`));
    });
    child.once('close', (code) => {
      clearInterval(beat);
      process.off('exit', stop);
      resolve({ code, output });
    });
  });
}

function heartbeat(what, started) {
  return setInterval(() => say(`${what} … ${seconds(started)}`), HEARTBEAT_MS);
}

/** PATH without our own node_modules/.bin, which npm puts first. */
function systemPath() {
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => path.resolve(folder) !== BIN)
    .join(path.delimiter);
}

function onPath(command) {
  return systemPath()
    .split(path.delimiter)
    .some((folder) => {
      try {
        accessSync(path.join(folder, command), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function platform() {
  return `${process.platform}-${process.arch}`;
}

function seconds(started) {
  return `${Math.round((Date.now() - started) / 1000)} s`;
}

function showOutput(output) {
  const lines = output.trimEnd().split('\n');
  const cut = lines.length > 2 * OUTPUT_LINES_SHOWN;
  const shown = cut
    ? [...lines.slice(0, OUTPUT_LINES_SHOWN), '…', ...lines.slice(-OUTPUT_LINES_SHOWN)]
    : lines;
  process.stderr.write(`${shown.join('\n')}\n`);
}

function say(sentence) {
  process.stderr.write(`holdfast: ${sentence}\n`);
}
