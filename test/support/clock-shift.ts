/** Preloaded into a server of a test (`NODE_OPTIONS=--import`): its wall clock is off by TEST_CLOCK_SHIFT_MS, its monotonic clock is not. */
const shiftMs = Number(process.env['TEST_CLOCK_SHIFT_MS']);
if (!Number.isSafeInteger(shiftMs)) throw new Error('TEST_CLOCK_SHIFT_MS: expected milliseconds.');

const { now } = Date;
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now() + shiftMs] : args, newTarget),
  get: (target, name) => (name === 'now' ? () => now() + shiftMs : Reflect.get(target, name)),
});
