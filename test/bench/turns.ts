/** A B A B …: run 0 of each is to warm up and not counted, then `runs` of each by turns. */
export async function byTurns<T>(
  runs: number,
  ours: (run: number) => Promise<T>,
  reference: (run: number) => Promise<T>,
): Promise<{ readonly ours: readonly T[]; readonly reference: readonly T[] }> {
  await ours(0);
  await reference(0);
  return measuredByTurns(runs, ours, reference);
}

/** The same for sides that warm up within each run. */
export async function measuredByTurns<T>(
  runs: number,
  ours: (run: number) => Promise<T>,
  reference: (run: number) => Promise<T>,
): Promise<{ readonly ours: readonly T[]; readonly reference: readonly T[] }> {
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
