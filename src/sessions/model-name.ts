/**
 * `provider/name`: whose key is needed, and what the provider calls the model. `rehearsal/<script>` needs no key: it is
 * the built-in server that speaks the Messages API and plays a script (docs/rehearsal.md).
 */
import { InvalidInput } from '../kernel/fault.ts';
import { isProvider, type Provider } from '../secrets/provider-table.ts';

export type ModelProvider = Provider | 'rehearsal';

/** An Amazon resource name has about a hundred, and names of proxies are put together from several. */
const MODEL_NAME_CHARS_MAX = 256;
/** Providers' own names: `meta/llama-3`, `claude-x@20250101`, `us.anthropic.claude-x-v1:0`, `arn:aws:bedrock:…/x`, `a+b`. */
const PATTERN = /^([a-z][a-z0-9-]*)\/([A-Za-z0-9][A-Za-z0-9._:@+-]*(?:\/[A-Za-z0-9._:@+-]+)*)$/;

/** Throws InvalidInput; whether the model exists only its provider knows, at the first turn. */
export function parseModel(text: string, field = 'model'): { provider: ModelProvider; name: string } {
  const [, provider, name] = PATTERN.exec(text) ?? [];
  const isKnown = provider !== undefined && (provider === 'rehearsal' || isProvider(provider));
  if (!isKnown || name === undefined || name.length > MODEL_NAME_CHARS_MAX) {
    throw new InvalidInput(field, 'expected provider/name, for example anthropic/claude-sonnet-5.');
  }
  return { provider, name };
}
