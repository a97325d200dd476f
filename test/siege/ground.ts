/**
 * What a kind stands on: a server with a tenant of its own to attack, a session with a long log, one with large bodies, client tokens of
 * both, and sessions whose commands it chooses. Made once per start of the server; counts and connections are a kind's own.
 */
import { Client } from './client.ts';
import { Held } from './held.ts';
import type { KeyWatch } from './key-watch.ts';
import { CALL_GRACE_MS, FOUND_MAX, MACHINE_GRACE_MS } from './limit.ts';
import { messageOf, type ModelScript } from './model-script.ts';
import { Owner, type TurnEnd } from './owner.ts';
import { Tally } from './tally.ts';

const CREATE_KEY = `mutation ($input: CreateCredentialInput!) { createCredential(input: $input) { __typename ... on Fault { code message } } }`;
const CREATE_ORGANISATION = `mutation { createOrganisation(name: "polite") {
  ... on CreateOrganisationPayload { organisation { id } } ... on Fault { code message } } }`;
const CREATE_API_KEY = `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
  ... on CreateApiKeyPayload { value } ... on Fault { code message } } }`;
const CREATE_AGENT = `mutation ($input: CreateAgentInput!) { createAgent(input: $input) { __typename ... on Fault { code message } } }`;

/** Messages under way at a time while a log is filled. */
const FILLERS = 8;

export interface GroundSize {
  /** Messages of the long log, of 30 KB each. */
  readonly longLog: number;
  /** Messages of the session with large bodies, of 250 KB twice. */
  readonly largeBodies: number;
  /** What commands try to take of memory and disk. */
  readonly hogMib: number;
  /** How long a command, or a call of a model that misbehaves, may go on where its kind would have it longer. */
  readonly callMsMax: number;
}

export class Ground {
  readonly key: string;
  /** The model key that nobody may ever be told. */
  readonly canary: string;
  readonly port: number;
  readonly keys: KeyWatch;
  readonly #echoes = new Set<string>();
  /** See GroundSize. */
  hogMib = 0;
  callMsMax = Infinity;
  longLog = '';
  largeBodies = '';
  /** Of the long log. */
  readToken = '';
  steerToken = '';
  /** Of the session with large bodies. */
  bodiesToken = '';
  /** Of the organisation of the polite tenant. */
  politeKey = '';
  tally = new Tally();
  held = new Held();
  client: Client;
  readonly owner: Owner;
  /** Sessions of the kind, archived when it is over. */
  readonly #sessions = new Set<string>();
  readonly #lanes = new Map<number, string>();
  readonly #busy = new Set<number>();

