/** Bare node:sqlite: the same bytes into the same kind of table, in groups. `batched-insert.ts <folder>` */
import { join } from 'node:path';
import { turnIdOf, newId } from '../../../src/kernel/id.ts';
import { answerParent } from '../child.ts';
import { sampleEvent } from '../sample-events.ts';
import { seconds } from '../turns.ts';
import { BareLog, type BareRow } from './bare-log.ts';

export interface Inserts {
  readonly sessions: number;
  readonly events: number;
  /** Rows of one session that follow each other. */
  readonly eventsPerAppend: number;
  /** Rows in one commit. */
  readonly group: number;
}

const log = new BareLog(join(process.argv[2] ?? '', 'bare.db'));
const turnId = turnIdOf(newId('session'), 1);
const { type, body } = sampleEvent(0, turnId);
const text = JSON.stringify(body);
const heads = new Map<number, number>();

const commands = {
  /** `group` rows in each commit; answers how many seconds it took. */
  insert: ({ sessions, events, eventsPerAppend, group }: Inserts) =>
    seconds(async () => {
      for (let from = 0; from < events; from += group) {
        const length = Math.min(group, events - from);
        log.insert(
          Array.from({ length }, (_, at) => row(Math.floor((from + at) / eventsPerAppend) % sessions)),
        );
      }
    }),
};
export type BatchedInsertCommands = typeof commands;

answerParent(commands, () => log.close());

function row(session: number): BareRow {
  const seq = (heads.get(session) ?? 0) + 1;
  heads.set(session, seq);
  return {
    session,
    seq,
    at: Date.now(),
    type,
    level: 'user',
    turn: turnId,
    actor: '{"kind":"agent"}',
    body: text,
  };
}
