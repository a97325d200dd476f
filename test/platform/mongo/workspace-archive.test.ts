/** MongoDB keeps the contract of the workspace archive. */
import { workspaceArchiveContract } from '../../contracts/workspace-archive.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { openArchive } from '../../support/open-archive.ts';

await mongoSuite('workspaces in MongoDB', (server) =>
  workspaceArchiveContract({ name: server.name, open: () => openArchive(server.uri()) }),
);
