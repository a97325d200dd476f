/** Client tokens as texts: what is a token, what its holder can make of it, and what nobody can. */
import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { NARROWINGS_MAX } from '../../src/access/narrowing.ts';
import type { ClientPrincipal } from '../../src/access/principal.ts';
import { mintToken, verifyToken } from '../../src/access/token.ts';
import { narrowToken } from '../../src/client/narrow-token.ts';
import { newId } from '../../src/kernel/id.ts';
import { OURS } from '../support/organisation.ts';
import { randomOf } from '../support/random.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const NOW = Date.UTC(2026, 10, 27);
const signingKey = randomBytes(32);
const GIVEN: ClientPrincipal = {
  kind: 'client',
  organisationId: OURS.id,
  sessionId: newId('session'),
  scopes: ['read', 'steer', 'cancel'],
  expiresAt: NOW + 60_000,
  level: 'progress',
  thinking: true,
  tokenId: 'token-1',
  keyId: newId('apiKey'),
  generations: { session: 1, key: 2 },
  ttlSeconds: 60,
  renewableUntil: NOW + 3_600_000,
  messagesPerMinute: 9,
};
const TOKEN = mintToken(GIVEN, signingKey);

function verify(token: string, now = NOW): ReturnType<typeof verifyToken> {
  return verifyToken(token, { signingKey, now, firstOrganisation: OURS.id });
}

/** By hand, as whoever has no client library does, and with whatever text. */
function narrowedBy(token: string, text: string): string {
  const at = token.lastIndexOf('.');
  const added = Buffer.from(text).toString('base64url');
  const key = Buffer.from(token.slice(at + 1), 'base64url');
  return `${token.slice(0, at)}.${added}.${createHmac('sha256', key).update(added).digest('base64url')}`;
}

describe('a narrowed token', () => {
  it('says all that the token said, and less', async () => {
    expect(verify(TOKEN)).toEqual(GIVEN);

    const until = new Date(NOW + 30_000);
    const once = await narrowToken(TOKEN, { scopes: ['READ', 'ANSWER'], level: 'USER', expiresAt: until });
    expect(verify(once)).toEqual({
      ...GIVEN,
      scopes: ['read'],
      level: 'user',
      expiresAt: NOW + 30_000,
      renewableUntil: NOW + 30_000,
    });
    expect(verify(once, NOW + 30_000)).toBeUndefined();
    expect(verify(await narrowToken(TOKEN, { thinking: false }))).toEqual({ ...GIVEN, thinking: false });
  });

  it('proves TOKEN-3: what narrows can never widen, and what is not understood opens nothing', async () => {
    const narrow = await narrowToken(TOKEN, { scopes: ['READ'], level: 'USER', thinking: false });
    const wide = await narrowToken(narrow, {
      scopes: ['READ', 'STEER', 'ANSWER', 'CANCEL'],
      level: 'INTERNAL',
      expiresAt: new Date(NOW + 1e9),
    });
    expect(verify(wide)).toEqual({ ...GIVEN, scopes: ['read'], level: 'user', thinking: false });
    expect(verify(narrowedBy(narrow, '{"thinking":true}'))).toMatchObject({ thinking: false });

    for (const text of [
      '',
      'null',
      '[]',
      '"READ"',
      '{',
      '{"scopes":"READ"}',
      '{"scopes":["read"]}',
      '{"scopes":["ADMIN"]}',
      '{"level":"ALL"}',
      '{"level":"toString"}',
      '{"thinking":"false"}',
      '{"expiresAt":null}',
      '{"expiresAt":1e400}',
      '{"expiresAt":"2026-11-27"}',
      '{"ip":"10.0.0.1"}',
      '{"__proto__":{}}',
      '{"constructor":1}',
      `{"scopes":["READ"${',"READ"'.repeat(99)}]}`,
      '['.repeat(200),
    ])
      expect([text, verify(narrowedBy(TOKEN, text))]).toEqual([text, undefined]);
  });

  it('proves TOKEN-1: no narrowing can be taken off, put elsewhere, or added behind an old signature', async () => {
    const one = await narrowToken(TOKEN, { scopes: ['READ'] });
    const two = await narrowToken(one, { level: 'USER' });
    const [claims, first, second, signature] = two.split('.');
    expect(verify(two)).toBeDefined();

    for (const tried of [
      [claims, signature],
      [claims, first, signature],
      [claims, second, signature],
      [claims, second, first, signature],
      [claims, first, first, second, signature],
      [first, second, signature],
      [claims, first, second],
      [claims, first, second, one.split('.').at(-1)],
      [claims, first, second, TOKEN.split('.').at(-1)],
    ])
      expect(verify(tried.join('.'))).toBeUndefined();
  });

  it('may be narrowed so often and no more', async () => {
    let token = TOKEN;
    const narrowing = { scopes: ['READ', 'STEER', 'ANSWER', 'CANCEL'], level: 'INTERNAL' } as const;
    for (let count = 0; count < NARROWINGS_MAX; count += 1)
      token = await narrowToken(token, { ...narrowing, thinking: false, expiresAt: new Date(NOW + 50_000) });
    expect(verify(token)).toMatchObject({ scopes: GIVEN.scopes });

    expect(verify(await narrowToken(token, {}))).toBeUndefined();
  });

  it('is none of a unit token, and narrowToken says so of what is no client token', async () => {
    const unit = mintToken(
      { kind: 'unit', organisationId: OURS.id, sessionId: GIVEN.sessionId, epoch: 1 },
      signingKey,
    );
    expect(verify(unit)).toMatchObject({ epoch: 1 });
    expect(verify(narrowedBy(unit, '{}'))).toBeUndefined();
    await expect(narrowToken('hf_key', {})).rejects.toThrow(TypeError);
  });
});

