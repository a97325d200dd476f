/** A server is killed with SIGKILL in the middle of changes: none that was answered is without its entry, and none that was made. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { openSqlite } from '../../src/platform/sqlite/store.ts';
import { eventually } from '../support/eventually.ts';

const CHILD = join(import.meta.dirname, '../support/change-until-killed.ts');
const ANSWERED_MIN = 200;
const ALL = { limit: 1_000_000 };

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

it('proves AUDIT-1 and AUDIT-2: has an entry for every change, wherever the server was killed', async () => {
  for (const more of [0, 7, 31]) {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-audited-'));
    folders.push(folder);
    const child = spawn(process.execPath, [CHILD, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'close');
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await eventually('many changes', () => said.split('\n').length > ANSWERED_MIN + more);
    child.kill('SIGKILL');
    await exited;
    const answered = said.split('\n').slice(0, -1);

    const { audit, agents, journal, organisations, sessions, close } = openSqlite({
      path: join(folder, 'test.db'),
    });
    try {
      const { first } = organisations;
      const entries = await audit.list(first, ALL);
      const done = entries.filter(({ outcome }) => outcome === 'done');
      const told = done.map(({ action, target }) => `${action} ${target?.id}`);
      expect(new Set(told).size).toBe(told.length);
      expect(answered.filter((line) => !told.includes(line))).toEqual([]);

      const begun = entries.filter(({ outcome }) => outcome === 'begun');
      expect(begun.length).toBeLessThanOrEqual(4); // one for each client
      const unanswered = (action: string): number => begun.filter((entry) => entry.action === action).length;
      const made = (await agents.list(first, ALL)).filter(({ id }) => !told.includes(`createAgent ${id}`));
      expect(made.length).toBeLessThanOrEqual(unanswered('createAgent'));
      for (const { session } of await sessions.list(first, {}, ALL)) {
        const events = await journal.read(session.id, { after: 0, limit: 100 });
        const own = done.filter(({ target }) => target?.id === session.id);
        const audited = own.map(({ after }) => Number(after?.['lastSeq']));
        expect(Math.max(...audited)).toBe(events.length); // each event here is somebody's command
      }
    } finally {
      close();
    }
  }
}, 120_000);
