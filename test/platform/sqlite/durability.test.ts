/** JOURNAL-2 for real: a process is killed in the middle of its appends, and what it was told to be durable is there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { SessionId } from '../../../src/kernel/id.ts';
import { openSqlite } from '../../../src/platform/sqlite/store.ts';
import { eventually } from '../../support/eventually.ts';
import { nothing } from '../../support/session-log.ts';
import { ShiftedClock } from '../../support/shifted-clock.ts';

const CHILD = join(import.meta.dirname, '../../support/append-until-killed.ts');
const ACKNOWLEDGED_MIN = 300;

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** `chars`: of each event. Large ones fill the log, which is copied home while it is killed (WAL-1). */
it.each([
  { chars: 0, acknowledgedMin: ACKNOWLEDGED_MIN },
  { chars: 30_000, acknowledgedMin: 2 * ACKNOWLEDGED_MIN },
])(
  'keeps every acknowledged event of a server that was killed by SIGKILL, and opens at once (SQLITE-1): $chars',
  async ({ chars, acknowledgedMin }) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-killed-'));
    folders.push(folder);
    const path = join(folder, 'test.db');
    const child = spawn(process.execPath, [CHILD, path, String(chars)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'close');
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });

    await eventually('many appends', () => said.split('\n').length > acknowledgedMin);
    child.kill('SIGKILL');
    await exited;

    const acknowledged = said
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' '));
    const { journal, sessions, close } = openSqlite({ path });
    try {
      const ids = new Set(acknowledged.map(([id]) => id as SessionId)); // the child printed it
      expect(ids.size).toBe(5);
      const texts = new Map<string, readonly string[]>();
      for (const id of ids) {
        const all: string[] = [];
        for (;;) {
          const page = await journal.read(id, { after: all.length, limit: 100 });
          if (page.length === 0) break;
          expect(page[0]?.seq).toBe(all.length + 1);
          all.push(...page.map(({ body }) => JSON.parse(body).text.trimEnd()));
        }
        expect(all).toEqual(
          all.map((_, index) => `${Math.floor(index / 2) + 1} ${index % 2 === 0 ? 'first' : 'second'}`),
        );
        expect(all.length % 2, 'both events of an append, or none').toBe(0);
        expect(await sessions.get(id)).toMatchObject({ head: all.length });
        texts.set(id, all);
      }
      for (const [id = '', step, , lastSeq] of acknowledged) {
        expect(texts.get(id)?.[Number(lastSeq) - 1]).toBe(`${step} second`);
      }
      const [id, step, firstSeq] = acknowledged.at(-1) ?? [];
      const again = await journal.append(id as SessionId, { key: `step/${step}`, decide: nothing }); // the child printed it
      expect(again).toMatchObject({ replayed: true, firstSeq: Number(firstSeq) });
    } finally {
      close();
    }
  },
);

it('has a message of the queue in its file when send answers, and when redrive does (QUEUE-1)', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-crashed-'));
  folders.push(folder);
  const clock = new ShiftedClock();
  const { queue, close } = openSqlite({ path: join(folder, 'test.db'), clock, receiveCountMax: 1 });
  /** What the next server finds if this one ends now, without another word. */
  const foundNow = async () => {
    for (const end of ['', '-wal'])
      copyFileSync(join(folder, `test.db${end}`), join(folder, `copy.db${end}`));
    const copy = openSqlite({ path: join(folder, 'copy.db'), clock });
    const counts = await copy.queue.counts();
    copy.close();
    return counts;
  };

  await queue.send({ id: 'a', group: 'g', body: 'text' });
  expect(await foundNow()).toEqual({ waiting: 1, inFlight: 0, dead: 0 });
  await queue.receive({ max: 1, visibilityMs: 1_000 });
  clock.pass(1_000);
  await queue.receive({ max: 1, visibilityMs: 1_000 });
  expect(await foundNow()).toEqual({ waiting: 0, inFlight: 0, dead: 1 });
  await queue.redrive(['a']);
  expect(await foundNow()).toEqual({ waiting: 1, inFlight: 0, dead: 0 });
  close();
});
