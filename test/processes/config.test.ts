import { describe, expect, it } from 'vitest';
import { ConfigRefused, readConfig } from '../../src/processes/config.ts';

describe('configuration', () => {
  it('has a default for everything, and an empty value means unset', () => {
    const config = readConfig({ PORT: '' });

    expect(config).toMatchObject({ port: 4000, host: '127.0.0.1', isolation: 'bubblewrap', idleMs: 30_000 });
    expect(config.database.path).toBe(`${config.dataFolder}/holdfast.db`);
  });

  it('reports all problems at once, with name and expectation', () => {
    const env = {
      PORT: 'many',
      DATABASE_URL: 'postgres://x',
      HOLDFAST_ISOLATION: 'maybe',
      HOLDFAST_ROOT_KEY: 'a short',
    };
    let refused: unknown;
    try {
      readConfig(env);
    } catch (error) {
      refused = error;
    }

    expect(refused).toBeInstanceOf(ConfigRefused);
    expect((refused as ConfigRefused).problems.map((problem) => problem.split(':')[0])).toEqual([
      'PORT',
      'DATABASE_URL',
      'HOLDFAST_ROOT_KEY',
      'HOLDFAST_ISOLATION',
    ]);
    expect(String(refused)).not.toContain('short"');
  });

  it.each(['a key with spaces in it', 'schlüssel-mit-umlaut-0123', 'hut_0123456789abcdef'])(
    'refuses a root key that no header can carry: %s',
    (key) => {
      expect(() => readConfig({ HOLDFAST_ROOT_KEY: key })).toThrow(/^HOLDFAST_ROOT_KEY: expected 4 to 256/);
    },
  );
});
