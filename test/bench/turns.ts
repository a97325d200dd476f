/** A B A B …: one unmeasured run of each to warm up, then `runs` of each by turns. */
export async function byTurns<T>(
  runs: number,
  ours: (run: number) => Promise<T>,
  reference: (run: number) => Promise<T>,
): Promise<{ readonly ours: readonly T[]; readonly reference: readonly T[] }> {
  await ours(0);
  await reference(0);
  const measured: { ours: T[]; reference: T[] } = { ours: [], reference: [] };
  for (let run = 1; run <= runs; run += 1) {
    measured.ours.push(await ours(run));
    measured.reference.push(await reference(run));
  }
  return measured;
}

export async function seconds(work: () => Promise<void>): Promise<number> {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
}
