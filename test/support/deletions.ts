/** For tests in which nobody deletes anything: nothing is ever pending. */
import type { DeletionStore } from '../../src/sessions/deletion-store.ts';

export const NO_DELETIONS: DeletionStore = {
  lateMs: 0,
  begin: async () => undefined,
  tombstone: async () => undefined,
  pending: async () => [],
  erase: async (ids) => ids,
  finish: async () => undefined,
  overwrite: async () => true,
};
