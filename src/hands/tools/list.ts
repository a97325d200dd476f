/** Shows a folder as a tree, a few levels deep and bounded in every direction. Links are shown, never followed. */
import { join } from 'node:path';
import { FileRefused } from '../faults.ts';
import { FOLDER_ENTRIES_MAX, LIST_DEPTH_MAX, LIST_ENTRIES_MAX } from '../limit.ts';
import type { FolderEntry, Sandbox } from '../sandbox.ts';
import { shownName } from '../shown-name.ts';
import { type Tool, textOf } from '../tool.ts';
import { existingPlace } from '../written-path.ts';

/** Folders that a tool made: large, and seldom what is looked for. */
const LEFT_OUT = new Set(['.git', 'node_modules', '__pycache__', '.venv']);

export const listTool: Tool = {
  name: 'list',
  description: 'List a folder, a few levels deep; links are not followed.',
  schema: {
    type: 'object',
    properties: { path: { type: 'string', description: 'The folder; /workspace if left out.' } },
    required: [],
  },
  async run(input, { sandbox, signal }) {
    const place = await existingPlace(sandbox, textOf(input, 'path') ?? '.');
    const tree = new Tree(sandbox, signal);
    if (!(await tree.show(place.path, 1))) {
      return { ok: false, output: `${place.shown} is a file, not a folder: use read.` };
    }
    const { lines } = tree;
    if (lines.length === 0) return { ok: true, output: `(${place.shown} is empty)` };
    if (tree.full)
      lines.push(`(cut after ${LIST_ENTRIES_MAX} entries: list a folder in it, or use bash find)`);
    return { ok: true, output: lines.join('\n') };
  },
};

class Tree {
  readonly lines: string[] = [];
  full = false;
  readonly #sandbox: Sandbox;
  readonly #signal: AbortSignal;

  constructor(sandbox: Sandbox, signal: AbortSignal) {
    this.#sandbox = sandbox;
    this.#signal = signal;
  }

  /** False when `path` is a file. */
  async show(path: string, depth: number): Promise<boolean> {
    const listed = await this.#sandbox.list(path, FOLDER_ENTRIES_MAX);
    if (listed === undefined) return false;
    const indent = '  '.repeat(depth - 1);
    for (const entry of listed.entries) {
      if (this.lines.length >= LIST_ENTRIES_MAX || this.#signal.aborted) {
        this.full = true;
        return true;
      }
      const deep = entry.kind === 'folder' && (depth >= LIST_DEPTH_MAX || LEFT_OUT.has(entry.name));
      this.lines.push(`${indent}${describe(entry)}${deep ? ' ...' : ''}`);
      if (entry.kind === 'folder' && !deep) await this.#showInner(join(path, entry.name), depth + 1);
    }
    if (listed.cut) this.lines.push(`${indent}(more than ${FOLDER_ENTRIES_MAX} entries in this folder)`);
    return true;
  }

  /** A folder that cannot be read, or has just gone, does not spoil the rest. */
  async #showInner(path: string, depth: number): Promise<void> {
    try {
      await this.show(path, depth);
    } catch (error) {
      if (!(error instanceof FileRefused)) throw error;
      this.lines.push(`${'  '.repeat(depth - 1)}(cannot be listed)`);
    }
  }
}

function describe(entry: FolderEntry): string {
  const name = shownName(entry.name);
  switch (entry.kind) {
    case 'folder':
      return `${name}/`;
    case 'link':
      return `${name} -> ${shownName(entry.target ?? '?')}${entry.dangles === true ? ' (leads nowhere)' : ''}`;
    case 'file':
      return `${name} (${entry.bytes} bytes)`;
    case 'other':
      return `${name} (special file)`;
  }
}
