/** Client tokens as use cases: minting within what the minter may, renewal, revocation, and how often one may write. */
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { Access } from '../../src/access/access.ts';
import type { ClientToken, Minter, TokenWish } from '../../src/access/client-tokens.ts';
import type { ApiKey } from '../../src/access/key-store.ts';
import type { ClientPrincipal } from '../../src/access/principal.ts';
import { REMEMBERED_MS_MAX } from '../../src/access/brief-memory.ts';
import { narrowToken } from '../../src/client/narrow-token.ts';
import { newId } from '../../src/kernel/id.ts';
import { MemoryGenerations } from '../support/memory-generations.ts';
import { OURS, OWNED } from '../support/organisation.ts';

const HOUR_MS = 3_600_000;
const sessionId = newId('session');
const KEY = newId('apiKey');
const minter: Minter = { ...OWNED, keyId: KEY };
const signingKey = randomBytes(32);
let now: number;
let generations: MemoryGenerations;
let keys: Map<string, Partial<ApiKey>>;
let access: Access;

beforeEach(() => {
  now = Date.UTC(2026, 10, 27);
  generations = new MemoryGenerations();
  keys = new Map([[KEY, { id: KEY }]]);
  access = server();
});

/** One of the servers on the store. */
function server(): Access {
  return new Access({
    keys: { byId: async (id: string) => keys.get(id) } as never, // no more is asked of it
    tokenGenerations: generations,
    clock: { now: () => now, monotonicNow: () => now, sleep: async () => undefined },
    signingKey,
    firstOrganisation: OURS.id,
  });
}

function mint(wish?: TokenWish, by: Minter = minter): Promise<ClientToken> {
  return access.mintClientToken(by, sessionId, wish);
}

async function principalOf(token: string, on = access): Promise<ClientPrincipal> {
  const principal = await on.authenticate(token);
  if (principal.kind !== 'client') throw new Error('no client token');
  return principal;
}