  constructor(port: number, key: string, canary: string, keys: KeyWatch) {
    this.port = port;
    this.key = key;
    this.canary = canary;
    this.keys = keys;
    this.client = this.#newClient();
    this.owner = new Owner(port, key, keys, (what) => this.#echoed(what));
  }

  get echoes(): readonly string[] {
    return [...this.#echoes];
  }

  /** Counts and connections anew. */
  begin(): void {
    this.tally = new Tally();
    this.held = new Held();
    this.#echoes.clear();
    this.client.close();
    this.client = this.#newClient();
  }

  async prepare(size: GroundSize): Promise<void> {
    this.hogMib = size.hogMib;
    this.callMsMax = size.callMsMax;
    await this.owner.ask(CREATE_KEY, { input: { provider: 'anthropic', key: this.canary } });
    await this.owner.ask(CREATE_AGENT, {
      input: { name: 'attacked', model: 'anthropic/claude-siege', prompt: 'Be brief.' },
    });
    this.politeKey = await this.#otherTenant();
    this.longLog = await this.#waitingSession();
    this.largeBodies = await this.#waitingSession();
    await this.#tryCommand();
    await this.#fill(this.longLog, size.longLog, 'x'.repeat(30_000));
    await this.#fill(this.largeBodies, size.largeBodies, 'x'.repeat(250_000), { a: 'y'.repeat(250_000) });
    this.readToken = await this.owner.token(this.longLog, ['READ']);
    this.steerToken = await this.owner.token(this.longLog, ['STEER']);
    this.bodiesToken = await this.owner.token(this.largeBodies, ['READ']);
  }

  /** Another organisation, with the agent that is not attacked. Answers its key. */
  async #otherTenant(): Promise<string> {
    const { organisation } = (await this.owner.ask(CREATE_ORGANISATION, {})).createOrganisation;
    const scopes = ['SESSIONS_READ', 'SESSIONS_WRITE', 'AGENTS_WRITE'];
    const input = { name: 'polite', organisationId: organisation.id, scopes };
    const { value } = (await this.owner.ask(CREATE_API_KEY, { input })).createApiKey;
    const tenant = new Owner(this.port, value, this.keys, (what) => this.#echoed(what));
    await tenant.ask(CREATE_AGENT, {
      input: { name: 'polite', model: 'rehearsal/echo', prompt: 'Be brief.' },
    });
    return value;
  }

  /** One turn of a session that nobody else uses meanwhile; it is cancelled when it takes longer than it may. */
  async turn(script: ModelScript, msMax: number): Promise<TurnEnd> {
    const lane = this.#freeLane();
    try {
      return await this.turnIn(await this.#sessionOf(lane), script, msMax);
    } catch (error) {
      this.#lanes.delete(lane); // its session is gone: full, archived, or never made
      throw error;
    } finally {
      this.#busy.delete(lane);
    }
  }

  async turnIn(sessionId: string, script: ModelScript, msMax: number): Promise<TurnEnd> {
    const turnId = await this.owner.send(sessionId, { text: messageOf(script), mode: 'INTERRUPT' });
    return this.owner.end(sessionId, turnId, msMax);
  }

  /**
   * A command of the model, with this deadline; the control plane keeps it too, some seconds later. In a session that is
   * free, or in this one.
   */
  async command(command: string, timeoutMs: number, sessionId?: string): Promise<TurnEnd> {
    const script: ModelScript = {
      kind: 'call',
      calls: [{ tool: 'bash', input: { command, timeout_ms: timeoutMs } }],
    };
    const msMax = timeoutMs + CALL_GRACE_MS + MACHINE_GRACE_MS;
    const end = await (sessionId === undefined
      ? this.turn(script, msMax)
      : this.turnIn(sessionId, script, msMax));
    this.tally.heard(200, `"code":"TURN_${end.outcome}"`);
    return end;
  }

  /** A session of its own for what would be in the way of others. */
  async openSession(): Promise<string> {
    const { id, turnId } = await this.owner.start({ kind: 'say', text: 'Ready.' });
    this.#sessions.add(id);
    await this.owner.end(id, turnId, MACHINE_GRACE_MS);
    return id;
  }

  /** Reads its log, which is looked through on the way, and archives it. */
  async archive(sessionId: string): Promise<void> {
    await this.owner.events(sessionId);
    await this.owner.archive(sessionId);
    this.#sessions.delete(sessionId);
  }

  /** Whether a turn that was given up ends after all. */
  async isOver(sessionId: string, turnId: string, msMax: number): Promise<boolean> {
    return (await this.owner.end(sessionId, turnId, msMax)).outcome !== 'GIVEN_UP';
  }

  /** Archives the sessions of the kind, whose logs are read first. */
  async leave(): Promise<void> {
    this.held.releaseAll();
    for (const sessionId of this.#sessions) await this.archive(sessionId);
    this.#lanes.clear();
  }

  async #sessionOf(lane: number): Promise<string> {
    const known = this.#lanes.get(lane);
    if (known !== undefined) return known;
    const id = await this.openSession();
    this.#lanes.set(lane, id);
    return id;
  }

  #freeLane(): number {
    let lane = 0;
    while (this.#busy.has(lane)) lane += 1;
    this.#busy.add(lane);
    return lane;
  }

  /** A session whose model never answers, so that messages wait in its log. */
  async #waitingSession(): Promise<string> {
    return (await this.owner.start({ kind: 'misbehave', how: 'hang' })).id;
  }

  /** Where commands cannot run, kinds of them would hold for nothing. */
  async #tryCommand(): Promise<void> {
    const call = { tool: 'bash', input: { command: 'echo it runs' } };
    const { sessionId, outcome } = await this.turn({ kind: 'call', calls: [call] }, MACHINE_GRACE_MS);
    const result = (await this.owner.events(sessionId)).find(({ type }) => type === 'tool.result');
    if (!String(result?.body.output).startsWith('it runs'))
      throw new Error(`Commands do not run here: ${outcome} ${result?.body.output}`);
  }

  async #fill(sessionId: string, messages: number, text: string, raw?: object): Promise<void> {
    const message = { text, mode: 'QUEUE', ...(raw === undefined ? {} : { raw }) };
    let left = messages;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await this.owner.send(sessionId, message);
    };
    await Promise.all(Array.from({ length: FILLERS }, worker));
  }

  #newClient(): Client {
    const { port, keys, tally, held } = this;
    return new Client({ port, keys, tally, held, echoed: (what) => this.#echoed(what) });
  }

  #echoed(what: string): void {
    if (this.#echoes.size < FOUND_MAX) this.#echoes.add(what);
  }
}
