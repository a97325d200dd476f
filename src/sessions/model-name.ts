/**
 * `provider/name`: whose key is needed, and what the provider calls the model. `rehearsal/<script>` needs no key: it is
 * the built-in server that speaks the Messages API and plays a script (docs/rehearsal.md).
 */
import { InvalidInput } from '../kernel/fault.ts';
import { PROVIDERS, type Provider } from '../secrets/credential-store.ts';

export type ModelProvider = Provider | 'rehearsal';

const PATTERN = /^([a-z]+)\/([A-Za-z0-9][A-Za-z0-9._:-]{0,127})$/;

/** Throws InvalidInput; whether the model exists only its provider knows, at the first turn. */
export function parseModel(text: string, field = 'model'): { provider: ModelProvider; name: string } {
  const [, prefix, name] = PATTERN.exec(text) ?? [];
  const provider = [...PROVIDERS, 'rehearsal' as const].find((candidate) => candidate === prefix);
  if (provider === undefined || name === undefined) {
    throw new InvalidInput(field, 'expected provider/name, for example anthropic/claude-sonnet-5.');
  }
  return { provider, name };
}
