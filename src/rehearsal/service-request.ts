/** A request as its rules look at it: every message and block with its place, however odd the JSON is. */
import { type Fields, isFields, listOf } from './json-value.ts';
import type { ModelTraits } from './script.ts';

export interface PlacedBlock {
  /** As the service names it: `messages.2.content.0`. */
  readonly path: string;
  readonly role: unknown;
  readonly type: string;
  readonly fields: Fields;
}

export interface PlacedMessage {
  readonly path: string;
  readonly index: number;
  readonly role: unknown;
  readonly fields: Fields;
  readonly blocks: readonly PlacedBlock[];
}

/** Consecutive messages of one role: the service takes them as one turn ("Working with messages"). */
export interface Turn {
  readonly role: unknown;
  /** Of its first message. */
  readonly path: string;
  readonly blocks: readonly PlacedBlock[];
}

export interface ServiceRequest {
  readonly body: Fields;
  /** POST /v1/messages/count_tokens: nothing is answered, so nothing is said about the answer. */
  readonly counts: boolean;
  readonly version: string;
  /** Whether the header anthropic-beta is there. */
  readonly beta: boolean;
  readonly traits: ModelTraits;
  readonly messages: readonly PlacedMessage[];
  readonly blocks: readonly PlacedBlock[];
  /** Without messages of the system, which may stand between any two. */
  readonly turns: readonly Turn[];
}

export const API_VERSIONS = ['2023-06-01', '2026-10-21'];

export function serviceRequest(
  body: Fields,
  options: {
    readonly counts?: boolean;
    readonly version?: string;
    readonly beta?: boolean;
    readonly traits?: ModelTraits | undefined;
  } = {},
): ServiceRequest {
  const { counts = false, version = '2026-10-21', beta = false, traits = {} } = options;
  const messages = listOf(body['messages']).map(placed);
  const blocks = messages.flatMap((message) => message.blocks);
  return { body, counts, version, beta, traits, messages, blocks, turns: turnsOf(messages) };
}

/** Content that is a text is one block. */
export function contentBlocks(content: unknown): readonly unknown[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }];
  return listOf(content);
}

/** Of a message, a system prompt or a tool result: blocks at `path`. */
export function placedBlocks(path: string, role: unknown, content: unknown): readonly PlacedBlock[] {
  return contentBlocks(content).map((block, at) => {
    const fields = isFields(block) ? block : {};
    const type = typeof fields['type'] === 'string' ? fields['type'] : String(fields['type']);
    return { path: `${path}.${at}`, role, type, fields };
  });
}

function placed(message: unknown, index: number): PlacedMessage {
  const fields = isFields(message) ? message : {};
  const { role } = fields;
  const path = `messages.${index}`;
  return { path, index, role, fields, blocks: placedBlocks(`${path}.content`, role, fields['content']) };
}

function turnsOf(messages: readonly PlacedMessage[]): readonly Turn[] {
  const turns: { role: unknown; path: string; blocks: PlacedBlock[] }[] = [];
  for (const { role, path, blocks } of messages) {
    if (role === 'system') continue;
    const last = turns.at(-1);
    if (last !== undefined && last.role === role) last.blocks.push(...blocks);
    else turns.push({ role, path, blocks: [...blocks] });
  }
  return turns;
}
