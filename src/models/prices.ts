/** Which price holds: that of the deployment's own file where it has one for the model and the day, or else the list price. */
import type { ModelProvider } from '../sessions/model-name.ts';
import type { Price } from './price.ts';
import { PRICES } from './price-table.ts';

/** By the model's whole name, provider/name; each list has the oldest first. */
export type OwnPrices = ReadonlyMap<string, readonly Price[]>;

export interface FoundPrice {
  /** Whose it is. */
  readonly model: string;
  readonly price: Price;
}

/** What the model service calls its models: the rehearsal's begin with this (session-plans.ts). */
const REHEARSAL_PREFIX = /^rehearsal-/;

export class Prices {
  readonly #own: OwnPrices;

  constructor(own: OwnPrices = new Map()) {
    this.#own = own;
  }

  /** The price of the first of these names that has one at that time, the deployment's own before all others. PRICE-2 */
  find(names: readonly string[], at: number): FoundPrice | undefined {
    const day = new Date(at).toISOString().slice(0, 10);
    const own = (name: string): readonly Price[] | undefined => this.#own.get(name);
    const listed = (name: string): readonly Price[] | undefined =>
      Object.hasOwn(PRICES, name) ? PRICES[name] : undefined;
    for (const table of [own, listed])
      for (const model of names.flatMap(formsOf)) {
        const price = table(model)?.findLast(({ from }) => from <= day);
        if (price !== undefined) return { model, price };
      }
    return undefined;
  }
}

/** Of a model as its service calls it: the name with the provider, as agents name it. */
export function wholeName(provider: ModelProvider, wireName: string): string {
  return `${provider}/${provider === 'rehearsal' ? wireName.replace(REHEARSAL_PREFIX, '') : wireName}`;
}

/** As it is, and without its date: `claude-x-20260101` and `claude-x-latest` cost what claude-x does. */
function formsOf(name: string): readonly string[] {
  const plain = name.replace(/-(\d{8}|latest)$/, '');
  return plain === name ? [name] : [name, plain];
}
