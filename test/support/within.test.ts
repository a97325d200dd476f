import { expect, it } from 'vitest';
import { within } from './within.ts';

it('what is over in time is answered, and a failure is its own', async () => {
  await expect(within(60_000, Promise.resolve(7), () => '')).resolves.toBe(7);
  await expect(within(60_000, Promise.reject(new Error('of its own')), () => '')).rejects.toThrow(
    'of its own',
  );
});

it('what hangs is told with what it was doing', async () => {
  const hanging = new Promise(() => undefined);

  await expect(within(1, hanging, () => 'It was in frames.')).rejects.toThrow(
    'Not over after 0.001 s. It was in frames.',
  );
});
