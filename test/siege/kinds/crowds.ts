/** Commands whose weapon is the processor: crowds in sessions of their own, bombs of forks, endless loops and endless output. */
import { commandAction } from '../command-action.ts';
import type { Kind } from '../kind.ts';

const TIMEOUT_MS = 6_000;

const COMMANDS: Readonly<Record<string, string>> = {
  'a crowd of 60, each in a session of its own':
    'for i in $(seq 60); do setsid bash -c "while :; do :; done" & done; wait',
  'a crowd that is left behind':
    'for i in $(seq 60); do setsid bash -c "while :; do :; done" </dev/null >/dev/null 2>&1 & done; sleep 4',
  'a bomb of forks': 'bomb() { bomb | bomb & }; bomb; sleep 5',
  'threads that spin': `node -e 'const { Worker } = require("node:worker_threads"); for (let i = 0; i < 40; i++) new Worker("for (;;) ;", { eval: true });'`,
  'endless output': 'yes',
  'endless output of long lines': 'perl -e \'$| = 1; print "x" x 1000000 while 1\'',
  'output in single bytes': 'while :; do printf x; done',
  'programs that come and go': 'while :; do /bin/true; done',
  'asking for more of the processor':
    'renice -n -20 $$; chrt -f -p 99 $$; for i in $(seq 60); do setsid chrt -o 0 bash -c "while :; do :; done" & done; wait',
  'many files opened and closed': 'perl -e \'while (1) { open my $f, ">", "/tmp/x"; close $f }\'',
};

const ACTIONS = Object.fromEntries(Object.entries(COMMANDS).map(([name, command]) => [name, () => command]));

export const crowds: Kind = {
  name: 'crowds',
  attacks: 'sixty processes with setsid, fork bombs, endless loops, endless output',
  atOnce: 1,
  few: 1,
  takesCpu: true,
  action: (dice, ground) => commandAction({ dice, ground, timeoutMs: TIMEOUT_MS }, ACTIONS),
};
