/** Whose things are in tests that need one organisation. */
import { newId, type Organisation } from '../../src/kernel/id.ts';

export const OURS: Organisation = { id: newId('organisation'), isFirst: true };
