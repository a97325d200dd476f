/**
 * One pipe for stdout and stderr of a command, so that what it says stays in order. It is a real pipe made with mkfifo(1):
 * the socket pairs that node:child_process makes cannot be opened as /dev/stdout or /dev/stderr, which scripts do.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { close, constants, open } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const openFd = promisify(open);
const closeFd = promisify(close);
const run = promisify(execFile);

export interface OutputPipe {
  /** For the command; close it with `handOver` once the command has it. */
  readonly writeFd: number;
  readonly output: Socket;
  handOver(): Promise<void>;
}

/** `folder` is where the pipe has its name for a moment. Rejects when no process or file can be had. */
export async function openOutputPipe(folder: string): Promise<OutputPipe> {
  const path = join(folder, `.output-${randomBytes(9).toString('hex')}`);
  await run('mkfifo', ['-m', '600', path]);
  try {
    const readFd = await openFd(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writeFd = await openFd(path, constants.O_WRONLY).catch(async (error: unknown) => {
      await closeFd(readFd);
      throw error;
    });
    const output = new Socket({ fd: readFd, readable: true, writable: false });
    output.on('error', () => undefined); // ends it, as its end would
    return { writeFd, output, handOver: () => closeFd(writeFd) };
  } finally {
    await rm(path, { force: true });
  }
}
