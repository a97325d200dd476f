/**
 * A MongoDB server that we start: mongod as a replica set of one or three, or SecantusDB. It may be killed and started again on
 * the same ports and storage, and it dies with us. Storage in a temporary folder goes with it, a given folder stays.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient, MongoServerError } from 'mongodb';
import { isOwn, type Needs, type Rung } from './mongo-ladder.ts';
import { SECANTUS_VERSION } from './secantus.ts';
import { WatchedProcess } from './watched-process.ts';

const HOST = '127.0.0.1';
const REPLICA_SET = 'holdfast';
/** A loaded machine with two cores needs seconds; more than that is a server that will not come. */
const START_MS_MAX = 60_000;
const ASK_AGAIN_MS = 30;
const ANSWER_MS_MAX = 2_000;
/** Between our look for a free port and the server's own bind someone else may take it. */
const PORT_ATTEMPTS_MAX = 3;
const NOT_YET_INITIALIZED = 94;

export interface Place {
  /** Default: a free one. */
  readonly port?: number | undefined;
  /** Default: a temporary one, removed with the server. */
  readonly folder?: string | undefined;
}

interface Member {
  readonly port: number;
  readonly folder: string;
  process: WatchedProcess | undefined;
}

type Program = Exclude<Rung, { kind: 'given' }>;

export class MongoProcess {
  readonly #rung: Program;
  readonly #testCommands: boolean;
  /**
   * Then SecantusDB syncs its log at every commit. Journaled writes outlive SIGKILL without that too (1,321 and 1,473 of them
   * acknowledged, none lost either way, equally quick on the disk where it was tried); what a killed server held must not
   * hang on that. The server that a run shares is never killed, and spares slow disks.
   */
  readonly #mayBeKilled: boolean;
  readonly #members: readonly Member[];
  readonly #temporary: string | undefined;
  #name = '';

  static async start(rung: Program, needs: Needs, place: Place = {}): Promise<MongoProcess> {
    for (let attempt = 1; ; attempt += 1) {
      const server = new MongoProcess(rung, needs, place, await freePorts(place, needs.members ?? 1));
      try {
        await server.start();
        return server;
      } catch (error) {
        await server.close();
        if (attempt >= PORT_ATTEMPTS_MAX || place.port !== undefined || !/in use/i.test(String(error)))
          throw error;
      }
    }
  }

  private constructor(rung: Program, needs: Needs, place: Place, ports: readonly number[]) {
    this.#rung = rung;
    this.#testCommands = needs.testCommands === true;
    this.#mayBeKilled = isOwn(needs) || place.folder !== undefined;
    if (place.folder === undefined) this.#temporary = mkdtempSync(join(tmpdir(), 'holdfast-mongo-'));
    const folder = place.folder ?? this.#temporary ?? '';
    this.#members = ports.map((port) => ({ port, folder: join(folder, `${port}`), process: undefined }));
  }

  get name(): string {
    return this.#name;
  }

  get isMongod(): boolean {
    return this.#rung.kind === 'mongod';
  }

  /** Of the only member; of three, of the first. */
  get pid(): number | undefined {
    return this.#members[0]?.process?.pid;
  }

  get uri(): string {
    const hosts = this.#members.map(({ port }) => `${HOST}:${port}`).join(',');
    return `mongodb://${hosts}/${this.#members.length > 1 ? `?replicaSet=${REPLICA_SET}` : ''}`;
  }

