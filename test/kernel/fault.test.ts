import { expect, it } from 'vitest';
import { InvalidInput } from '../../src/kernel/fault.ts';

it('a Fault has no stack, and what is thrown after it has (proves FAULT-1)', () => {
  const fault = new InvalidInput('name', 'too long');
  const defect = new Error('a defect');

  expect(fault.stack).not.toContain('\n    at ');
  expect(fault).toMatchObject({ name: 'InvalidInput', message: 'name: too long' });
  expect(defect.stack).toContain('\n    at ');
});
