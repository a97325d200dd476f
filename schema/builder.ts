/**
 * The one Pothos builder. Faults become members of a field's result union by listing their classes in the field's
 * `errors.types`; nothing is a member by default, so a defect is never published as a result.
 */
import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import type { Sealed } from '../src/kernel/sealed.ts';
import type { Context } from './context.ts';

interface SchemaTypes {
  Context: Context;
  DefaultFieldNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    Cursor: { Input: string; Output: string };
    /** Milliseconds since the epoch inside, ISO 8601 in UTC outside. */
    DateTime: { Input: number; Output: number };
    JSON: { Input: unknown; Output: unknown };
    SafeInt: { Input: number; Output: number };
    /** Never an output. */
    Secret: { Input: Sealed; Output: never };
  };
}

export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [ErrorsPlugin],
  defaultFieldNullability: false,
  errors: {
    defaultTypes: [],
    directResult: true,
    defaultUnionOptions: {
      name: ({ fieldName }) => `${fieldName[0]?.toUpperCase()}${fieldName.slice(1)}Result`,
      description:
        'What was asked for, or the Fault that says why not. `... on Fault { code message }` covers them all.',
    },
  },
});

builder.queryType({ description: 'Reading. Everything here can be asked again without consequence.' });
builder.mutationType({
  description:
    'Changing. Each mutation is one atomic step and says in `replayed` whether it had been done before.',
});
builder.subscriptionType({ description: 'Following a session live.' });
