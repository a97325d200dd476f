/** What the commands of one session do to the processor leaves the turns of another theirs, and where that is kept: control groups (CGROUP-4). */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  controlGroupTrees,
  isOfTheMachine,
} from '../../src/platform/local/isolation/control-group-folders.ts';
import { eventually } from '../support/eventually.ts';
import { descendants } from '../support/processes.ts';
import { World } from '../support/world.ts';

/** Where the server makes a group for itself; in a service or a container it has one, and brains and hands are beside it there. */
const machine = controlGroupTrees().find(({ controllers }) => controllers.includes('cpu'));
const makesItsOwn = process.getuid?.() === 0 && machine?.version === 1 && isOfTheMachine(machine);

const TURNS = 12;

let world: World;
beforeAll(async () => {
  world = await World.open({ HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts` });
  await world.createAgent({ name: 'crowd', model: 'rehearsal/crowd' });
  await world.createAgent({ name: 'polite', model: 'rehearsal/echo' });
});
afterAll(() => world.close());

const workspace = (sessionId: string): string => join(world.folder, 'data', 'workspaces', sessionId, 'files');

async function beginCrowd(): Promise<string> {
  const sessionId = await world.startSession({ agent: 'crowd', input: 'Begin.' });
  await eventually('the crowd runs', () => existsSync(join(workspace(sessionId), 'busy')));
  return sessionId;
}

async function endCrowd(sessionId: string): Promise<void> {
  writeFileSync(join(workspace(sessionId), 'enough'), '');
  await world.sees(sessionId, 'turn.completed');
}

/** The launched process waits for the unit, outside; bubblewrap, below it, is in the unit's groups. */
function unitOf(pid = 0): number | undefined {
  return descendants(pid)[0];
}

function groupOf(pid: number | undefined): string {
  const line = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .split('\n')
    .find((one) => one.split(':')[1]?.split(',').includes('cpu'));
  return join(machine?.top ?? '', line?.split(':')[2] ?? '');
}

/** Of all that runs below this process and is still there when it is looked at. */
function groupsBelow(pid: number | undefined): ReadonlySet<string> {
  return new Set(
    descendants(pid ?? 0).flatMap((one) => {
      try {
        return [groupOf(one)];
      } catch {
        return []; // it has ended meanwhile: the crowd comes and goes
      }
    }),
  );
}

it.runIf(makesItsOwn)(
  'turns of others go on beside a crowd of commands, which is in the groups that come last',
  async () => {
    const polite = await world.startSession({ agent: 'polite', input: 'Hello.' });
    await world.sees(polite, 'turn.completed');

    const crowd = await beginCrowd();
    const hands = groupOf(unitOf(world.handsPid(crowd)));
    for (let turn = 1; turn <= TURNS; turn += 1) {
      await world.send(polite, 'And now?');
      await world.sees(polite, 'turn.completed', 1 + turn);
    }

    // It has not ended meanwhile, and none of it has got out of its group.
    expect((await world.events(crowd)).filter(({ type }) => type === 'turn.completed')).toEqual([]);
    await eventually('all of it is seen in its group, without one that is just ending', () => {
      const groups = groupsBelow(unitOf(world.handsPid(crowd)));
      return groups.size === 1 && groups.has(hands);
    });
    await endCrowd(crowd);
  },
);

it.runIf(makesItsOwn)(
  'server, brains and hands are in groups of their own, hands come last, and the groups go with the server (proves CGROUP-4)',
  async () => {
    const crowd = await beginCrowd();
    const server = groupOf(world.serverPid);
    const brains = groupOf(unitOf(world.brainPid(crowd)));
    const hands = join(groupOf(unitOf(world.handsPid(crowd))), '..');
    const all = join(server, '..');
    const number = (folder: string, name: string): number => Number(readFileSync(join(folder, name), 'utf8'));

    expect(all).not.toBe(machine?.own);
    expect([join(brains, '..'), join(hands, '..')]).toEqual([all, all]);
    expect(new Set([server, brains, hands]).size).toBe(3);
    expect(number(all, 'cpu.shares')).toBeGreaterThan(number(machine?.own ?? '', 'cpu.shares'));
    expect(number(brains, 'cpu.shares')).toBeLessThan(number(server, 'cpu.shares'));
    if (existsSync(join(hands, 'cpu.idle'))) expect(number(hands, 'cpu.idle')).toBe(1);
    else expect(number(hands, 'cpu.shares')).toBeLessThan(number(brains, 'cpu.shares'));

    await world.crash();
    await world.start();
    await eventually('what the dead server had is gone', () => !existsSync(all));
    const next = join(groupOf(world.serverPid), '..');
    await endCrowd(crowd).catch(() => undefined);
    await world.stop();
    expect(existsSync(next)).toBe(false);
  },
);
