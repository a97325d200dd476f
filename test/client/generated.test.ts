import { readFileSync } from 'node:fs';
import { generate } from '@graphql-codegen/cli';
import { expect, it } from 'vitest';
import config from '../../codegen.ts';

it('the generated client is what codegen makes of the schema and the documents', async () => {
  const made: { filename: string; content: string }[] = await generate(
    { ...config, cwd: process.cwd() },
    false,
  );

  expect(made.length).toBeGreaterThan(0);
  for (const { filename, content } of made)
    expect(readFileSync(filename, 'utf8'), `${filename}: run \`npm run codegen\``).toBe(content);
});
