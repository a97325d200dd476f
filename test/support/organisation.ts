/** Whose things are in tests that need one organisation. */
import { newId, type Organisation } from '../../src/kernel/id.ts';

export const OURS: Organisation = { id: newId('organisation'), isFirst: true };

/** For tokens of theirs. */
export const OWNED = { organisationId: OURS.id } as const;
