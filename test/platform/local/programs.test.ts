/** What agents work with runs inside, under the filter of system calls and the limits: what is not on this machine is left out. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Hands } from '../../../src/supervisor/launcher.ts';
import { Bench } from '../../support/hands.ts';

/** A compiler on a machine that does much else at the same time. */
const TIMEOUT_MS = 120_000;
const ABSENT = 'there is no such program';

let bench: Bench;
let hands: Hands;
beforeAll(async () => {
  bench = await Bench.open();
  hands = await bench.hands();
});
afterAll(() => bench.close());

const C =
  '#include <pthread.h>\n#include <stdio.h>\nvoid *f(void *p) { puts("works"); return 0; }\nint main() { pthread_t t; pthread_create(&t, 0, f, 0); return pthread_join(t, 0); }';
const GO =
  'package main\nimport ("fmt"; "os/exec")\nfunc main() { c := make(chan string); go func() { out, _ := exec.Command("echo", "works").Output(); c <- string(out) }(); fmt.Print(<-c) }';
const RUST = 'fn main() { std::thread::spawn(|| println!("works")).join().unwrap() }';
const NODE = `const { Worker } = require('worker_threads'); const { execFileSync } = require('child_process');
const server = require('http').createServer((_, res) => res.end(execFileSync('echo', ['works']))).listen(0, '127.0.0.1', async () => {
  const text = await (await fetch('http://127.0.0.1:' + server.address().port)).text();
  new Worker('', { eval: true }).once('exit', () => { process.stdout.write(text); server.close(); server.closeAllConnections(); });
});`;
const PYTHON = `import asyncio, concurrent.futures as f, subprocess, sqlite3, tempfile, threading
async def main(): return await asyncio.to_thread(subprocess.check_output, ["echo", "works"])
if __name__ == "__main__":
    with f.ProcessPoolExecutor(2) as pool: list(pool.map(abs, range(8)))
    with tempfile.NamedTemporaryFile() as db: sqlite3.connect(db.name).execute("create table t (x)")
    print(asyncio.run(main()).decode(), end="")`;

it.each([
  ['node', `node program.js`, { 'program.js': NODE }],
  ['python3', 'python3 program.py', { 'program.py': PYTHON }],
  [
    'git',
    'rm -rf repo && git init -q repo && cd repo && echo works > file && git add . && git -c user.name=a -c user.email=a@b commit -qm first && git gc -q && git show HEAD:file',
    {},
  ],
  ['gcc', 'gcc -O2 -pthread program.c -o program && ./program', { 'program.c': C }],
  ['go', 'HOME=/workspace GOCACHE=/workspace/.cache GO111MODULE=off go run program.go', { 'program.go': GO }],
  ['rustc', 'rustc program.rs -o program && ./program', { 'program.rs': RUST }],
  [
    'npm',
    'mkdir -p package && cd package && npm init -y > /dev/null && npm pack --silent > /dev/null && echo works',
    {},
  ],
  ['tar', 'echo works > file && tar -czf file.tgz file && rm file && tar -xzf file.tgz && cat file', {}],
  ['perl', 'perl -e \'if (my $pid = fork) { waitpid $pid, 0; print "works\\n" }\'', {}],
])(
  '%s works',
  async (program, command, files: Readonly<Record<string, string>>) => {
    for (const [path, content] of Object.entries(files)) await bench.tool(hands, 'write', { path, content });
    const { output } = await bench.bash(
      hands,
      `export PATH=$PATH:/usr/local/go/bin; command -v ${program} > /dev/null || { echo '${ABSENT}'; exit; }; ${command}`,
      TIMEOUT_MS,
    );

    expect(['works\n', `${ABSENT}\n`]).toContain(output);
  },
  TIMEOUT_MS,
);