describe('minting', () => {
  it('proves TOKEN-8: gives no more than the minter may, and ends no later than its key', async () => {
    const reader: Minter = { ...minter, scopes: ['sessions:read'] };
    const writer: Minter = { ...minter, scopes: ['sessions:write', 'agents:write'] };

    expect((await mint({}, reader)).scopes).toEqual(['read']);
    expect((await mint({}, writer)).scopes).toEqual(['steer']);
    expect((await mint({ scopes: ['steer', 'answer', 'cancel'] }, writer)).scopes).toHaveLength(3);
    for (const scope of ['steer', 'answer', 'cancel'])
      await expect(mint({ scopes: ['read', scope] }, reader)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(mint({ scopes: ['read'] }, writer)).rejects.toMatchObject({ code: 'FORBIDDEN' });

    keys.set(KEY, { id: KEY, expiresAt: now + 5_000 });
    const short = await mint({ renewableSeconds: 86_400 });
    expect(short.expiresAt).toBe(now + 5_000);
    expect(() => access.clientTokens.renew(short.principal)).toThrow(/cannot be renewed/);
  });

  it.each([
    { scopes: [] },
    { scopes: ['admin'] },
    { ttlSeconds: 59 },
    { ttlSeconds: 86_401 },
    { ttlSeconds: 60.5 },
    { renewableSeconds: -1 },
    { renewableSeconds: 2_592_001 },
    { messagesPerMinute: 0 },
    { messagesPerMinute: 6_001 },
    { thinking: true, level: 'progress' as const },
  ])('refuses %j', async (wish) => {
    await expect(mint(wish)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('renewing', () => {
  it('proves TOKEN-8: gives the same for longer, and never beyond what was said at minting', async () => {
    const first = await mint({
      scopes: ['cancel'],
      level: 'user',
      ttlSeconds: 3_600,
      renewableSeconds: 5_400,
    });
    now += HOUR_MS / 2;
    const second = access.clientTokens.renew(await principalOf(first.token));
    const { expiresAt, ...rest } = await principalOf(second.token);
    expect(expiresAt).toBe(now + HOUR_MS);
    expect({ ...rest, expiresAt: first.expiresAt }).toEqual(first.principal);

    now += HOUR_MS - 1;
    expect(() => access.clientTokens.renew(second.principal)).toThrow(/cannot be renewed/);
    now += 1;
    await expect(access.authenticate(second.token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('is forbidden where the minter said so, and to tokens of versions that did not know it', async () => {
    const never = await mint({ renewableSeconds: 0 });
    const { renewableUntil: _none, ...older } = never.principal;
    for (const principal of [never.principal, older])
      expect(() => access.clientTokens.renew(principal)).toThrow(/cannot be renewed/);
  });

  it('of a narrowed one gives the narrowed one, and not beyond the end that it was given', async () => {
    const { token } = await mint({ thinking: true, renewableSeconds: 86_400 });
    const narrow = await narrowToken(token, { scopes: ['READ'], level: 'USER', thinking: false });
    const short = await narrowToken(token, { expiresAt: new Date(now + 60_000) });

    now += 30_000;
    const renewed = access.clientTokens.renew(await principalOf(narrow));
    expect(await principalOf(renewed.token)).toMatchObject({
      scopes: ['read'],
      level: 'user',
      thinking: false,
    });
    expect(renewed.expiresAt).toBe(now + HOUR_MS);
    const ending = await principalOf(short);
    expect(() => access.clientTokens.renew(ending)).toThrow(/cannot be renewed/);
  });
});

describe('revoking', () => {
  it.each(['session', 'key'] as const)(
    'proves TOKEN-6: all tokens of a %s end here at once and elsewhere within a moment, with what came of them; later ones are good',
    async (what) => {
      const other = server();
      const { token, principal } = await mint();
      const tokens = [token, access.clientTokens.renew(principal).token, await narrowToken(token, {})];
      for (const one of tokens) for (const on of [access, other]) await principalOf(one, on);

      const subject = what === 'session' ? sessionId : KEY;
      await access.clientTokens.revoke(OURS.id, subject);

      for (const one of tokens)
        await expect(access.authenticate(one)).rejects.toMatchObject({
          message: expect.stringContaining('revoked'),
        });
      await principalOf(token, other); // it remembers for a moment
      now += REMEMBERED_MS_MAX;
      for (const one of tokens)
        await expect(other.authenticate(one)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
      const [ended, good] = await other.endsOf([principal, (await mint()).principal]);
      expect([ended?.includes(what === 'session' ? 'session' : 'key'), good]).toEqual([true, undefined]);
      await principalOf((await other.mintClientToken(minter, sessionId)).token, access);
    },
  );

  it.each(['session', 'key'] as const)(
    'TOKEN-6, ACCESS-2: of a %s is looked up anew for what is open, and known to requests from then on',
    async (what) => {
      const other = server();
      const { token, principal } = await mint();
      await principalOf(token, other);
      await access.clientTokens.revoke(OURS.id, what === 'session' ? sessionId : KEY);

      expect(await other.endsOf([principal])).toEqual([undefined]); // what is remembered
      expect(await other.endsOf([principal], 'now')).toEqual([expect.stringContaining('revoked')]);
      await expect(other.authenticate(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    },
  );

  it('TOKEN-6 leaves the tokens of other sessions and other keys alone', async () => {
    const other = newId('apiKey');
    keys.set(other, { id: other });
    const another = await access.mintClientToken({ ...OWNED, keyId: other }, newId('session'));
    await access.clientTokens.revoke(OURS.id, sessionId);
    await access.clientTokens.revoke(OURS.id, KEY);

    await expect(principalOf(another.token)).resolves.toMatchObject({ kind: 'client' });
  });

  it('TOKEN-6 is asked for once a moment, however many ask; a store that fails is asked again', async () => {
    const { token } = await mint();
    generations.asked.length = 0;
    await Promise.all(Array.from({ length: 100 }, () => access.authenticate(token)));
    expect(generations.asked).toHaveLength(1);

    now += REMEMBERED_MS_MAX;
    const { generationsOf } = generations;
    generations.generationsOf = () => Promise.reject(new Error('no answer'));
    await expect(access.authenticate(token)).rejects.toThrow('no answer');
    generations.generationsOf = generationsOf;
    await expect(access.authenticate(token)).resolves.toMatchObject({ kind: 'client' });
  });
});

describe('the end of the key that made a token', () => {
  it.each([
    ['revoked', { id: KEY, revokedAt: 1 }],
    ['gone', undefined],
    ['expired', { id: KEY, expiresAt: 1 }],
  ])('TOKEN-6 is its own, a moment later: %s', async (_how, key) => {
    const { token, principal } = await mint();
    await principalOf(token);
    if (key === undefined) keys.delete(KEY);
    else keys.set(KEY, key);

    now += REMEMBERED_MS_MAX;
    await expect(access.authenticate(token)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('that made this client token'),
    });
    expect(await access.endsOf([principal])).toEqual([expect.any(String)]);
  });
});

describe('writing', () => {
  it('proves TOKEN-7: a token with all that came of it sends so many messages in a minute, and cancels apart', async () => {
    const { token, principal } = await mint({ messagesPerMinute: 3 });
    const all = [
      principal,
      access.clientTokens.renew(principal).principal,
      await principalOf(await narrowToken(token, { level: 'USER' })),
    ];
    for (const one of all) access.clientTokens.take(one, 'message');
    for (const one of all)
      expect(() => access.clientTokens.take(one, 'message')).toThrow(
        expect.objectContaining({ code: 'RATE_LIMITED', retryAfterMs: 20_000 }),
      );
    access.clientTokens.take(principal, 'cancel');
    access.clientTokens.take((await mint({ messagesPerMinute: 3 })).principal, 'message');

    now += 19_999;
    expect(() => access.clientTokens.take(principal, 'message')).toThrow(/Try again/);
    now += 1;
    access.clientTokens.take(principal, 'message');
    now += HOUR_MS;
    for (const one of all) access.clientTokens.take(one, 'message');
    expect(() => access.clientTokens.take(principal, 'message')).toThrow(/3 messages/);
  });
});
