import { readFileSync } from 'node:fs';
import {
  getNamedType,
  GraphQLError,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isUnionType,
} from 'graphql';
import { createGraphQLError } from 'graphql-yoga';
import { describe, expect, it } from 'vitest';
import { printedSchema, schema } from '../../schema/schema.ts';
import * as accessFaults from '../../src/access/faults.ts';
import * as journalFaults from '../../src/journal/faults.ts';
import * as kernelFaults from '../../src/kernel/fault.ts';
import * as secretFaults from '../../src/secrets/faults.ts';
import * as sessionFaults from '../../src/sessions/faults.ts';

const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));
/** Faults that only units, doors and operators meet. */
const NOT_OF_THE_API = ['Fault', 'Unauthenticated', 'KeyInUrl', 'EpochStale', 'TurnOver', 'InputPending'];

describe('the schema', () => {
  it('is printed in schema.graphql as it is', () => {
    const printed = readFileSync(new URL('../../schema/schema.graphql', import.meta.url), 'utf8');

    expect(printedSchema(), 'run `npm run schema`').toBe(printed);
  });

  it('describes every type, field, argument and value, and says more than its name', () => {
    const bare: string[] = [];
    const look = (place: string, name: string, description: string | null | undefined): void => {
      const words = (description ?? '').toLowerCase().replace(/[^a-z]/g, '');
      if (words === '' || words === name.toLowerCase()) bare.push(place);
    };
    for (const type of types) {
      if (['String', 'Int', 'Float', 'Boolean', 'ID'].includes(type.name)) continue;
      look(type.name, type.name, type.description);
      if (isEnumType(type))
        for (const value of type.getValues())
          look(`${type.name}.${value.name}`, value.name, value.description);
      if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) continue;
      for (const field of Object.values(type.getFields())) {
        look(`${type.name}.${field.name}`, field.name, field.description);
        if ('args' in field)
          for (const arg of field.args)
            look(`${type.name}.${field.name}(${arg.name})`, arg.name, arg.description);
      }
    }

    expect(bare).toEqual([]);
  });

  it('gives every mutation a result union with its payload and its Faults, an idempotencyKey, and a payload with replayed', () => {
    const fault = schema.getType('Fault');
    for (const [name, field] of Object.entries(schema.getMutationType()?.getFields() ?? {})) {
      const result = getNamedType(field.type);
      if (!isUnionType(result) || !isInterfaceType(fault)) throw new Error(`${name} answers no union`);
      const [payload, ...more] = result.getTypes().filter((member) => !schema.isSubType(fault, member));

      expect(result.name).toBe(`${name[0]?.toUpperCase()}${name.slice(1)}Result`);
      expect(more).toEqual([]);
      expect(Object.keys(payload?.getFields() ?? {})).toContain('replayed');
      expect(field.args.map((arg) => arg.name)).toContain('idempotencyKey');
    }
  });

  it('has every Fault that a caller of the API can meet, with its code and message', () => {
    const classes = [kernelFaults, accessFaults, journalFaults, secretFaults, sessionFaults].flatMap(
      (faults) => Object.keys(faults),
    );
    const fault = schema.getType('Fault');
    const known = isInterfaceType(fault) ? schema.getPossibleTypes(fault).map(({ name }) => name) : [];

    expect(known.toSorted()).toEqual(classes.filter((name) => !NOT_OF_THE_API.includes(name)).toSorted());
  });

  it('lets no subscription answer Faults: they would wrap the source, which then could not be closed', () => {
    const field = schema.getSubscriptionType()?.getFields()['sessionEvents'];

    expect(field?.extensions['pothosErrors']).toBeUndefined();
  });

  it('pages forward only', () => {
    const connections = types.filter((type) => isObjectType(type) && type.name.endsWith('Connection'));

    expect(connections.length).toBeGreaterThan(3);
    for (const type of connections) {
      expect(isObjectType(type) && Object.keys(type.getFields())).toEqual(['edges', 'nodes', 'pageInfo']);
    }
  });

  it('runs in one instance of graphql', () => {
    expect(createGraphQLError('x')).toBeInstanceOf(GraphQLError);
  });
});