  /** When a member that runs now has ended. */
  get ended(): Promise<void> {
    return Promise.race(this.#members.map(async ({ process }) => process?.ended));
  }

  /** Starts the members that do not run; resolves once there is a primary. */
  async start(): Promise<void> {
    for (const member of this.#members) {
      if (member.process?.isRunning === true) continue;
      mkdirSync(member.folder, { recursive: true });
      const [command, ...args] = this.#commandLine(member);
      member.process = new WatchedProcess(command, args, this.#temporary);
    }
    await Promise.all(this.#members.map((member) => this.#answering(member, () => Promise.resolve(true))));
    const [first] = this.#members;
    if (first === undefined) throw new Error('A server has at least one member.');
    if (this.isMongod) await this.#initiate(first);
    await this.#primary();
    this.#name = await this.#asked(first, async (client) => {
      const { version } = await client.db('admin').command({ buildInfo: 1 });
      if (!this.isMongod) return `SecantusDB ${SECANTUS_VERSION} (reports ${version})`;
      return `mongod ${version}${this.#members.length > 1 ? `, ${this.#members.length} members` : ''}`;
    });
  }

  /** SIGKILL, to the primary where there are three. */
  async kill(): Promise<void> {
    const victim = this.#members.length === 1 ? this.#members[0] : await this.#primary();
    await victim?.process?.end('SIGKILL');
  }

  async close(): Promise<void> {
    // What a temporary folder holds nobody will read; a given one is left as its server leaves it.
    const signal = this.#temporary === undefined ? 'SIGTERM' : 'SIGKILL';
    await Promise.all(this.#members.map(async ({ process }) => process?.end(signal)));
    if (this.#temporary !== undefined) rmSync(this.#temporary, { recursive: true, force: true });
  }

  #commandLine({ port, folder }: Member): readonly [string, ...string[]] {
    const { program } = this.#rung;
    if (this.#rung.kind === 'mongod') {
      const cache = ['--wiredTigerCacheSizeGB', '0.25']; // mongod takes half of the memory if it is not told
      const test = this.#testCommands ? ['--setParameter', 'enableTestCommands=1'] : [];
      const where = ['--bind_ip', HOST, '--port', String(port), '--dbpath', folder];
      return [program, ...where, '--replSet', REPLICA_SET, '--nounixsocket', ...cache, ...test];
    }
    const test = this.#testCommands ? ['--enable-test-commands'] : [];
    const sync = this.#mayBeKilled ? ['--sync-on-commit'] : [];
    const where = ['--host', HOST, '--port', String(port), '--storage-path', folder];
    // with a quarter of the cache a run of all tests has filled it once, and nothing was answered any more
    return [program, ...where, '--log-level', 'ERROR', '--cache-size', '1G', ...test, ...sync];
  }

  async #initiate(first: Member): Promise<void> {
    const members = this.#members.map(({ port }, index) => ({ _id: index, host: `${HOST}:${port}` }));
    await this.#asked(first, async (client) => {
      const admin = client.db('admin');
      try {
        await admin.command({ replSetGetStatus: 1 });
      } catch (error) {
        if (!(error instanceof MongoServerError) || error.code !== NOT_YET_INITIALIZED) throw error;
        await admin.command({ replSetInitiate: { _id: REPLICA_SET, members } });
      }
    });
  }

  async #primary(): Promise<Member> {
    const running = this.#members.filter(({ process }) => process?.isRunning === true);
    return Promise.any(
      running.map(async (member) => {
        await this.#answering(member, async (client) => {
          const { isWritablePrimary } = await client.db('admin').command({ hello: 1 });
          return isWritablePrimary === true;
        });
        return member;
      }),
    );
  }

  /** Waits until a member answers and the condition holds. */
  async #answering(member: Member, condition: (client: MongoClient) => Promise<boolean>): Promise<void> {
    const giveUpAt = Date.now() + START_MS_MAX;
    for (let reason: unknown; ; ) {
      try {
        if (await this.#asked(member, condition)) return;
      } catch (error) {
        reason = error;
      }
      const why = member.process?.isRunning === true ? undefined : 'ended';
      if (why !== undefined || Date.now() > giveUpAt) {
        const said = member.process?.output.trim() ?? '';
        throw new Error(`The server ${this.#rung.program} ${why ?? 'does not answer'}. It said: ${said}`, {
          cause: reason,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
  }

  async #asked<T>({ port }: Member, question: (client: MongoClient) => Promise<T>): Promise<T> {
    const client = new MongoClient(`mongodb://${HOST}:${port}/`, {
      directConnection: true,
      serverSelectionTimeoutMS: ANSWER_MS_MAX,
    });
    try {
      await client.db('admin').command({ ping: 1 });
      return await question(client);
    } finally {
      await client.close();
    }
  }
}

async function freePorts({ port }: Place, count: number): Promise<readonly number[]> {
  if (port !== undefined) return [port];
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port); // as: it listens on TCP
  await Promise.all(servers.map(async (server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
