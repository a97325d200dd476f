/** Waits for something that has a bound of its own, but fails when that does not keep it, and says what hangs. */
export async function within<T>(ms: number, work: Promise<T>, told: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not over after ${ms / 1000} s. ${told()}`)), ms);
  });
  work.catch(() => undefined); // when it fails after it was given up, nobody waits for it any more
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
