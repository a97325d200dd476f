/**
 * The services that models come from. A provider is one entry here: its name is what stands before the slash of a model's name and
 * what a credential says, and its variables are read by processes/config.ts.
 */

/** How the requests and answers of a provider look. The second one is `openai-compatible`, and has no adapter yet. */
export type Protocol = 'anthropic-messages';

export interface ProviderEntry {
  /** As sentences name it. */
  readonly title: string;
  readonly protocol: Protocol;
  readonly baseUrl: string;
  /** The environment variables of its address, and of the server's own key. */
  readonly baseUrlVariable: string;
  readonly keyVariable: string;
  /** What its keys begin with: who has one of this form has a secret, however it goes on. */
  readonly keyShape?: RegExp | undefined;
  /** The one header that proves who asks, and what else belongs to it. Services refuse or mistake a request that has two. */
  readonly auth: (key: string) => Readonly<Record<string, string>>;
}

/**
 * Tokens of a login and of other services that speak this protocol, which are refused as x-api-key: sk-ant-oat (litellm #21039),
 * OpenRouter's sk-or-, and what Google and JWT issuers give out.
 */
const BEARER = /^(sk-ant-oat|sk-or-|ya29\.|eyJ)/;

export const PROVIDER_TABLE = {
  anthropic: {
    title: 'Anthropic',
    protocol: 'anthropic-messages',
    baseUrl: 'https://api.anthropic.com',
    baseUrlVariable: 'ANTHROPIC_BASE_URL',
    keyVariable: 'ANTHROPIC_API_KEY',
    keyShape: /^sk-ant-/,
    auth: (key: string): Readonly<Record<string, string>> => {
      if (!BEARER.test(key)) return { 'x-api-key': key };
      const beta = key.startsWith('sk-ant-oat') ? { 'anthropic-beta': 'oauth-2025-04-20' } : {};
      return { authorization: `Bearer ${key}`, ...beta };
    },
  },
} as const satisfies Readonly<Record<string, ProviderEntry>>;

export type Provider = keyof typeof PROVIDER_TABLE;

export function isProvider(text: string): text is Provider {
  return Object.hasOwn(PROVIDER_TABLE, text);
}

export function providerEntry(provider: Provider): ProviderEntry {
  return PROVIDER_TABLE[provider];
}

/** In the order of the table. */
export function providers(): readonly Provider[] {
  return Object.keys(PROVIDER_TABLE).filter(isProvider);
}
