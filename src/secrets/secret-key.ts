/**
 * Whether a key is a secret. Services of one's own take any word for a key (`ollama`, `none`, `sk-1234`), and people set what the
 * examples say (`your-api-key-goes-here`): such words are in texts and commands because they are meant, and nobody is
 * harmed when they are read. Real keys are long and look like nothing.
 */
import { PROVIDER_TABLE, type ProviderEntry } from './provider-table.ts';

/** Fewer characters are a word or can be guessed: the keys of the model services have 32 and more. */
export const SECRET_CHARS_MIN = 16;
/** The longest part of a key that is taken for a word; longer words are rare, and random letters of this length are none. */
const WORD_CHARS_MAX = 15;
/** Two words in one (`localdevelopment`), if they can be spoken. */
const WORDS_CHARS_MAX = 24;
/** Of what can be spoken; random letters have less than a quarter of them. */
const VOWELS_SHARE_MIN = 0.3;
const UNSPEAKABLE = /[^aeiouy]{5}/i;

/** A word, as `Local` or `PROXY`, with a number as `v2` or `gpt4o` has it; or a number such as a year. */
const WORD = new RegExp(
  `^(?:[a-z]{1,${WORD_CHARS_MAX}}|[A-Z][a-z]{0,${WORD_CHARS_MAX - 1}}|[A-Z]{1,${WORD_CHARS_MAX}})\\d{0,4}$|^\\d{1,4}$`,
);

export function isSecret(key: string): boolean {
  if (key.length < SECRET_CHARS_MIN) return false;
  const entries: readonly ProviderEntry[] = Object.values(PROVIDER_TABLE);
  if (entries.some(({ keyShape }) => keyShape?.test(key))) return true;
  return key.split(/[^A-Za-z0-9]+/).some((part) => part !== '' && !WORD.test(part) && !isSpoken(part));
}

function isSpoken(part: string): boolean {
  const letters = part.replace(/\d{0,4}$/, '');
  if (!/^[A-Za-z]?[a-z]+$/.test(letters) || letters.length > WORDS_CHARS_MAX || UNSPEAKABLE.test(letters))
    return false;
  return (letters.match(/[aeiouy]/gi) ?? []).length >= letters.length * VOWELS_SHARE_MIN;
}
