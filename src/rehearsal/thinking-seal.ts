/**
 * The signatures of thinking blocks, checked as the service does it (platform.claude.com, "Preserved thinking" and "Prefix
 * checks"): a block is bound to its own text, to everything before it (system prompt, tools, messages, without breakpoints
 * and without thinking) and to the thinking before it. Nothing is remembered for that: all of it is in the signature.
 */
import { createHash, type Hash } from 'node:crypto';
import { canonical, digest, type Fields, listOf, withoutBreakpoint } from './json-value.ts';
import { contentBlocks, type PlacedBlock, placedBlocks, type ServiceRequest } from './service-request.ts';

const HASH_CHARS = 16;
const PREFIX = 'sig';
/** No secret: it only keeps apart what the rehearsal has made and what it has not. */
const SALT = 'holdfast-rehearsal';

/** What stands before a block. */
export class ThinkingPrefix {
  readonly #system: string;
  readonly #tools: string;
  readonly #messages: Hash = createHash('sha256');
  #lastSeal = '';

  constructor(body: Fields) {
    this.#system = hash(contentBlocks(body['system']).map(withoutBreakpoint));
    this.#tools = hash(listOf(body['tools']).map(withoutBreakpoint));
  }

  /** All of a request. */
  static of(body: Fields): ThinkingPrefix {
    const prefix = new ThinkingPrefix(body);
    for (const message of listOf(body['messages'])) {
      const { role, content } = (message ?? {}) as Fields; // what is not there is undefined
      for (const block of placedBlocks('', role, content)) prefix.add(block);
    }
    return prefix;
  }

  add({ role, type, fields }: Pick<PlacedBlock, 'role' | 'type' | 'fields'>): void {
    if (isThinking(type)) this.#lastSeal = sealOf(fields);
    else if (type !== 'text' || String(fields['text']).trim() !== '') {
      // a blank text may not be sent back, so it binds nothing
      this.#messages.update(canonical([role, withoutBreakpoint(fields)]));
    }
  }

  /** The signature of a block with this text that stands here. */
  seal(text: string): string {
    return sealed({ ...this.#now(), text: hash(text), before: hash(this.#lastSeal) });
  }

  /** What is wrong with a block that stands here. */
  defectOf({ type, fields }: PlacedBlock): SealDefect | undefined {
    const bound = opened(sealOf(fields));
    if (bound === undefined) return { kind: 'invalid' };
    if (type === 'thinking' && bound.text !== hash(String(fields['thinking']))) return { kind: 'text' };
    const now = this.#now();
    const changed = (['system', 'tools', 'messages'] as const).find((part) => bound[part] !== now[part]);
    if (changed !== undefined) return { kind: 'prefix', changed };
    // Thinking may be left out from the beginning on, but not from between.
    if (this.#lastSeal !== '' && bound.before !== hash(this.#lastSeal))
      return { kind: 'prefix', changed: 'thinking' };
    return undefined;
  }

  #now() {
    return {
      system: this.#system,
      tools: this.#tools,
      messages: this.#messages.copy().digest('hex').slice(0, HASH_CHARS),
    };
  }
}

export type SealDefect =
  /** Not made by the rehearsal. */
  | { readonly kind: 'invalid' }
  | { readonly kind: 'text' }
  | { readonly kind: 'prefix'; readonly changed: 'system' | 'tools' | 'messages' | 'thinking' };

type SealDefects = readonly (readonly [PlacedBlock, SealDefect])[];

/** More than one rule looks at them, and they cost a hash of the whole conversation. */
const KNOWN = new WeakMap<ServiceRequest, SealDefects>();

/** Every thinking block of a request whose signature does not fit, in its order. */
export function sealDefects(request: ServiceRequest): SealDefects {
  const known = KNOWN.get(request) ?? findDefects(request);
  KNOWN.set(request, known);
  return known;
}

function findDefects({ body, blocks }: ServiceRequest): SealDefects {
  if (!blocks.some(({ type }) => isThinking(type))) return [];
  const prefix = new ThinkingPrefix(body);
  return blocks.flatMap((block) => {
    const defect = isThinking(block.type) ? prefix.defectOf(block) : undefined;
    prefix.add(block);
    return defect === undefined ? [] : [[block, defect] as const];
  });
}

export function isThinking(type: string): boolean {
  return type === 'thinking' || type === 'redacted_thinking';
}

interface Bound {
  readonly text: string;
  readonly system: string;
  readonly tools: string;
  readonly messages: string;
  /** The thinking block before. */
  readonly before: string;
}

/** Of redacted thinking, the data is its own signature. */
function sealOf(fields: Fields): string {
  return String(fields['signature'] ?? fields['data']);
}

function sealed({ text, system, tools, messages, before }: Bound): string {
  const parts = [text, system, tools, messages, before];
  return [PREFIX, ...parts, macOf(parts)].join('_');
}

function opened(seal: string): Bound | undefined {
  const [prefix, text = '', system = '', tools = '', messages = '', before = '', mac] = seal.split('_');
  const parts = [text, system, tools, messages, before];
  return prefix === PREFIX && mac === macOf(parts) ? { text, system, tools, messages, before } : undefined;
}

function macOf(parts: readonly string[]): string {
  return digest([SALT, ...parts].join('.'), HASH_CHARS);
}

function hash(value: unknown): string {
  return digest(canonical(value), HASH_CHARS);
}
