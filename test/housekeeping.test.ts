/** What is easily forgotten when a package is added or a test is narrowed down, and then breaks on somebody else's machine. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '..');
/** Not ours, or not in the repository (.gitignore). */
const SKIPPED = new Set(['node_modules', '.git', '.holdfast', '.cache', 'coverage', 'dist']);
const TEXT = /\.(ts|mjs|json|md|graphql|sql|html|sh|npmrc|gitignore)$|\/run$/;
/** A folder of one machine, or the host of one package registry. */
const MACHINE = /(?<![\w.])\/(work|root)\/|https?:\/\/registry/;
const NARROWED = /\b(it|test|describe|suite)(\.\w+)*\.(only|skip|todo)\b/;

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const texts = filesUnder('').filter((name) => TEXT.test(`/${name}`));
// The shape of a lockfile, version 3.
const lockfile = JSON.parse(read('package-lock.json')) as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const locked = Object.entries(lockfile.packages).filter(([name]) => name !== '');

describe('the lockfile', () => {
  it('names no registry, so that everyone installs from their own', () => {
    expect(locked.length).toBeGreaterThan(100);
    expect(locked.filter(([, entry]) => entry.resolved !== undefined).map(([name]) => name)).toEqual([]);
  });

  it('proves every package by its hash', () => {
    expect(locked.filter(([, entry]) => entry.integrity === undefined).map(([name]) => name)).toEqual([]);
  });

  it('runs nothing while it installs', () => {
    expect(locked.filter(([, entry]) => entry.hasInstallScript === true).map(([name]) => name)).toEqual([]);
  });

  it('knows every optional package that is asked for, or npm ci would refuse it', () => {
    const missing = locked.flatMap(([name, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter((wanted) => !isLocked(name, wanted)),
    );

    expect(missing).toEqual([]);
  });

  it('is of exact versions: package.json has no ranges', () => {
    // The three groups of a package.json that are installed.
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
      read('package.json'),
    ) as Record<string, Record<string, string>>;
    const versions = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies });

    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});

describe('the repository', () => {
  it('runs all of its tests: none is narrowed down or left for later', () => {
    const tests = texts.filter((name) => name.startsWith('test/') && name.endsWith('.ts'));

    expect(tests.length).toBeGreaterThan(0);
    expect(linesWith(tests, NARROWED)).toEqual([]);
  });

  it('names no folder of one machine and no package registry', () => {
    expect(texts).toContain('.ci/run');
    expect(linesWith(texts, MACHINE)).toEqual([]);
  });

  it('has a page in docs/adr for every number, and no number twice', () => {
    const numbers = readdirSync(path.join(ROOT, 'docs/adr')).map((name) =>
      Number(/^(\d{4})-[\w-]+\.md$/.exec(name)?.[1]),
    );

    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });

  it('explains every dependency in docs/adr/0002-dependencies.md', () => {
    const page = read('docs/adr/0002-dependencies.md');
    const wanted = Object.keys({ ...lockfile.packages['']?.optionalDependencies, ...rootDependencies() });

    expect(wanted.length).toBeGreaterThan(10);
    expect(wanted.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});

function rootDependencies(): Record<string, string> {
  // The two groups of a package.json that every machine installs.
  const root = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
  return { ...root['dependencies'], ...root['devDependencies'] };
}

/** Where Node would look: beside the package that asks, then in each folder above it. */
function isLocked(asker: string, wanted: string): boolean {
  const parts = asker.split('/node_modules/');
  return [...parts.keys(), parts.length].some((depth) => {
    const above = parts.slice(0, depth).join('/node_modules/');
    return `${above === '' ? '' : `${above}/`}node_modules/${wanted}` in lockfile.packages;
  });
}

function linesWith(names: readonly string[], pattern: RegExp): string[] {
  return names.flatMap((name) =>
    read(name)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${name}:${index + 1}: ${line.trim()}`] : [])),
  );
}

function filesUnder(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name);
    if (SKIPPED.has(entry.name)) return [];
    return entry.isDirectory() ? filesUnder(name) : [name];
  });
}

function read(name: string): string {
  return readFileSync(path.join(ROOT, name), 'utf8');
}
