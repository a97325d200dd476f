import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '../../src/access/access.ts';
import type { ApiKeys, KeyHolder } from '../../src/access/api-keys.ts';
import { KEY_SCOPES, type KeyScope } from '../../src/access/principal.ts';
import { must } from '../../src/kernel/assert.ts';
import { newId } from '../../src/kernel/id.ts';
import { IN_MEMORY } from '../../src/platform/sqlite/database.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { eventually } from '../support/eventually.ts';

const ROOT = 'root-key-of-the-key-tests-0';
const HOUR_MS = 3_600_000;

let now: number;
let store: SqliteStore;
let access: Access;
let keys: ApiKeys;
let root: KeyHolder;
const clock = { now: () => now, monotonicNow: () => now, sleep: () => Promise.resolve() };

beforeEach(async () => {
  now = 1_000_000;
  store = openSqlite({ path: IN_MEMORY });
  const { first: firstOrganisation } = store.organisations;
  access = new Access({ ...store, clock, signingKey: randomBytes(32), firstOrganisation });
  keys = access.keysOf(firstOrganisation);
  await access.ensureKey(ROOT);
  root = await holder(ROOT);
});
afterEach(() => store.close());

async function holder(value: string): Promise<KeyHolder> {
  const principal = await access.authenticate(value);
  if (principal.kind !== 'key') throw new Error('no key');
  return principal;
}

async function made(...scopes: readonly KeyScope[]) {
  const { apiKey, value } = await keys.create(root, { name: 'ci', scopes });
  return { id: apiKey.id, value: must(value, 'it was made now') };
}

const closed = { code: 'UNAUTHENTICATED' };

/** All there are, without any and with all. */
const SETS: readonly (readonly KeyScope[])[] = KEY_SCOPES.reduce<readonly (readonly KeyScope[])[]>(
  (sets, scope) => [...sets, ...sets.map((set) => [...set, scope])],
  [[]],
);

/** What it comes to: its code, or that it was done. */
async function outcomeOf(doing: Promise<unknown>): Promise<string> {
  return doing.then(
    () => 'done',
    (error: { readonly code: string }) => error.code,
  );
}

describe('a new key', () => {
  it('opens with its scopes and its name until it expires (proves ACCESS-1)', async () => {
    const { apiKey, value } = await keys.create(root, {
      name: 'nightly',
      scopes: ['sessions:write', 'sessions:read', 'sessions:read'],
      expiresAt: now + 10,
    });

    expect(apiKey).toMatchObject({ name: 'nightly', createdBy: root.keyId, expiresAt: now + 10 });
    expect(await access.authenticate(value)).toMatchObject({
      kind: 'key',
      keyId: apiKey.id,
      name: 'nightly',
      scopes: ['sessions:read', 'sessions:write'],
    });
    now += 10;
    await expect(access.authenticate(value)).rejects.toMatchObject(closed);
  });

  it('proves KEY-1: is shown once: only a hash rests, and a replay, also after its end, answers no value', async () => {
    const request = { name: 'ci', scopes: ['sessions:read'], expiresAt: now + 10, idempotencyKey: 'k' };
    const { apiKey, value } = await keys.create(root, request);
    now += 20;

    expect(await keys.create(root, request)).toEqual({ apiKey, value: undefined, replayed: true });
    await expect(keys.create(root, { ...request, name: 'cd' })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
    });
    const stored = JSON.stringify(await keys.list({ limit: 9 }));
    expect(stored).not.toContain(must(value, 'it was made'));
    expect(await keys.list({ limit: 9 })).toHaveLength(2);
  });

  it.each([
    ['no name', { name: ' ' }, 'name'],
    ['no scope', { scopes: [] }, 'scopes'],
    ['a scope that there is not', { scopes: ['sessions:delete'] }, 'scopes'],
    ['an end that has been', { expiresAt: 1_000_000 }, 'expiresAt'],
    ['an end in seconds, taken for milliseconds of a far day', { expiresAt: 1e15 }, 'expiresAt'],
    ['no number as its end', { expiresAt: Number.NaN }, 'expiresAt'],
    ['an empty idempotency key', { idempotencyKey: '' }, 'idempotencyKey'],
  ])('with %s is refused, and nothing is made', async (_what, wrong, field) => {
    const request = { name: 'ci', scopes: ['sessions:read'], ...wrong };

    await expect(keys.create(root, request)).rejects.toMatchObject({ code: 'INVALID_INPUT', field });
    expect(await keys.list({ limit: 9 })).toHaveLength(1);
  });

  it('proves KEY-2: has no scope that its maker has not, unless an operator makes it', async () => {
    const maker = await holder((await made('keys:write', 'sessions:read')).value);
    const operator = await holder((await made('operator', 'keys:write')).value);

    for (const scopes of [['sessions:write'], ['sessions:read', 'operator'], [...KEY_SCOPES]])
      await expect(keys.create(maker, { name: 'more', scopes })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await keys.create(maker, { name: 'less', scopes: ['sessions:read'] })).toMatchObject({
      replayed: false,
    });
    expect(await keys.create(operator, { name: 'all', scopes: KEY_SCOPES })).toMatchObject({
      replayed: false,
    });
  });
});

