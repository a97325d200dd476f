/** What the driver throws, told to the operator, and what compare-and-set may conclude from it. */
import {
  Long,
  MongoClient,
  MongoClientClosedError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoServerError,
  MongoServerSelectionError,
  MongoWriteConcernError,
} from 'mongodb';
import { describe, expect, it } from 'vitest';
import { MongoDatabase } from '../../../src/platform/mongo/database.ts';
import { Outage } from '../../../src/kernel/outage.ts';
import { STEPS } from '../../../src/platform/mongo/migrations.ts';
import { MongoOwnerStore } from '../../../src/platform/mongo/stores/owner-store.ts';
import {
  isDuplicateKey,
  isPassing,
  isUnknownOutcome,
  translateError,
} from '../../../src/platform/mongo/translate-error.ts';
import { mongoDouble } from '../../support/mongo-double.ts';

const refused = (code: number, message = 'refused') => new MongoServerError({ code, message });

describe('an error of the MongoDB driver', () => {
  it.each([
    [14_031, 'DISK_FULL'],
    [10_107, 'NO_PRIMARY'],
    [189, 'NO_PRIMARY'],
    [11_600, 'NO_PRIMARY'],
    [262, 'TIMEOUT'],
    [13, 'REFUSED'],
    [64, 'NOT_REPLICATED'],
    [89, 'NO_ANSWER'],
  ])('of code %i has the reason %s, a sentence and its cause', (code, reason) => {
    const error = refused(code);

    const translated = translateError(error);

    expect(translated).toBeInstanceOf(Outage);
    expect(translated).toMatchObject({ reason, cause: error });
    expect(String(translated)).toMatch(/\.$/);
  });

  it('that only its message tells to be a full disk is one', () => {
    expect(translateError(refused(8, '28: No space left on device'))).toMatchObject({ reason: 'DISK_FULL' });
  });

  it('that nobody has a sentence for keeps its own words to the log', () => {
    expect(translateError(refused(9, 'cannot parse'))).toMatchObject({
      message: expect.not.stringContaining('cannot parse'),
      cause: { message: 'cannot parse' },
    });
  });

  it('that says that a document is too large is a defect of ours, which trying again does not help', () => {
    const cause = refused(10_334);

    expect(translateError(cause)).toMatchObject({ message: expect.stringMatching(/a defect/), cause });
    expect(translateError(cause)).not.toBeInstanceOf(Outage);
  });

  it('that is not the driver’s, or was translated before, stays as it is', () => {
    const [ours, before] = [new TypeError('ours'), translateError(refused(9))];

    expect(translateError(ours)).toBe(ours);
    expect(translateError(before)).toBe(before);
  });

  it.each([10_107, 189, 91, 11_600, 11_602, 13_435, 13_436, 262, 64, 100])(
    'of code %i leaves open whether the write happened, also when translated',
    (code) => {
      expect(isUnknownOutcome(refused(code))).toBe(true);
      expect(isUnknownOutcome(translateError(refused(code)))).toBe(true);
    },
  );

  it('of the network, of a wait, of a label or of replication leaves it open as well', () => {
    const labelled = refused(1);
    labelled.addErrorLabel('RetryableWriteError');
    const concern = { code: 64, errmsg: 'waiting for replication timed out' };

    expect(isUnknownOutcome(new MongoNetworkError('closed'))).toBe(true);
    expect(isUnknownOutcome(new MongoNetworkTimeoutError('late'))).toBe(true);
    expect(isUnknownOutcome(labelled)).toBe(true);
    expect(isUnknownOutcome(new MongoWriteConcernError({ ok: 1, writeConcernError: concern }))).toBe(true);
  });

  it.each([43, 112, 133, 134, 175, 237, 365, 462, 63, 150, 13_388])(
    'of code %i passes, and says that nothing was done',
    (code) => {
      expect(isPassing(refused(code))).toBe(true);
      expect(isUnknownOutcome(refused(code))).toBe(false);
    },
  );

  it.each([202, 317, 384])('of code %i, between mongos and a shard, passes and leaves it open', (code) => {
    expect(isPassing(refused(code))).toBe(true);
    expect(isUnknownOutcome(refused(code))).toBe(true);
    expect(translateError(refused(code))).toMatchObject({ reason: 'NO_ANSWER' });
  });

  it.each(['RetryableError', 'SystemOverloadedError'])('with the label %s passes', (label) => {
    const labelled = refused(1);
    labelled.addErrorLabel(label);

    expect(isPassing(labelled)).toBe(true);
    expect(isPassing(translateError(labelled))).toBe(true);
  });

  it('of a duplicate, a full disk, a refusal or a closed client does not pass', () => {
    const lasting = [11_000, 14_031, 13, 1].map((code) => refused(code));

    expect([...lasting, new MongoClientClosedError(), new TypeError('ours')].map(isPassing)).toEqual(
      Array.from({ length: 6 }, () => false),
    );
  });

  it('of choosing a server leaves it open: an attempt before may have been sent', async () => {
    const client = new MongoClient('mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=50');
    const error: unknown = await client
      .db()
      .command({ ping: 1 })
      .catch((thrown: unknown) => thrown);
    await client.close();

    expect(error).toBeInstanceOf(MongoServerSelectionError);
    expect(isUnknownOutcome(error)).toBe(true);
    expect(translateError(error)).toMatchObject({ reason: 'NO_ANSWER' });
  });

  it('of a duplicate, a full disk or a refusal says that nothing was written', () => {
    expect([11_000, 14_031, 13].map((code) => isUnknownOutcome(refused(code)))).toEqual([
      false,
      false,
      false,
    ]);
    expect(isUnknownOutcome(new TypeError('ours'))).toBe(false);
    expect(isDuplicateKey(refused(11_000))).toBe(true);
    expect(isDuplicateKey(translateError(refused(11_000)))).toBe(true);
    expect(isDuplicateKey(refused(1))).toBe(false);
  });

  it('comes out of a store as an outage with its sentence', async () => {
    const firstBatch = [{ _id: 'schema', version: STEPS.length }];
    const server = await mongoDouble({ setName: 'rs0', isWritablePrimary: true }, (command) => {
      if (command === 'update') return { ok: 0, code: 14_031, errmsg: 'no room' };
      return command === 'find' ? { cursor: { id: Long.ZERO, ns: 'x.y', firstBatch }, ok: 1 } : undefined;
    });
    const database = await MongoDatabase.open({ uri: `mongodb://${server.host}/x` });

    const beat = new MongoOwnerStore(database).beat('me');

    await expect(beat).rejects.toMatchObject({ name: 'Outage', reason: 'DISK_FULL' });
    await expect(beat).rejects.toThrow(/disk of the database is full/);
    await database.close();
    await server.close();
  });
});
