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
  ELOOP: 'goes through too many links.',
  ENAMETOOLONG: 'has a name that is too long.',
  ENXIO: 'is a special file, not a text.',
  EMFILE: 'cannot be opened: too many files are open.',
  ETXTBSY: 'is a program that runs now.',
  EBUSY: 'is in use.',
  EEXIST: 'is in the way: there is a file where a folder is needed.',
  EINVAL: 'has a name that the file system does not take.',
};

/** For `catch`: throws FileRefused naming `path`, or the error itself. */
export function refuse(path: string, error: unknown): never {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const sentence = SENTENCES[code];
  if (sentence === undefined) throw error;
  throw new FileRefused(`${path} ${sentence}`, { cause: error });
}
