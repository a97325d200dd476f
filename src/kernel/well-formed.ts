/**
 * Text that can be sent and stored anywhere. A JavaScript string may hold half of a surrogate pair, which UTF-8 cannot: databases
 * and model services refuse it or change it. Here it becomes U+FFFD, which has the same length in UTF-16 units.
 */

/** As JSON spells any half of a pair. Text from the wire is UTF-8, so what it parses to has one only where this is found. */
const HALF = /\\u[dD][89a-fA-F]/;

/** A copy with every string and every name well-formed, however deep. Of names that become the same the last stays, as in JSON.parse. */
export function wellFormedJson(value: unknown): unknown {
  const root: { value?: unknown } = {};
  const waiting: { readonly from: object; readonly to: object }[] = [{ from: { value }, to: root }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const [name, inner] of Object.entries(next.from)) {
      const copy = shallowCopyOf(inner);
      // defined, not assigned: a name may be __proto__
      Object.defineProperty(next.to, name.toWellFormed(), {
        value: copy,
        enumerable: true,
        writable: true,
        configurable: true,
      });
      if (typeof copy === 'object' && copy !== null) waiting.push({ from: inner, to: copy });
    }
  }
  return root.value;
}

/** JSON.parse, and wellFormedJson where it may be needed: most text never has half a pair, and is not copied. */
export function parseWellFormedJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return HALF.test(text) ? wellFormedJson(value) : value;
}

/** Of an object or a list: an empty one, to be filled. */
function shallowCopyOf(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? [] : {};
}
