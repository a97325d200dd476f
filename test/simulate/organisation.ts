/** Whose the simulated sessions are. The same in every run, so that a seed plays the same history. */
import { derivedId, type Organisation } from '../../src/kernel/id.ts';

export const ORGANISATION: Organisation = { id: derivedId('organisation', 'simulated'), isFirst: true };
