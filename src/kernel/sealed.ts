/**
 * A secret on its way to the line that uses it. Printing, logging, inspecting or serialising it shows `[sealed]`;
 * only `open()` gives the value.
 */
import { inspect } from 'node:util';

export class Sealed {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  open(): string {
    return this.#value;
  }

  toString(): string {
    return '[sealed]';
  }

  toJSON(): string {
    return '[sealed]';
  }

  [inspect.custom](): string {
    return '[sealed]';
  }
}
