/**
 * The floor plan, and the test that keeps it. The two tables are the law: who may import which folder, and where a
 * third party may live at all. ARCHITECTURE.md prints the first one; a change to either is a change to both.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** Folder, and the folders that it may import besides itself. */
const FLOOR_PLAN: readonly (readonly [folder: string, mayImport: string])[] = [
  ['kernel', ''],
  ['audit', 'kernel'],
  ['journal', 'kernel, audit'],
  ['access', 'kernel, journal'],
  ['hands', 'kernel'],
  ['secrets', 'kernel'],
  ['sessions', 'kernel, audit, journal, secrets'],
  ['models', 'kernel, journal, secrets, sessions'],
  ['supervisor', 'kernel, audit, journal, access, secrets, sessions, hands'],
  ['brain', 'kernel, journal, sessions, hands'],
  ['rehearsal', 'kernel'],
  ['webhooks', 'kernel, journal, secrets'],
  ['platform/host', 'kernel, hands'], // runs where the hands are, on this machine or another
  ['platform/*', 'all of the above'], // never another sibling: each platform is a folder of its own
  ['api, schema', 'kernel, audit, journal, access, hands, secrets, sessions, models'], // and each other
  ['client', ''],
  ['cli', 'client, kernel'],
  ['processes', 'everything'],
];

