import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '../../src/access/access.ts';
import { bearerOf } from '../../src/access/bearer.ts';
import { authorize, authorizeUnit } from '../../src/access/policy.ts';
import { newId } from '../../src/kernel/id.ts';
import { IN_MEMORY } from '../../src/platform/sqlite/database.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { OURS, OWNED } from '../support/organisation.ts';

let now: number;
let store: SqliteStore;
let access: Access;

beforeEach(() => {
  now = 1_000_000;
  store = openSqlite({ path: IN_MEMORY });
  access = new Access({
    ...store,
    clock: { now: () => now, monotonicNow: () => now, sleep: async () => undefined },
    signingKey: randomBytes(32),
    firstOrganisation: OURS.id,
  });
});

afterEach(() => store.close());

describe('API keys', () => {
  it('proves ACCESS-1: a root key that another server has replaced opens nothing here, also when it was in use', async () => {
    const clock = { now: () => now, monotonicNow: () => now, sleep: async () => undefined };
    const other = new Access({
      ...store,
      clock,
      signingKey: randomBytes(32),
      firstOrganisation: OURS.id,
    });
    await access.ensureKey('root-key-of-last-year-0000');
    await access.authenticate('root-key-of-last-year-0000');

    await other.ensureKey('root-key-of-this-year-0000');

    await expect(access.authenticate('root-key-of-last-year-0000')).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
    await expect(access.authenticate('root-key-of-this-year-0000')).resolves.toMatchObject({ kind: 'key' });
  });

  it('one is made at the first start only, and only its hash rests', async () => {
    const key = await access.ensureKey(undefined);

    expect(key).toMatch(/^hf_[\w-]{32}$/);
    expect(await access.ensureKey(undefined)).toBeUndefined();
    expect(JSON.stringify(await store.keys.list(OURS.id, { limit: 9 }))).not.toContain(key);
    await expect(access.authenticate(key)).resolves.toMatchObject({ kind: 'key' });
  });

  it('refuses what is unknown, empty, too long or guessable', async () => {
    await access.ensureKey(undefined);
    for (const bearer of [undefined, '', 'hf_wrong', 'x'.repeat(10_000)]) {
      await expect(access.authenticate(bearer)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    }
    await expect(access.ensureKey('abc')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('a root key that was replaced opens nothing any more, also when it was in use a moment ago', async () => {
    const [old, fresh] = ['root-key-of-last-year-0000', 'root-key-of-this-year-0000'];
    await access.ensureKey(old);
    await access.authenticate(old);

    await access.ensureKey(fresh);

    await expect(access.authenticate(old)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(access.authenticate(fresh)).resolves.toMatchObject({ kind: 'key' });
  });

  it.each(['a key with spaces in it', 'schlüssel-mit-umlaut-0123', 'hct_0123456789abcdef', 'x'.repeat(257)])(
    'a root key that would never work as a bearer is refused: %s',
    async (given) => {
      await expect(access.ensureKey(given)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
      expect(await store.keys.count()).toBe(0);
    },
  );
});

describe('the bearer of a header', () => {
  it.each([
    ['Bearer abc', 'abc'],
    ['bearer  abc ', 'abc'],
    ['Bearer a b', undefined],
    ['Basic abc', undefined],
    ['', undefined],
    [undefined, undefined],
    [['Bearer abc'], undefined],
  ])('%j is %j', (header, bearer) => {
    expect(bearerOf(header)).toBe(bearer);
  });
});

describe('client tokens', () => {
  it('open one session until they expire, and do there what a scope allows (proves POLICY-1)', async () => {
    const sessionId = newId('session');
    const { token, expiresAt } = await access.mintClientToken(OWNED, sessionId, {
      ttlSeconds: 60,
    });
    const principal = await access.authenticate(token);

    expect(() => authorize(principal, 'session.read', sessionId)).not.toThrow();
    expect(() => authorize(principal, 'session.steer', sessionId)).not.toThrow();
    expect(() => authorize(principal, 'session.read', newId('session'))).toThrow(/There is no session/);
    expect(() => authorize(principal, 'agents.write')).toThrow(/API key/);
    expect(() => authorizeUnit(principal)).toThrow(/brains/);
    now = expiresAt;
    await expect(access.authenticate(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('are refused after any single character was changed', async () => {
    const { token } = await access.mintClientToken(OWNED, newId('session'));
    for (let at = 0; at < token.length; at += 1) {
      const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
      await expect(access.authenticate(changed)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    }
  });

  it('with fewer scopes may do less; unknown scopes and ttls are refused', async () => {
    const sessionId = newId('session');
    const reader = await access.authenticate(
      (await access.mintClientToken(OWNED, sessionId, { scopes: ['read'] })).token,
    );

    expect(() => authorize(reader, 'session.steer', sessionId)).toThrow(/scope "steer"/);
    await expect(access.mintClientToken(OWNED, sessionId, { scopes: ['admin'] })).rejects.toThrow(/scopes/);
    await expect(access.mintClientToken(OWNED, sessionId, { ttlSeconds: 59 })).rejects.toThrow(/ttlSeconds/);
    await expect(access.mintClientToken(OWNED, sessionId, { ttlSeconds: 86_401 })).rejects.toThrow(
      /ttlSeconds/,
    );
  });
});

describe('unit tokens', () => {
  it('name session and epoch, and open only the unit endpoint', async () => {
    const sessionId = newId('session');
    const unit = await access.authenticate(access.mintUnitToken(OWNED, sessionId, 7));

    expect(unit).toEqual({ kind: 'unit', organisationId: OURS.id, sessionId, epoch: 7 });
    expect(() => authorizeUnit(unit)).not.toThrow();
    expect(() => authorize(unit, 'session.read', sessionId)).toThrow(/unit token/);
  });
});

describe('a signed token', () => {
  it('has one form: padding, other alphabets and unused bits are refused', async () => {
    const { token } = await access.mintClientToken(OWNED, newId('session'));
    for (const changed of [
      `${token}=`,
      `${token} `,
      `${token}!!`,
      `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
    ]) {
      await expect(access.authenticate(changed)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    }
  });
});
