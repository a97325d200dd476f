/** Every kind of hostile use that a siege knows, in the order in which they are tried. */
import type { Kind } from './kind.ts';
import { connections } from './kinds/connections.ts';
import { consoleFloods } from './kinds/console-floods.ts';
import { crowds } from './kinds/crowds.ts';
import { diskHogs } from './kinds/disk-hogs.ts';
import { documents } from './kinds/documents.ts';
import { everything } from './kinds/everything.ts';
import { filteredLists } from './kinds/filtered-lists.ts';
import { frames } from './kinds/frames.ts';
import { memoryHogs } from './kinds/memory-hogs.ts';
import { modelAnswers } from './kinds/model-answers.ts';
import { ownHands } from './kinds/own-hands.ts';
import { secrets } from './kinds/secrets.ts';
import { slowReaders } from './kinds/slow-readers.ts';
import { wholeBodies } from './kinds/whole-bodies.ts';

const ALONE: readonly Kind[] = [
  documents,
  wholeBodies,
  slowReaders,
  frames,
  connections,
  consoleFloods,
  filteredLists,
  secrets,
  modelAnswers,
  ownHands,
  crowds,
  memoryHogs,
  diskHogs,
];

export const KINDS: readonly Kind[] = [...ALONE, everything(ALONE)];