describe('a rotation', () => {
  it('proves KEY-3: leaves the key under its id, and both values open until the overlap is over', async () => {
    const { id, value: old } = await made('sessions:read');

    const { apiKey, value, replayed } = await keys.rotate(root, id, { overlapSeconds: 60 });

    expect([apiKey.id, apiKey.rotatedAt, replayed]).toEqual([id, now, false]);
    for (const one of [old, value]) expect(await access.authenticate(one)).toMatchObject({ keyId: id });
    const admitted = await holder(old);
    now += 59_999;
    expect(await access.endsOf([admitted])).toEqual([undefined]);
    now += 1;
    expect(await access.endsOf([admitted])).toEqual(['The API key was rotated: use its new value.']);
    await expect(access.authenticate(old)).rejects.toMatchObject(closed);
    expect(await access.authenticate(value)).toMatchObject({ keyId: id });
  });

  it('gives an hour when nothing is said, and none with 0, to all values of before', async () => {
    const { id, value: first } = await made('sessions:read');
    const { value: second } = await keys.rotate(root, id, {});
    now += HOUR_MS - 1;
    expect(await access.authenticate(first)).toMatchObject({ keyId: id });

    const { value: third } = await keys.rotate(root, id, { overlapSeconds: 0 });

    for (const old of [first, second]) await expect(access.authenticate(old)).rejects.toMatchObject(closed);
    expect(await access.authenticate(third)).toMatchObject({ keyId: id });
  });

  it('lengthens the time of no value of before: not by another rotation, not by another end', async () => {
    const expiresAt = now + 1_000;
    const { apiKey, value: first } = await keys.create(root, {
      name: 'x',
      scopes: ['sessions:read'],
      expiresAt,
    });
    const { value: second } = await keys.rotate(root, apiKey.id, {
      overlapSeconds: 60,
      expiresAt: now + HOUR_MS,
    });
    await keys.rotate(root, apiKey.id, { overlapSeconds: 600 });
    now = expiresAt;

    await expect(access.authenticate(first)).rejects.toMatchObject(closed);
    expect(await access.authenticate(second)).toMatchObject({ keyId: apiKey.id });
  });

  it('is done once for an idempotency key, and its replay answers no value (proves KEY-1)', async () => {
    const { id } = await made('sessions:read');
    const request = { overlapSeconds: 0, idempotencyKey: 'k' };
    const { value } = await keys.rotate(root, id, request);

    expect(await keys.rotate(root, id, request)).toMatchObject({ value: undefined, replayed: true });
    expect(await access.authenticate(value)).toMatchObject({ keyId: id });
    await expect(keys.rotate(root, id, { ...request, overlapSeconds: 1 })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
    });
  });

  it('proves KEY-2: is for who can do as much as the key', async () => {
    const maker = await holder((await made('keys:write')).value);
    const { id, value } = await made('keys:write', 'sessions:read');

    await expect(keys.rotate(maker, id, {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(keys.rotate(maker, root.keyId, {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await access.authenticate(value)).toMatchObject({ keyId: id });
    expect(await keys.rotate(maker, maker.keyId, {})).toMatchObject({ replayed: false });
  });

  it('is refused for what is not there, was revoked or has expired, and beyond its bounds', async () => {
    const { id } = await made('sessions:read');
    const { apiKey: expiring } = await keys.create(root, {
      name: 'x',
      scopes: ['sessions:read'],
      expiresAt: now + 1,
    });
    now += 1;

    await expect(keys.rotate(root, newId('apiKey'), {})).rejects.toMatchObject({ code: 'API_KEY_NOT_FOUND' });
    for (const overlapSeconds of [-1, 0.5, 604_801])
      await expect(keys.rotate(root, id, { overlapSeconds })).rejects.toMatchObject({
        field: 'overlapSeconds',
      });
    await expect(keys.rotate(root, expiring.id, {})).rejects.toMatchObject({ field: 'expiresAt' });
    expect(await keys.rotate(root, expiring.id, { expiresAt: now + 5 })).toMatchObject({ replayed: false });
    for (let count = 0; count < 4; count += 1) await keys.rotate(root, id, {});
    await expect(keys.rotate(root, id, {})).rejects.toMatchObject({ field: 'overlapSeconds' });
    await keys.revoke(root, id);
    await expect(keys.rotate(root, id, {})).rejects.toMatchObject({ code: 'API_KEY_REVOKED' });
  });
});

describe('a revocation', () => {
  it('ends a key with all of its values, and what it made, for good', async () => {
    const { id, value } = await made('sessions:read');
    const { value: next } = await keys.rotate(root, id, {});
    const admitted = await holder(value);
    const token = {
      kind: 'client',
      organisationId: root.organisationId,
      sessionId: newId('session'),
      scopes: ['read'],
      expiresAt: now + 1,
      keyId: id,
    } as const;
    expect(await access.endsOf([admitted, token])).toEqual([undefined, undefined]);

    expect(await keys.revoke(root, id)).toMatchObject({ apiKey: { id, revokedAt: now }, replayed: false });

    for (const one of [value, next]) await expect(access.authenticate(one)).rejects.toMatchObject(closed);
    expect(await access.endsOf([admitted, token])).toEqual([
      'The API key was revoked.',
      'The API key that made this client token was revoked.',
    ]);
    now += 5;
    expect(await keys.revoke(root, id)).toMatchObject({ apiKey: { revokedAt: now - 5 }, replayed: true });
    await expect(keys.revoke(root, newId('apiKey'))).rejects.toMatchObject({ code: 'API_KEY_NOT_FOUND' });
  });

  it('proves KEY-6: leaves an organisation its last key that makes keys, unless an operator revokes it', async () => {
    const { id: organisationId } = { id: newId('organisation') };
    await store.organisations.create({ id: organisationId, name: 'second', createdAt: 1 });
    const theirs = access.keysOf(organisationId);
    const make = async (name: string, scopes: readonly KeyScope[], expiresAt?: number) => {
      const { apiKey, value } = await theirs.create(root, { name, scopes, expiresAt });
      return { id: apiKey.id, by: await holder(must(value, 'it was made')) };
    };
    const one = await make('one', ['keys:write', 'sessions:read']);
    const two = await make('two', ['keys:write']);
    const other = await make('other', ['sessions:read']);
    const ending = await make('ending', ['keys:write'], now + 1);
    now += 1;

    await theirs.revoke(two.by, other.id);
    await theirs.revoke(one.by, two.id);
    await expect(theirs.revoke(one.by, one.id)).rejects.toMatchObject({ code: 'LAST_KEY' });
    expect(await theirs.revoke(one.by, ending.id)).toMatchObject({ replayed: false });
    expect(await theirs.get(one.id)).not.toHaveProperty('revokedAt');
    expect(await theirs.revoke(root, one.id)).toMatchObject({ apiKey: { revokedAt: now } });
  });

  it('of two that revoke each other at once leaves one (proves KEY-6)', async () => {
    const organisationId = newId('organisation');
    const theirs = access.keysOf(organisationId);
    const all = await Promise.all(
      ['one', 'two'].map((name) => theirs.create(root, { name, scopes: ['keys:write'] })),
    );
    const holders = await Promise.all(all.map(({ value }) => holder(must(value, 'it was made'))));
    const [first, second] = [must(holders[0], 'two'), must(holders[1], 'two')];

    await Promise.allSettled([theirs.revoke(first, second.keyId), theirs.revoke(second, first.keyId)]);

    const left = (await theirs.list({ limit: 9 })).filter(({ revokedAt }) => revokedAt === undefined);
    expect(left).toHaveLength(1);
  });

  it('proves KEY-6: a key that expires stays for no key that does not, and for others that expire', async () => {
    const theirs = access.keysOf(newId('organisation'));
    const make = async (name: string, expiresAt?: number) => {
      const { apiKey, value } = await theirs.create(root, { name, scopes: ['keys:write'], expiresAt });
      return holder(must(value, `${name} was made: ${apiKey.id}`));
    };
    const lasting = await make('lasting');
    const ending = await make('ending', now + HOUR_MS);
    const leaked = await make('leaked', now + HOUR_MS);

    await expect(theirs.revoke(ending, lasting.keyId)).rejects.toMatchObject({ code: 'LAST_KEY' });
    expect(await theirs.revoke(ending, leaked.keyId)).toMatchObject({ replayed: false });
    const next = await make('next');
    expect(await theirs.revoke(ending, lasting.keyId)).toMatchObject({ replayed: false });
    expect(await theirs.revoke(next, ending.keyId)).toMatchObject({ replayed: false });
    await expect(theirs.revoke(next, next.keyId)).rejects.toMatchObject({ code: 'LAST_KEY' });
  });

  it('of an operator key is for operators', async () => {
    const maker = await holder((await made('keys:write')).value);

    await expect(keys.revoke(maker, root.keyId)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await access.authenticate(ROOT)).toMatchObject({ keyId: root.keyId });
  });
});

describe('what a key may do with other keys', () => {
  it('proves KEY-2: with any scopes to keys of any: it gives what it has, and revokes all but operator keys', async () => {
    const wrong: string[] = [];
    for (const own of SETS) {
      const by = { ...root, scopes: own };
      const isOperator = own.includes('operator');
      for (const scopes of SETS.filter((set) => set.length > 0)) {
        const isWithin = isOperator || scopes.every((scope) => own.includes(scope));
        const { apiKey: other } = await keys.create(root, { name: 'other', scopes });
        const done = [
          await outcomeOf(keys.create(by, { name: 'made', scopes })),
          await outcomeOf(keys.rotate(by, other.id, {})),
          await outcomeOf(keys.revoke(by, other.id)),
        ];
        const mayGive = isWithin ? 'done' : 'FORBIDDEN';
        const mayRevoke = isOperator || !scopes.includes('operator') ? 'done' : 'FORBIDDEN';
        const expected = [mayGive, mayGive, mayRevoke];
        if (done.join() !== expected.join())
          wrong.push(`${own.join()} with ${scopes.join()}: ${done.join()}`);
      }
    }

    expect(wrong).toEqual([]);
  }, 60_000);
});

describe('the root key', () => {
  it('proves KEY-4: that was revoked does not come back at a start, another value does', async () => {
    await keys.revoke(root, root.keyId);
    const said: string[] = [];

    await access.ensureKey(ROOT, (sentence) => said.push(sentence));
    await expect(access.authenticate(ROOT)).rejects.toMatchObject(closed);
    expect(said).toEqual([expect.stringContaining('was revoked')]);

    await access.ensureKey(`${ROOT}-2`, (sentence) => said.push(sentence));
    expect(await access.authenticate(`${ROOT}-2`)).toMatchObject({ scopes: KEY_SCOPES });
    await access.ensureKey(ROOT, (sentence) => said.push(sentence));
    await expect(access.authenticate(ROOT)).rejects.toMatchObject(closed);
    expect(await access.authenticate(`${ROOT}-2`)).toMatchObject({ kind: 'key' });
    expect(said).toHaveLength(2);
  });

  it('proves KEY-4: that was rotated is its new value, whatever starts say', async () => {
    const { value } = await keys.rotate(root, root.keyId, { overlapSeconds: 0 });
    const said: string[] = [];

    await access.ensureKey(ROOT, (sentence) => said.push(sentence));
    await expect(access.authenticate(ROOT)).rejects.toMatchObject(closed);
    expect(said).toEqual([expect.stringContaining('was rotated')]);

    await access.ensureKey(value);
    expect(await access.authenticate(value)).toMatchObject({ keyId: root.keyId });
    const { value: next } = await keys.rotate(root, root.keyId, { overlapSeconds: 0 });
    for (const old of [ROOT, must(value, 'it was made')]) {
      await access.ensureKey(old);
      await expect(access.authenticate(old)).rejects.toMatchObject(closed);
    }
    expect(await access.authenticate(next)).toMatchObject({ keyId: root.keyId });
  });

  it('takes no power from a start that it has not: a key of few scopes stays one', async () => {
    const { value, id } = await made('sessions:read');
    const said: string[] = [];

    await access.ensureKey(value, (sentence) => said.push(sentence));

    expect(await access.authenticate(value)).toMatchObject({ keyId: id, scopes: ['sessions:read'] });
    expect(await access.authenticate(ROOT)).toMatchObject({ kind: 'key' });
    expect(said).toEqual([expect.stringContaining('operator')]);
  });
});

describe('the last use of a key', () => {
  it('proves KEY-5: is written beside the requests, at most once a minute', async () => {
    const writes: number[] = [];
    const used = store.keys.used.bind(store.keys);
    store.keys.used = async (uses) => {
      writes.push(uses.length);
      if (writes.length === 1) throw new Error('the disk is full');
      await used(uses);
    };
    const { id, value } = await made('sessions:read');
    const stop = new AbortController();
    const turns: (() => void)[] = [];
    clock.sleep = () => new Promise((resolve) => turns.push(resolve));
    const gathered = async (): Promise<void> => {
      await eventually('it gathers', () => turns.length > 0);
      turns.splice(0).forEach((turn) => turn());
      await eventually('it gathers again', () => turns.length > 0);
    };
    const running = access.uses.run(stop.signal);
    for (let count = 0; count < 5; count += 1) await access.authenticate(value); // no request fails or waits
    await eventually('it gathers', () => turns.length > 0);
    turns.splice(0).forEach((turn) => turn());
    await expect(running).rejects.toThrow('the disk is full'); // who runs it begins anew

    const again = access.uses.run(stop.signal);
    now += 60_000;
    await access.authenticate(value);
    await access.authenticate(ROOT);
    await gathered();
    now += 59_999;
    await access.authenticate(value);
    await gathered();

    expect(writes).toEqual([2, 2]);
    expect((await keys.get(id)).lastUsedAt).toBe(1_060_000);
    now += 1;
    await access.authenticate(value);
    await gathered();
    expect((await keys.get(id)).lastUsedAt).toBe(1_120_000);
    stop.abort();
    turns.splice(0).forEach((turn) => turn());
    await again;
    clock.sleep = () => Promise.resolve();
  });
});
