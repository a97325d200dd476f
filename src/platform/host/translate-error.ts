/** File system errors as sentences for the model; what has no sentence here is a defect and flies on. */
import { FileRefused } from '../../hands/faults.ts';

const SENTENCES: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist: look with list.',
  ENOTDIR: 'goes through a file as if it were a folder.',
  EISDIR: 'is a folder: use list.',
  EACCES: 'may not be used: permission denied.',
  EPERM: 'may not be used: operation not permitted.',
  EROFS: 'is read-only: only /workspace and /tmp can be written.',
  ENOSPC: 'does not fit: the disk is full.',
  EDQUOT: 'does not fit: the disk quota is used up.',
  EFBIG: 'would be too large.',
  ELOOP: 'is or goes through a link that leads in a circle: remove that link first.',
  ENAMETOOLONG: 'has a name that is too long.',
  ENXIO: 'is a special file, not a text.',
  EMFILE: 'cannot be opened: too many files are open.',
  ETXTBSY: 'is a program that runs now: end it first, or write another file and move it there.',
  EBUSY: 'is in use.',
  EEXIST: 'is in the way: there is a file where a folder is needed.',
  EINVAL: 'has a name that the file system does not take.',
};

/** What is different to say of a file that was to be written. */
const SENTENCES_OF_WRITE: Readonly<Record<string, string>> = {
  EISDIR: 'is a folder: give the path of a file, for example one in it.',
  EACCES: 'may not be written: permission denied. Files can be written in /workspace and /tmp.',
  EPERM: 'may not be written: operation not permitted. Files can be written in /workspace and /tmp.',
  ENOENT: 'cannot be made: something on its way does not exist.',
};

/** For `catch`: throws FileRefused naming `path`, or the error itself. */
export function refuse(path: string, error: unknown, purpose: 'read' | 'write' = 'read'): never {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const sentence = (purpose === 'write' ? SENTENCES_OF_WRITE[code] : undefined) ?? SENTENCES[code];
  if (sentence === undefined) throw error;
  throw new FileRefused(`${path} ${sentence}`, { cause: error });
}
