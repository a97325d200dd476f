/** Reading the fields of a script: each is what was expected, or ScriptInvalid says where it is not. */

/** A script that is not one; the message names the place and what was expected. */
export class ScriptInvalid extends Error {
  constructor(where: string, expected: string) {
    super(`${where}: expected ${expected}.`);
    this.name = 'ScriptInvalid';
  }
}

/** The fields of one object, each read once by its name. */
export class ScriptFields {
  readonly where: string;
  readonly #given: Readonly<Record<string, unknown>>;

  /** Throws for a field that is not among the known ones. */
  constructor(where: string, value: unknown, known: readonly string[]) {
    if (!isObject(value)) throw new ScriptInvalid(where, 'an object');
    const unknown = Object.keys(value).find((name) => !known.includes(name));
    if (unknown !== undefined)
      throw new ScriptInvalid(`${where}.${unknown}`, `no such field, but one of ${known.join(', ')}`);
    this.where = where;
    this.#given = value;
  }

  has(name: string): boolean {
    return this.#given[name] !== undefined;
  }

  raw(name: string): unknown {
    return this.#given[name];
  }

  /** Undefined when it is not there. */
  get<T>(name: string, read: (where: string, value: unknown) => T): T | undefined {
    const value = this.#given[name];
    return value === undefined ? undefined : read(`${this.where}.${name}`, value);
  }

  need<T>(name: string, read: (where: string, value: unknown) => T): T {
    return read(`${this.where}.${name}`, this.#given[name]);
  }
}

export function readList<T>(item: (where: string, value: unknown) => T) {
  return (where: string, value: unknown): readonly T[] => {
    if (!Array.isArray(value)) throw new ScriptInvalid(where, 'a list');
    return value.map((entry, index) => item(`${where}[${index}]`, entry));
  };
}

export function readText(where: string, value: unknown): string {
  if (typeof value !== 'string') throw new ScriptInvalid(where, 'text');
  return value;
}

export function readNumber(where: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
    throw new ScriptInvalid(where, 'a number from 0');
  return value;
}

export function readBoolean(where: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw new ScriptInvalid(where, 'true or false');
  return value;
}

export function readObject(where: string, value: unknown): Readonly<Record<string, unknown>> {
  if (!isObject(value)) throw new ScriptInvalid(where, 'an object');
  return value;
}

export function readRegExp(where: string, value: unknown): RegExp {
  try {
    return new RegExp(readText(where, value), 'su');
  } catch (error) {
    if (error instanceof ScriptInvalid) throw error;
    throw new ScriptInvalid(where, 'a regular expression');
  }
}

export function readOneOf<const V extends string>(values: readonly V[]) {
  return (where: string, value: unknown): V => {
    const known = values.find((one) => one === value);
    if (known === undefined) throw new ScriptInvalid(where, `one of ${values.join(', ')}`);
    return known;
  };
}

/** A text, or the pieces that it is written in. */
export function readPieces(where: string, value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) throw new ScriptInvalid(where, 'text or a list of its pieces');
  return readList(readText)(where, value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
