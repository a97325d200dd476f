/**
 * Secrets in sealed files: `<folder>/<name>` holds version (1 byte), nonce (12), tag (16) and AES-256-GCM ciphertext,
 * bound to its name, so that files cannot be swapped. The key file beside it is made at the first start with mode 0600
 * and refused when anyone else may read it. Whoever has both files has the secrets: back them up apart.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assert } from '../../kernel/assert.ts';
import { Fault } from '../../kernel/fault.ts';
import { Sealed } from '../../kernel/sealed.ts';
import type { SecretStore } from '../../secrets/secret-store.ts';

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const OTHERS = 0o077;
const NAME = /^[A-Za-z0-9_-]{1,128}$/;

/** The key file can be read by others, or is not a key file. */
export class KeyFileRefused extends Fault {
  readonly code = 'KEY_FILE_REFUSED';
}

/** A sealed file that this key does not open. */
export class SecretUnreadable extends Fault {
  readonly code = 'SECRET_UNREADABLE';
}

/** Opens the folder, making the key at the first use. Throws KeyFileRefused. */
export async function openSecretFiles(folder: string, keyFile: string): Promise<SecretStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await mkdir(dirname(keyFile), { recursive: true, mode: 0o700 });
  const key = await loadKey(keyFile);
  const pathOf = (name: string): string => {
    assert(NAME.test(name), `a secret's name has only safe characters, got ${JSON.stringify(name)}`);
    return join(folder, name);
  };
  return {
    async put(name, value) {
      await writeDurably(pathOf(name), seal(key, name, value.open()));
    },
    create: (name, value) => createDurably(pathOf(name), seal(key, name, value.open())),
    async get(name) {
      const sealed = await readFile(pathOf(name)).catch(absent);
      return sealed === undefined ? undefined : unseal(key, name, sealed);
    },
    async delete(name) {
      await rm(pathOf(name), { force: true });
    },
  };
}

async function loadKey(keyFile: string): Promise<Buffer> {
  const found = await stat(keyFile).catch(absent);
  if (found === undefined) {
    await createDurably(keyFile, randomBytes(KEY_BYTES)); // another server may be first
    return loadKey(keyFile);
  }
  if ((found.mode & OTHERS) !== 0) {
    throw new KeyFileRefused(`${keyFile} can be read by others; type: chmod 600 ${keyFile}`);
  }
  const key = await readFile(keyFile);
  if (key.length !== KEY_BYTES) {
    throw new KeyFileRefused(
      `${keyFile} is not a key of ${KEY_BYTES} bytes; put back the one this folder was made with.`,
    );
  }
  return key;
}

function seal(key: Buffer, name: string, value: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(name));
  const body = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.from([VERSION]), nonce, cipher.getAuthTag(), body]);
}

function unseal(key: Buffer, name: string, sealed: Buffer): Sealed {
  const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
  const tag = sealed.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES);
  const body = sealed.subarray(1 + NONCE_BYTES + TAG_BYTES);
  try {
    assert(sealed[0] === VERSION, 'a sealed file has the version that was written');
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(name)).setAuthTag(tag);
    return new Sealed(Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8'));
  } catch (cause) {
    throw new SecretUnreadable(
      `The secret ${name} cannot be opened with this key file: put back the key file it was sealed with, or store the secret again.`,
      { cause },
    );
  }
}

/** Whole or not at all: temporary file, fsync, rename, fsync of the folder. */
async function writeDurably(path: string, bytes: Buffer): Promise<void> {
  await rename(await temporaryFile(path, bytes), path);
  await syncFolder(path);
}

/** The same, but false when there is one already. */
async function createDurably(path: string, bytes: Buffer): Promise<boolean> {
  const temporary = await temporaryFile(path, bytes);
  try {
    await link(temporary, path);
    await syncFolder(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function temporaryFile(path: string, bytes: Buffer): Promise<string> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  return temporary;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
