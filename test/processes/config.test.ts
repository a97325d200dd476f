import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ConfigRefused, readConfig } from '../../src/processes/config.ts';

describe('configuration', () => {
  it('has a default for everything, and an empty value means unset', () => {
    const config = readConfig({ PORT: '' });

    expect(config).toMatchObject({ port: 4000, host: '127.0.0.1', isolation: 'bubblewrap', idleMs: 30_000 });
    expect(config.database).toEqual({ kind: 'sqlite', path: `${config.dataFolder}/holdfast.db` });
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

  it('takes a file or a MongoDB for the journal', () => {
    expect(readConfig({ DATABASE_URL: 'sqlite:/data/x.db' }).database).toEqual({
      kind: 'sqlite',
      path: '/data/x.db',
    });
    for (const uri of ['mongodb://one,two/x?replicaSet=rs0', 'mongodb+srv://cluster.example/x']) {
      const { database } = readConfig({ DATABASE_URL: uri });
      expect(database.kind === 'mongodb' && database.uri.open()).toBe(uri);
    }
  });

  it.each(['sqlite:', 'mongodb://', 'postgres://me:hunter2@host/x', './holdfast.db'])(
    'refuses %s for the journal, and says what it takes and not what it was given',
    (url) => {
      expect(() => readConfig({ DATABASE_URL: url })).toThrow(
        /^DATABASE_URL: expected sqlite:<path>, mongodb:\/\/<hosts>\/<database> or mongodb\+srv:\/\/<host>\/<database>\.$/,
      );
    },
  );

  it('takes the context windows of models, with names as providers have them', () => {
    const { contextWindows } = readConfig({
      HOLDFAST_CONTEXT_WINDOWS: 'meta/llama-3=8192, us.anthropic.claude-x-v1:0=300000',
    });

    expect([...contextWindows]).toEqual([
      ['meta/llama-3', 8_192],
      ['us.anthropic.claude-x-v1:0', 300_000],
    ]);
    expect(readConfig({}).contextWindows.size).toBe(0);
    for (const text of ['llama', 'llama=', 'llama=many', 'llama=999', 'llama=10000001', 'a=5000,', '=5000'])
      expect(() => readConfig({ HOLDFAST_CONTEXT_WINDOWS: text })).toThrow(
        /^HOLDFAST_CONTEXT_WINDOWS: expected/,
      );
  });

  it('takes a file of prices, from where it is started', () => {
    expect(readConfig({ HOLDFAST_PRICES: 'prices.json' }).pricesFile).toBe(`${process.cwd()}/prices.json`);
    expect(readConfig({}).pricesFile).toBeUndefined();
  });

  it('shows GraphiQL where only this machine can see it, unless it is told', () => {
    const shown = (env: Record<string, string>) => readConfig(env).graphiql;

    for (const HOST of ['127.0.0.1', '127.3.2.1', '::1', 'localhost']) expect(shown({ HOST })).toBe(true);
    for (const HOST of ['0.0.0.0', '::', '192.168.0.4', '127.0.0.1.example.com', 'localhost.example.com'])
      expect(shown({ HOST })).toBe(false);
    expect(shown({ HOST: '0.0.0.0', HOLDFAST_GRAPHIQL: 'on' })).toBe(true);
    expect(shown({ HOLDFAST_GRAPHIQL: 'off' })).toBe(false);
  });

  it('takes web origins as browsers write them', () => {
    const origins = (text: string) => readConfig({ HOLDFAST_CORS: text }).origins;

    expect(readConfig({}).origins).toBe('*');
    expect(origins('none')).toEqual([]);
    expect(origins('https://app.example, http://localhost:3000')).toEqual([
      'https://app.example',
      'http://localhost:3000',
    ]);
    for (const text of [
      'https://app.example/',
      'https://app.example:443',
      'https://App.example',
      'app.example',
      'https://*.example',
      'https://a.example,',
      'https://a.example,*',
      'null',
    ])
      expect(() => origins(text)).toThrow(/^HOLDFAST_CORS: expected/);
  });

  it('prints no password of a database', () => {
    const config = readConfig({ DATABASE_URL: 'mongodb://me:hunter2secret@host/x' });

    expect(`${inspect(config, { depth: 9 })}${JSON.stringify(config)}`).not.toContain('hunter2');
  });

  it.each(['a key with spaces in it', 'schlüssel-mit-umlaut-0123', 'hut_0123456789abcdef'])(
    'refuses a root key that no header can carry: %s',
    (key) => {
      expect(() => readConfig({ HOLDFAST_ROOT_KEY: key })).toThrow(/^HOLDFAST_ROOT_KEY: expected 4 to 256/);
    },
  );
});
