/**
 * The blocks of an answer that is complete, as they go into the log and back to the service.
 *
 * ANSWER-4 A tool call becomes a block that can be sent back (tool-block.ts), whatever the model wrote.
 * ANSWER-5 Thinking is bound to what the model wrote before it: after a block that is kept in another form, or not at all, it is
 *    shown but not sent back.
 */
import { outOfRoom } from '../../brain/item.ts';
import type { AnswerBlock } from '../../brain/model.ts';
import type { Pieces } from './pieces.ts';
import { toolBlock, wholeInput } from './tool-block.ts';
import type { WireIds } from './wire-names.ts';

export type WrittenBlock =
  | { readonly kind: 'text' | 'thinking'; readonly pieces: Pieces; signature: string; signed: boolean }
  | { readonly kind: 'redacted'; readonly data: string }
  | {
      readonly kind: 'tool';
      readonly id: string;
      readonly name: string;
      readonly start: unknown;
      json: string;
    };

interface Ending {
  readonly stopReason: string;
  readonly ids: WireIds;
  readonly callId: string;
}

export function finishedBlocks(blocks: readonly WrittenBlock[], ending: Ending): readonly AnswerBlock[] {
  let altered = false;
  return blocks.flatMap((block, index) => {
    const finished = finishedBlock(block, index, index === blocks.length - 1, ending);
    if (altered) return finished.flatMap(unproven); // ANSWER-5
    altered = isAltered(block, finished[0]);
    return finished;
  });
}

function finishedBlock(
  block: WrittenBlock,
  index: number,
  isLast: boolean,
  { stopReason, ids, callId }: Ending,
): readonly AnswerBlock[] {
  switch (block.kind) {
    case 'text':
      return [{ kind: 'text', text: block.pieces.text }];
    case 'redacted':
      return block.data === '' ? [] : [{ kind: 'redacted', data: block.data.toWellFormed() }];
    case 'thinking': {
      const { pieces } = block;
      const signature = block.signature.toWellFormed();
      if (signature === '') return pieces.text === '' ? [] : [{ kind: 'thinking', text: pieces.text }];
      return [{ kind: 'thinking', text: pieces.text, signature }];
    }
    case 'tool': {
      // A call that was cut off at the output limit is no call; the model is told to go on and makes it again.
      const cut = stopReason === 'refusal' || (isLast && outOfRoom(stopReason));
      if (cut && wholeInput(block) === undefined) return [];
      return [toolBlock(block, ids.take(block.id, spareId(callId, index)))]; // ANSWER-4
    }
  }
}

/** ANSWER-5: whether what is kept of a block is something else than the model wrote. */
function isAltered(block: WrittenBlock, kept: AnswerBlock | undefined): boolean {
  if (block.kind === 'text') return block.pieces.altered;
  if (block.kind !== 'tool') return false; // thinking is sent back as it is, or not at all
  if (kept?.kind !== 'tool' || kept.defect !== undefined) return true;
  return kept.toolUseId !== block.id || kept.tool !== block.name || !isSame(wholeInput(block), kept.input);
}

function isSame(written: unknown, kept: unknown): boolean {
  return written === undefined || JSON.stringify(written) === JSON.stringify(kept);
}

/** ANSWER-5 */
function unproven(block: AnswerBlock): readonly AnswerBlock[] {
  if (block.kind === 'redacted') return [];
  return block.kind === 'thinking' ? [{ kind: 'thinking', text: block.text }] : [block];
}

/** The ids of model calls are unique in a session, so these are. */
function spareId(callId: string, index: number): string {
  return `toolu_${callId.replaceAll(/[^a-zA-Z0-9_-]/g, '_')}_${index}`;
}