describe(`what is sent as a token (SEED=${SEED})`, () => {
  it('proves TOKEN-2: is one of ours or is not, whatever was done to it; nothing is thrown', async () => {
    const random = randomOf(SEED);
    const narrow = await narrowToken(await narrowToken(TOKEN, { scopes: ['READ'] }), { level: 'USER' });
    const chars = 'aZ09-_.=+/ \u0000\u00ff\ud800é{"';
    for (let count = 0; count < 20_000; count += 1) {
      let text: string = random.pick([TOKEN, narrow]);
      const given = text;
      for (let changes = 1 + random.below(3); changes > 0; changes -= 1) {
        const [at, to] = [random.below(text.length + 1), random.below(text.length + 1)];
        const parts = text.split('.');
        text = random.pick([
          () => `${text.slice(0, at)}${chars[random.below(chars.length)]}${text.slice(at + 1)}`,
          () => text.slice(0, at),
          () => text.slice(at),
          () => text.slice(0, at) + text.slice(to),
          () => parts.toSorted(() => random.below(3) - 1).join('.'),
          () => text + text.slice(at).repeat(random.below(40)),
          () => text.replace('hct_', random.pick(['hut_', 'HCT_', 'hct_hct_', ''])),
          () => parts.concat(random.pick(['', 'e30', '.'])).join('.'),
          () => Buffer.from(text, 'base64url').toString('latin1'),
        ])();
      }
      if (text === given || text === TOKEN || text === narrow) continue;
      if (verify(text) !== undefined)
        throw new Error(`SEED=${SEED}: this is taken for a token: ${JSON.stringify(text)}`);
    }
  });

  it('of a server whose clock is five minutes ahead or behind is good; when it ends is said by ours', () => {
    for (const skew of [-300_000, 300_000]) {
      const token = mintToken({ ...GIVEN, expiresAt: NOW + skew + 3_600_000 }, signingKey);
      expect(verify(token)).toBeDefined();
      expect(verify(token, NOW + skew + 3_600_000)).toBeUndefined();
    }
  });

  it('as the versions before minted it opens what it did, and does not show thinking', () => {
    const { organisationId: _none, ...claims } = {
      organisationId: OURS.id,
      sessionId: GIVEN.sessionId,
      scopes: ['read', 'steer'],
      expiresAt: NOW + 1,
    };
    const signed = `hct_${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
    const token = `${signed}.${createHmac('sha256', signingKey).update(signed).digest('base64url')}`;

    expect(verify(token)).toEqual({ kind: 'client', organisationId: OURS.id, ...claims });
  });
});
