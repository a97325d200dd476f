/**
 * The tables, as numbered steps that only go forward. A step that has been released is never changed; a new one is added.
 * `PRAGMA user_version` of a file is the number of steps that it has taken.
 *
 * The log is a rowid table with an index on the session's integer key: a table clustered by a text id writes one page per
 * session and commit, thirteen times slower over a thousand sessions. Head and bytes of a log are read from its last row,
 * so an event that does not change the session's record writes its own row and nothing else.
 */
import { MIGRATIONS_OF_ONE_ORGANISATION } from './first-migrations.ts';

export const MIGRATIONS: readonly string[] = [
  ...MIGRATIONS_OF_ONE_ORGANISATION,
  // Everything belongs to an organisation, and what is there to the first one. Names and keys are unique in it and lists begin with it, so
  // the tables that said otherwise are made anew; a session keeps its key, by which its events know it.
  `
  CREATE TABLE organisation (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    is_first INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX organisation_first ON organisation (is_first) WHERE is_first = 1;
  CREATE INDEX organisation_newest ON organisation (created_at, id);
  INSERT INTO organisation (id, name, created_at, is_first)
    VALUES ('org_' || lower(hex(randomblob(12))), 'first', CAST(unixepoch('subsec') * 1000 AS INTEGER), 1);

  CREATE TABLE session_owned (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    organisation_id TEXT NOT NULL,
    natural_key TEXT,
    agent_id TEXT NOT NULL,
    status TEXT NOT NULL,
    status_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    lease_owner TEXT,
    origin TEXT NOT NULL,
    state TEXT NOT NULL
  ) STRICT;
  INSERT INTO session_owned
    SELECT key, id, (SELECT id FROM organisation), natural_key, agent_id, status, status_at, created_at, lease_owner,
      origin, state
    FROM session ORDER BY key;
  DROP TABLE session;
  ALTER TABLE session_owned RENAME TO session;
  CREATE UNIQUE INDEX session_of_key ON session (organisation_id, natural_key) WHERE natural_key IS NOT NULL;
  CREATE INDEX session_newest ON session (organisation_id, created_at, id);
  CREATE INDEX session_newest_of_status ON session (organisation_id, status, created_at, id);
  CREATE INDEX session_newest_of_agent ON session (organisation_id, agent_id, created_at, id);
  CREATE INDEX session_wanted ON session (status_at, key)
    WHERE status IN ('queued', 'running') OR lease_owner IS NOT NULL;

  CREATE TABLE agent_owned (
    id TEXT NOT NULL PRIMARY KEY,
    organisation_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    agent TEXT NOT NULL
  ) STRICT;
  INSERT INTO agent_owned
    SELECT id, (SELECT id FROM organisation), name, created_at, updated_at, agent FROM agent;
  DROP TABLE agent;
  ALTER TABLE agent_owned RENAME TO agent;
  CREATE UNIQUE INDEX agent_of_name ON agent (organisation_id, name);
  CREATE INDEX agent_newest ON agent (organisation_id, created_at, id);

  ALTER TABLE credential ADD COLUMN organisation_id TEXT NOT NULL DEFAULT '';
  UPDATE credential SET organisation_id = (SELECT id FROM organisation);
  DROP INDEX credential_default;
  DROP INDEX credential_newest;
  CREATE UNIQUE INDEX credential_default ON credential (organisation_id, provider) WHERE is_default = 1;
  CREATE INDEX credential_newest ON credential (organisation_id, created_at, id);

  ALTER TABLE api_key ADD COLUMN organisation_id TEXT NOT NULL DEFAULT '';
  UPDATE api_key SET organisation_id = (SELECT id FROM organisation);
  CREATE INDEX api_key_of_name ON api_key (organisation_id, name);
  `,
  // The audit log: what is begun and what came of it, each written once. Those of appends are not looked for by their ids: an index in
  // the order of ids would be a page more for each in a commit.
  `
  CREATE TABLE audit_entry (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    organisation_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    entry TEXT NOT NULL,
    is_of_append INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX audit_entry_newest ON audit_entry (organisation_id, at, id);
  CREATE UNIQUE INDEX audit_entry_of_id ON audit_entry (id) WHERE is_of_append = 0;
  CREATE TABLE audit_settlement (
    id TEXT NOT NULL PRIMARY KEY,
    settlement TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER audit_entry_stays BEFORE UPDATE ON audit_entry
    BEGIN SELECT raise(ABORT, 'an audit entry does not change'); END;
  CREATE TRIGGER audit_entry_remains BEFORE DELETE ON audit_entry
    BEGIN SELECT raise(ABORT, 'an audit entry is not deleted'); END;
  CREATE TRIGGER audit_settlement_stays BEFORE UPDATE ON audit_settlement
    BEGIN SELECT raise(ABORT, 'an audit entry does not change'); END;
  CREATE TRIGGER audit_settlement_remains BEFORE DELETE ON audit_settlement
    BEGIN SELECT raise(ABORT, 'an audit entry is not deleted'); END;
  `,
  // Slots go round the organisations: who looks for what waits goes by organisation, and by what stands before a session in its own.
  `
  DROP INDEX session_wanted;
  CREATE INDEX session_wanted ON session (organisation_id, status_at, key)
    WHERE status IN ('queued', 'running') OR lease_owner IS NOT NULL;
  CREATE INDEX session_waiting ON session (organisation_id, status_at, key, id)
    WHERE status IN ('queued', 'running') AND lease_owner IS NULL;
  `,
  // An API key has scopes, an end and more than one value; keys of before may do everything. The key that HOLDFAST_ROOT_KEY made is known by its
  // hash, where it was known by its name.
  `
  CREATE TABLE api_key_scoped (
    id TEXT NOT NULL PRIMARY KEY,
    organisation_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    is_root INTEGER NOT NULL,
    key TEXT NOT NULL
  ) STRICT;
  INSERT INTO api_key_scoped (id, organisation_id, created_at, is_root, key)
    SELECT id, organisation_id, created_at, name = 'root', json_patch(
      json_object('name', name, 'hash', hash, 'scopes', json_array('sessions:read', 'sessions:write', 'agents:write',
        'credentials:write', 'keys:write', 'operator')),
      CASE name WHEN 'root' THEN json_object('rootHashes', json_array(hash)) ELSE '{}' END)
    FROM api_key;
  CREATE TABLE api_key_value (
    hash TEXT NOT NULL PRIMARY KEY,
    key_id TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO api_key_value (hash, key_id) SELECT hash, id FROM api_key;
  DROP TABLE api_key;
  ALTER TABLE api_key_scoped RENAME TO api_key;
  CREATE INDEX api_key_newest ON api_key (organisation_id, created_at, id);
  CREATE INDEX api_key_value_of_key ON api_key_value (key_id);
  `,
  // What revokes client tokens: of a session, or of a key.
  `
  CREATE TABLE token_generation (
    subject TEXT NOT NULL PRIMARY KEY,
    organisation_id TEXT NOT NULL,
    generation INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  // A session that is deleted leaves a tombstone. `session_key` is set until nothing is left that has it.
  `
  CREATE TABLE tombstone (
    id TEXT NOT NULL PRIMARY KEY,
    organisation_id TEXT NOT NULL,
    deleted_at INTEGER NOT NULL,
    deleted_by TEXT NOT NULL,
    session_key INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tombstone_pending ON tombstone (id, session_key) WHERE session_key IS NOT NULL;
  `,
  // Agents can be deleted: the record stays for its sessions, and lists and names are of those that are not. How long sessions that rest
  // are kept is a rule of the organisation or of one of its agents ('' in place of its id: of the organisation), counted by a clock of its own.
  // What has rested longest is found by an index that only sessions at rest are in.
  `
  ALTER TABLE agent ADD COLUMN deleted_at INTEGER;
  DROP INDEX agent_of_name;
  DROP INDEX agent_newest;
  CREATE UNIQUE INDEX agent_of_name ON agent (organisation_id, name) WHERE deleted_at IS NULL;
  CREATE INDEX agent_newest ON agent (organisation_id, created_at, id) WHERE deleted_at IS NULL;

  CREATE TABLE retention (
    organisation_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    PRIMARY KEY (organisation_id, agent_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE retention_clock (
    at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX session_resting ON session (organisation_id, status, status_at, id)
    WHERE status IN ('idle', 'awaiting_input', 'failed', 'archived');
  `,
  // What is due for sessions by itself: in the index are those alone for which something is.
  `
  ALTER TABLE session ADD COLUMN due_at INTEGER;
  CREATE INDEX session_due ON session (due_at, id) WHERE due_at IS NOT NULL;
  `,
  // What sessions wait for people for: since when, with which event that changed last, and the place of that change among all of them; also of
  // those that were deleted. What asks something already stands there with its row's key for a place.
  `
  ALTER TABLE session ADD COLUMN waits_since INTEGER;
  ALTER TABLE session ADD COLUMN waits_seq INTEGER;
  ALTER TABLE session ADD COLUMN waits_at INTEGER;
  ALTER TABLE tombstone ADD COLUMN waits_at INTEGER;
  UPDATE session SET waits_since = status_at, waits_at = key WHERE status = 'awaiting_input';
  CREATE INDEX session_waiting_for_people ON session (organisation_id, waits_since, id) WHERE waits_since IS NOT NULL;
  CREATE INDEX session_waits_changed ON session (organisation_id, waits_at, id, waits_seq) WHERE waits_at IS NOT NULL;
  CREATE INDEX tombstone_waits_changed ON tombstone (organisation_id, waits_at, id) WHERE waits_at IS NOT NULL;
  `,
];
