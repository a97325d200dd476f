import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  adviceFor,
  chooseIsolation,
  IsolationImpossible,
  probeIsolation,
} from '../../../src/platform/local/isolation/isolation.ts';
import { launchMark } from '../../../src/platform/local/isolation/orphans.ts';

const MARK = launchMark('test');

it('is possible on a machine that runs these tests', async () => {
  expect(await probeIsolation(MARK, process.env['PATH'])).toMatchObject({ kind: 'possible' });
});

it('is refused without bubblewrap, with what to install and how to go on without', async () => {
  const refusal = chooseIsolation('bubblewrap', MARK, '/nonexistent');

  await expect(refusal).rejects.toThrow(IsolationImpossible);
  await expect(refusal).rejects.toThrow(/apt-get install bubblewrap.*HOLDFAST_ISOLATION=none/);
});

it('is refused when the trial fails, with what it said', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bwrap-'));
  chmodSync(folder, 0o755);
  writeFileSync(
    join(folder, 'bwrap'),
    '#!/bin/sh\necho "bwrap: No permissions to create new namespace" >&2; exit 1\n',
    { mode: 0o755 },
  );

  await expect(chooseIsolation('bubblewrap', MARK, folder)).rejects.toThrow(
    /No permissions to create new namespace.*allow/,
  );
  rmSync(folder, { recursive: true });
});

it('is not looked for when it is not wanted', async () => {
  expect(await chooseIsolation('none', MARK, '/nonexistent')).toEqual({ kind: 'none', mark: MARK });
});

it.each([
  ['kernel/unprivileged_userns_clone', '0', 'sysctl -w kernel.unprivileged_userns_clone=1'],
  ['user/max_user_namespaces', '0', 'sysctl -w user.max_user_namespaces=15000'],
  ['kernel/apparmor_restrict_unprivileged_userns', '1', 'kernel.apparmor_restrict_unprivileged_userns=0'],
])('names the switch %s when it is %s', (path, value, advice) => {
  expect(
    adviceFor('bwrap: setting up uid map: Permission denied', (asked) =>
      asked === path ? value : undefined,
    ),
  ).toContain(advice);
});

it.each([
  ['unshare: unshare failed: Operation not permitted', '--cap-add SYS_ADMIN'],
  ['bwrap: execvp prlimit: No such file or directory', 'install prlimit'],
  ['sh: 5: mount: not found', 'install mount'],
  ['spawn unshare ENOENT', 'install unshare'],
  ['not: the program can be read', 'chmod -R a+rX'],
  ['something else', 'bwrap --unshare-all --ro-bind / / true'],
])('has advice for: %s', (stderr, advice) => {
  expect(adviceFor(stderr, () => undefined)).toContain(advice);
});
