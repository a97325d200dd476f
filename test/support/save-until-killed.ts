/** A process that saves a workspace and says when it begins, so that a test can kill it: uri, session, the folders as JSON. */
import type { SessionId } from '../../src/kernel/id.ts';
import { save } from '../../src/platform/host/workspace/workspace-save.ts';
import { openArchive } from './open-archive.ts';
import { BOUNDS } from './tree.ts';

const [, , uri = '', sessionId = '', workspace = ''] = process.argv;
const archive = await openArchive(uri);
// the test that starts this gives it one
const claim = await (await archive.as('to be killed')).claim(sessionId as SessionId, 0);
process.stdout.write('saving\n');
await save(claim, JSON.parse(workspace), BOUNDS);
await archive.close();