/** Packages and guarded parts of Node, and the only folders that may import them. What is not here is allowed nowhere. */
const THIRD_PARTIES: readonly (readonly [module: RegExp, folders: readonly string[]])[] = [
  [/^mongodb$/, ['platform/mongo']],
  [/^@aws-sdk\//, ['platform/aws']],
  [/^@anthropic-ai\/sdk$/, ['platform/anthropic']],
  [/^ajv$/, ['platform/ajv']],
  [/^(graphql|graphql-yoga|ws)$/, ['schema', 'api/graphql']],
  [/^(@pothos|@graphql-yoga)\//, ['schema', 'api/graphql']],
  [/^graphql-ws$/, ['schema', 'api/graphql', 'client']],
  [/^@graphql-typed-document-node\/core$/, ['client']],
  [/^node:sqlite$/, ['platform/sqlite']],
  [/^node:child_process$/, ['platform/local', 'platform/host', 'cli', 'processes']],
];

/** `processes/hands.ts` runs beside what an agent runs: it cannot leak what it does not hold. */
const HANDS_REACH = ['hands', 'kernel', 'platform/host'];
/** Names that say nothing; where one seems to fit, the file holds two things. */
const EMPTY_WORDS = new Set(
  'utils util helpers helper common shared misc base impl manager handler types constants index'.split(' '),
);
const LINES_MAX = 300;

const ROOT = path.resolve(import.meta.dirname, '..');
const GENERATED = 'src/client/generated/';

interface SourceFile {
  readonly name: string;
  readonly folder: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  /** What is imported, `import type` included: paths from the root, packages and `node:` modules by name. */
  readonly imports: readonly string[];
}

const files = ['src', 'schema', 'infra'].flatMap(sourcesUnder);
const written = files.filter((file) => !file.name.startsWith(GENERATED));

describe('the floor plan', () => {
  it('is checked against the files that are there', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(files.flatMap((file) => file.imports).length).toBeGreaterThan(200);
  });

  it('lets a folder import what the table says and nothing else', () => {
    const breaches = files.flatMap((file) =>
      file.imports
        .filter((target) => isOurs(target) && !mayImport(file.folder, folderOf(target)))
        .map((target) => `${file.name} imports ${target}`),
    );

    expect(breaches).toEqual([]);
  });

  it('keeps third parties where the table says', () => {
    const breaches = files.flatMap((file) =>
      file.imports
        .filter((target) => !isOurs(target) && !mayUse(file.name, target))
        .map((target) => `${file.name} imports ${target}`),
    );

    expect(breaches).toEqual([]);
  });

  it('gives the hands nothing but kernel, hands and platform/host', () => {
    const reached = reachedFrom('src/processes/hands.ts');
    const folders = new Set([...reached].filter(isOurs).map(folderOf));
    const foreign = [...reached].filter((target) => !isOurs(target) && !target.startsWith('node:'));

    expect([...folders].toSorted()).toEqual([...HANDS_REACH, 'processes'].toSorted());
    expect([...reached].filter((target) => target.startsWith('src/processes/'))).toEqual([
      'src/processes/hands.ts',
    ]);
    expect(foreign).toEqual([]);
  });

  it('has no cycle between folders', () => {
    const edges = new Map<string, Set<string>>();
    for (const file of files) {
      const from = rowOf(file.folder);
      const targets = file.imports.filter(isOurs).map((target) => rowOf(folderOf(target)));
      edges.set(from, new Set([...(edges.get(from) ?? []), ...targets.filter((to) => to !== from)]));
    }

    expect(cycleIn(edges)).toBeUndefined();
  });

  it('is printed in ARCHITECTURE.md as it is here', () => {
    expect(tableOf(readFileSync(path.join(ROOT, 'ARCHITECTURE.md'), 'utf8'))).toEqual(FLOOR_PLAN);
  });
});

describe('a source file', () => {
  it('reads process.env only in processes and cli', () => {
    const readers = files
      .filter((file) => file.folder !== 'processes' && file.folder !== 'cli')
      .filter((file) => some(file.tree, readsEnvironment));

    expect(names(readers)).toEqual([]);
  });

  it(`has at most ${LINES_MAX} lines that are not blank`, () => {
    const long = written.filter(
      (file) => file.text.split('\n').filter((line) => line.trim() !== '').length > LINES_MAX,
    );

    expect(names(long)).toEqual([]);
  });

  it('has a name that says something', () => {
    const vague = written.filter((file) =>
      path
        .basename(file.name, '.ts')
        .split(/[-.]/)
        .some((word) => EMPTY_WORDS.has(word)),
    );

    expect(names(vague)).toEqual([]);
  });

  it('has no default export', () => {
    expect(names(written.filter((file) => file.tree.statements.some(isDefaultExport)))).toEqual([]);
  });

  it('is no barrel: it exports what it defines', () => {
    expect(names(written.filter((file) => file.tree.statements.some(isReexport)))).toEqual([]);
  });

  it('opens with what it is for', () => {
    expect(names(written.filter((file) => !/^(#!.*\n)?\/(\*\*|\/ )/.test(file.text)))).toEqual([]);
  });
});

function sourcesUnder(folder: string): SourceFile[] {
  if (!existsSync(path.join(ROOT, folder))) return [];
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readSource(path.posix.join(folder, name.split(path.sep).join('/'))));
}

function readSource(name: string): SourceFile {
  const text = readFileSync(path.join(ROOT, name), 'utf8');
  const tree = ts.createSourceFile(name, text, ts.ScriptTarget.ES2024, true);
  const imports = ts
    .preProcessFile(text, true, true)
    .importedFiles.map(({ fileName }) => resolved(name, fileName));
  return { name, folder: folderOf(name), text, tree, imports };
}

function resolved(importer: string, target: string): string {
  return target.startsWith('.') ? path.posix.join(path.posix.dirname(importer), target) : target;
}

function isOurs(target: string): boolean {
  return /^(src|schema|infra|test|scripts)\//.test(target) || target.startsWith('../');
}

/** The folder of the plan: `src/platform/sqlite/store.ts` is in `platform/sqlite`, `src/api/unit/door.ts` in `api`. */
function folderOf(file: string): string {
  const [top = '', part = '', inner = ''] = file.split('/');
  if (top !== 'src') return top;
  return part === 'platform' ? `platform/${inner}` : part;
}

/** A platform is a row of its own; api and schema are one. */
function rowOf(folder: string): string {
  return folder === 'schema' ? 'api' : folder;
}

function mayImport(from: string, to: string): boolean {
  if (rowOf(from) === rowOf(to)) return true;
  const row = FLOOR_PLAN.findIndex(([folder]) =>
    foldersOf(folder).includes(from.replace(/^platform\/(?!host$).*/, 'platform/*')),
  );
  const allowed = FLOOR_PLAN[row]?.[1];
  if (allowed === 'everything')
    return FLOOR_PLAN.some(([folder]) => foldersOf(folder).includes(to.replace(/\/.*/, '/*')));
  if (allowed === 'all of the above') return FLOOR_PLAN.slice(0, row).some(([folder]) => folder === to);
  return allowed !== undefined && foldersOf(allowed).includes(to);
}

function foldersOf(cell: string): string[] {
  return cell.split(', ').filter((folder) => folder !== '');
}

function mayUse(importer: string, module: string): boolean {
  const row = THIRD_PARTIES.find(([pattern]) => pattern.test(packageOf(module)) || pattern.test(module));
  if (row === undefined) return module.startsWith('node:');
  return row[1].some((folder) => importer.startsWith(`${folder}/`) || importer.startsWith(`src/${folder}/`));
}

/** `graphql-ws/use/ws` is of the package `graphql-ws`. */
function packageOf(module: string): string {
  return module
    .split('/')
    .slice(0, module.startsWith('@') ? 2 : 1)
    .join('/');
}

function reachedFrom(start: string): Set<string> {
  const reached = new Set([start]);
  for (const target of reached) {
    const file = files.find(({ name }) => name === target);
    if (isOurs(target) && file === undefined)
      throw new Error(`${target} is reached from ${start} but is not there.`);
    for (const next of file?.imports ?? []) reached.add(next);
  }
  return reached;
}

function cycleIn(edges: ReadonlyMap<string, ReadonlySet<string>>): string | undefined {
  const closed = new Set<string>();
  const walk = (folder: string, trail: readonly string[]): string | undefined => {
    if (trail.includes(folder)) return [...trail.slice(trail.indexOf(folder)), folder].join(' -> ');
    if (closed.has(folder)) return undefined;
    for (const next of edges.get(folder) ?? []) {
      const cycle = walk(next, [...trail, folder]);
      if (cycle !== undefined) return cycle;
    }
    closed.add(folder);
    return undefined;
  };
  for (const folder of edges.keys()) {
    const cycle = walk(folder, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function tableOf(markdown: string): string[][] {
  const [, table = ''] = /^\| folder \| may import \|\n\|[-|]+\|\n((?:\|.*\|\n)+)/m.exec(markdown) ?? [];
  const rows = table.trimEnd().split('\n');
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, 3)
      .map((cell) => cell.trim()),
  );
}

function some(node: ts.Node, test: (node: ts.Node) => boolean): boolean {
  return test(node) || ts.forEachChild(node, (child) => some(child, test) || undefined) === true;
}

function readsEnvironment(node: ts.Node): boolean {
  return (
    (ts.isPropertyAccessExpression(node) &&
      node.name.text === 'env' &&
      node.expression.getText() === 'process') ||
    (ts.isElementAccessExpression(node) && node.expression.getText() === 'process') ||
    (ts.isImportSpecifier(node) &&
      node.name.text === 'env' &&
      node.parent.parent.parent.getText().includes('process'))
  );
}

function isDefaultExport(node: ts.Statement): boolean {
  if (ts.isExportAssignment(node)) return true;
  return (
    ts.canHaveModifiers(node) &&
    (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)
  );
}

function isReexport(node: ts.Statement): boolean {
  return ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined;
}

function names(found: readonly SourceFile[]): string[] {
  return found.map(({ name }) => name);
}
