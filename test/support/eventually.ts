/** Waits for a condition, never for a duration: asks again until it holds, and fails with the last reason. */
const AGAIN_MS = 10;
const GIVE_UP_MS = 30_000;

export async function eventually<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  giveUpMs: number = GIVE_UP_MS,
): Promise<T> {
  const giveUpAt = Date.now() + giveUpMs;
  let reason: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      reason = undefined;
    } catch (error) {
      reason = error;
    }
    if (Date.now() > giveUpAt) throw new Error(`Did not happen: ${what}`, { cause: reason });
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}
