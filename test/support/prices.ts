/** A file of prices for the rehearsal's scripts: HOLDFAST_PRICES of the scenarios. */
import { join } from 'node:path';

export const PRICES = join(import.meta.dirname, '../fixtures/prices.json');
