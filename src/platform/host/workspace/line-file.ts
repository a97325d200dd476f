/** A new file that is written line by line, and has its name for others only once it is moved there. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';

/** Lines are written together once they are this much. */
const KEPT_CHARS_MAX = 64 * 1024;

export class LineFile {
  readonly path: string;
  readonly #file: FileHandle;
  #kept = '';

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  static async make(path: string): Promise<LineFile> {
    await rm(path, { force: true }); // of a save that was cut
    return new LineFile(path, await open(path, 'wx', 0o600));
  }

  async add(line: string): Promise<void> {
    this.#kept += `${line}\n`;
    if (this.#kept.length >= KEPT_CHARS_MAX) await this.flush();
  }

  async flush(): Promise<void> {
    const text = this.#kept;
    this.#kept = '';
    await this.#file.appendFile(text);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async moveTo(path: string): Promise<void> {
    await rename(this.path, path);
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}
