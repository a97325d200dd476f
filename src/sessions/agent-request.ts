/**
 * Requests to define or change an agent: what they ask for, checked, and their hashes, which are of what was given and need no check,
 * so that a replay is known whatever has become of models and limits since.
 */
import { InvalidInput } from '../kernel/fault.ts';
import type { CredentialId } from '../kernel/id.ts';
import { NAME_CHARS_MAX, PROMPT_BYTES_MAX } from '../kernel/limit.ts';
import { parseChoice, parseName, parseText } from '../kernel/parse.ts';
import { requestHash } from '../kernel/request-hash.ts';
import type { Sealed } from '../kernel/sealed.ts';
import { type Agent, RUNTIMES, type Runtime } from './agent.ts';
import { type AgentTool, type GivenTool, isSameTools, parseTools } from './agent-tool.ts';
import { parseLimits } from './limits.ts';
import { parseModel } from './model-name.ts';
import type { ModelSettings } from './model-plan.ts';
import { type GivenSettings, settingsAfter } from './model-settings.ts';
import type { Limits } from './session.ts';
import type { ToolRule } from './tool-rule.ts';
import { type GivenRule, isSameRules, parseRules } from './tool-rule-request.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]*$/;
const RUNTIME_DEFAULT: Runtime = 'claude';

export interface NewAgent {
  readonly name: string;
  readonly model: string;
  readonly prompt: string;
  readonly settings?: GivenSettings | undefined;
  readonly tools?: readonly GivenTool[] | undefined;
  readonly toolRules?: readonly GivenRule[] | undefined;
  readonly runtime?: string | undefined;
  readonly limits?: Limits | undefined;
  /** A model key inline: stored as a credential of its own, never the provider's default. Not together with `credentialId`. */
  readonly key?: Sealed | undefined;
  readonly credentialId?: CredentialId | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface AgentChange {
  readonly model?: string | undefined;
  readonly prompt?: string | undefined;
  readonly settings?: GivenSettings | undefined;
  /** Replaces all of them. */
  readonly tools?: readonly GivenTool[] | undefined;
  /** Replaces all of them. */
  readonly toolRules?: readonly GivenRule[] | undefined;
  readonly limits?: Limits | undefined;
  /** Replaces the key of the credential that was made for this agent alone, or makes one. */
  readonly key?: Sealed | undefined;
  /** null: the provider's default again. */
  readonly credentialId?: CredentialId | null | undefined;
  readonly idempotencyKey?: string | undefined;
}

/** What an agent is, but for its credential. */
export interface Definition {
  readonly name: string;
  readonly runtime: Runtime;
  readonly model: string;
  readonly prompt: string;
  readonly settings: ModelSettings | undefined;
  readonly tools: readonly AgentTool[] | undefined;
  readonly toolRules: readonly ToolRule[] | undefined;
  readonly limits: Limits;
}

/** Throws InvalidInput. */
export function parseDefinition(request: NewAgent): Definition {
  const name = parseName('name', request.name, NAME_CHARS_MAX);
  if (!NAME.test(name)) throw new InvalidInput('name', 'expected letters, digits, spaces and . _ -');
  const runtime =
    request.runtime === undefined ? RUNTIME_DEFAULT : parseChoice('runtime', request.runtime, RUNTIMES);
  const prompt = parseText('prompt', request.prompt, PROMPT_BYTES_MAX);
  parseModel(request.model);
  const settings = someOf(settingsAfter({}, request.settings ?? {}, request.model));
  const tools = parseTools(request.tools);
  const toolRules = parseRules(request.toolRules, tools);
  const limits = parseLimits(request.limits);
  checkKeyOrCredential(request);
  return { name, runtime, model: request.model, prompt, settings, tools, toolRules, limits };
}

/** Throws InvalidInput. */
export function checkKeyOrCredential({ key, credentialId }: Pick<AgentChange, 'key' | 'credentialId'>): void {
  if (key !== undefined && credentialId !== undefined) {
    throw new InvalidInput('key', 'give either key or credentialId, not both.');
  }
}

/** Whether the agent is, at this moment, what is defined here. */
export function isDefinedAs(agent: Agent, wanted: Definition): boolean {
  const { revision, limits, runtime } = agent;
  const definition = [
    runtime,
    revision.model,
    revision.prompt.toWellFormed(),
    revision.settings ?? {},
    limits,
  ];
  const asked = [wanted.runtime, wanted.model, wanted.prompt, wanted.settings ?? {}, wanted.limits];
  return requestHash(definition) === requestHash(asked) && isSameWork(revision, wanted);
}

/** What it declares and allows. */
export function isSameWork(
  one: Partial<Pick<Definition, 'tools' | 'toolRules'>>,
  other: Partial<Pick<Definition, 'tools' | 'toolRules'>>,
): boolean {
  return isSameTools(one.tools, other.tools) && isSameRules(one.toolRules, other.toolRules);
}

/** The first is the one that is kept with what the request made; the others are of versions before. */
export type RequestHashes = readonly [string, ...string[]];

/** Of a request to create; `fingerprint`: what stands for its key (secrets/key-fingerprint.ts). */
export function creationHashes(request: NewAgent, fingerprint: string | undefined): RequestHashes {
  const own = request.key === undefined ? [] : [creationHash(request, request.key.open())];
  return [creationHash(request, fingerprint), ...own, ...hashesOfLists(request)];
}

/** Of a request to change. */
export function changeHashes(change: AgentChange, fingerprint: string | undefined): RequestHashes {
  return [changeHash(change, fingerprint), changeHash(change, change.key?.open())];
}

function creationHash(request: NewAgent, key: string | undefined): string {
  const { name, model, prompt, settings, tools, toolRules, runtime, limits, credentialId } = request;
  return requestHash({
    name,
    runtime: runtime === RUNTIME_DEFAULT ? undefined : runtime,
    prompt,
    model,
    limits: givenOf(limits),
    key,
    credentialId,
    settings: givenOf(settings),
    tools: tools?.length === 0 ? undefined : tools,
    toolRules: toolRules?.length === 0 ? undefined : toolRules,
  });
}

function changeHash(change: AgentChange, key: string | undefined): string {
  const { model, prompt, settings, tools, toolRules, limits, credentialId } = change;
  const given = settings === undefined ? undefined : givenOf(settings);
  return requestHash({ model, prompt, settings: given, tools, toolRules, limits, key, credentialId });
}

/** The fields by their places, the settings as they are kept. */
function hashesOfLists(request: NewAgent): readonly string[] {
  const { name, model, prompt, runtime = RUNTIME_DEFAULT, key, credentialId } = request;
  const limits = givenOf(request.limits) ?? {};
  const asked = [name, runtime, prompt, model, limits, key?.open(), credentialId];
  const { settings = {} } = request;
  if (givenOf(settings) === undefined) return [requestHash(asked)];
  try {
    return [requestHash([...asked, settingsAfter({}, settings, model)])];
  } catch (error) {
    if (error instanceof InvalidInput) return []; // settings that no version took, or that this one takes no longer
    throw error;
  }
}

/** Nothing set is no settings: a revision is then as it was before there were any. */
export function someOf(settings: ModelSettings): ModelSettings | undefined {
  return Object.keys(settings).length === 0 ? undefined : settings;
}

/** Only what is set; undefined when that is nothing. */
function givenOf(fields: object | undefined): object | undefined {
  const given = Object.entries(fields ?? {}).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}
