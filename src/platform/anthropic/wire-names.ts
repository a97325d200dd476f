/** Names and ids of tool calls as the service takes them back. What a model writes is neither, sometimes. */
import { TOOL_USE_ID_CHARS_MAX } from '../../brain/model.ts';

/** The service's own bound for the name of a tool. */
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/;
const TOOL_NAME_CHARS_MAX = 128;
const NAMELESS = 'invalid_tool';
/** The service says a pattern and no length. */
const TOOL_ID = /^[a-zA-Z0-9_-]+$/;
/** Of a name or an id, in the form that replaces it: enough to recognise it. */
const KEPT_CHARS_MAX = 64;
const UNLAWFUL = /[^a-zA-Z0-9_-]+/g;

export function isLawfulName(name: string): boolean {
  return TOOL_NAME.test(name);
}

/** The name, or what is lawful of it. */
export function lawfulName(name: string): string {
  if (isLawfulName(name)) return name;
  const rest = lawfulPart(name.slice(0, TOOL_NAME_CHARS_MAX));
  return rest === '' ? NAMELESS : rest;
}

/** Letters, digits, _ and - of a text. */
export function lawfulPart(text: string): string {
  return text.replaceAll(UNLAWFUL, '').slice(0, KEPT_CHARS_MAX);
}

/** The ids of one conversation, each of them lawful and there once. Deterministic: the same ids in the same order give the same. */
export class WireIds {
  readonly #used: Set<string>;
  readonly #tries = new Map<string, number>();

  constructor(used: Iterable<string> = []) {
    this.#used = new Set(used);
  }

  /** `id`, or where that cannot be sent one that begins with `spare`, which has to be lawful. */
  take(id: string, spare: string): string {
    if (id.length <= TOOL_USE_ID_CHARS_MAX && TOOL_ID.test(id) && !this.#used.has(id)) {
      this.#used.add(id);
      return id;
    }
    for (let next = this.#tries.get(spare) ?? 1; ; next += 1) {
      const candidate = next === 1 ? spare : `${spare}_${next}`;
      if (this.#used.has(candidate)) continue;
      this.#tries.set(spare, next + 1);
      this.#used.add(candidate);
      return candidate;
    }
  }
}
