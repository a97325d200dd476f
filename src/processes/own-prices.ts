/** Reads the file of HOLDFAST_PRICES at the start. */
import { readFile, stat } from 'node:fs/promises';
import { InvalidInput } from '../kernel/fault.ts';
import { PRICE_FILE_BYTES_MAX, parsePriceFile } from '../models/price-file.ts';
import { Prices } from '../models/prices.ts';
import { StartRefused } from './start-refused.ts';

/** Throws StartRefused. `file` is undefined when the deployment has none: list prices hold. */
export async function readPrices(file: string | undefined): Promise<Prices> {
  if (file === undefined) return new Prices();
  try {
    const { size } = await stat(file);
    if (size > PRICE_FILE_BYTES_MAX)
      throw new InvalidInput('the file', `expected at most ${PRICE_FILE_BYTES_MAX} bytes, got ${size}.`);
    return new Prices(parsePriceFile(await readFile(file, 'utf8')));
  } catch (cause) {
    const why = cause instanceof InvalidInput ? cause.message : `the file cannot be read (${String(cause)}).`;
    throw new StartRefused(`HOLDFAST_PRICES=${file}: ${why} docs/models.md says how it is written.`, {
      cause,
    });
  }
}
