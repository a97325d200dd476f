/** The tables as they were when there was one organisation: the first six steps of migrations.ts, which are never changed. */
export const MIGRATIONS_OF_ONE_ORGANISATION: readonly string[] = [
  `
  CREATE TABLE session (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    natural_key TEXT UNIQUE,
    agent_id TEXT NOT NULL,
    status TEXT NOT NULL,
    status_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    lease_owner TEXT,
    origin TEXT NOT NULL,
    state TEXT NOT NULL
  ) STRICT;
  CREATE INDEX session_newest ON session (created_at, id);
  CREATE INDEX session_newest_of_status ON session (status, created_at, id);
  CREATE INDEX session_newest_of_agent ON session (agent_id, created_at, id);
  CREATE INDEX session_wanted ON session (status_at, key) WHERE status IN ('queued', 'running');
  CREATE INDEX session_leased ON session (lease_owner) WHERE lease_owner IS NOT NULL;

  CREATE TABLE event (
    rowid INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    level TEXT NOT NULL,
    turn TEXT,
    actor TEXT NOT NULL,
    body TEXT NOT NULL,
    bytes_total INTEGER NOT NULL,
    append_key TEXT,
    append_count INTEGER,
    spilled_bytes INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX event_place ON event (session, seq);
  CREATE UNIQUE INDEX event_append ON event (session, append_key) WHERE append_key IS NOT NULL;

  CREATE TABLE event_body (
    session INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (session, seq)
  ) STRICT;

  CREATE TABLE turn (
    session INTEGER NOT NULL,
    number INTEGER NOT NULL,
    turn TEXT NOT NULL,
    PRIMARY KEY (session, number)
  ) STRICT;

  CREATE TABLE agent (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    agent TEXT NOT NULL
  ) STRICT;
  CREATE INDEX agent_newest ON agent (created_at, id);

  CREATE TABLE agent_revision (
    agent_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    revision TEXT NOT NULL,
    PRIMARY KEY (agent_id, number)
  ) STRICT;

  CREATE TABLE credential (
    id TEXT NOT NULL PRIMARY KEY,
    provider TEXT NOT NULL,
    name TEXT,
    last4 TEXT NOT NULL,
    is_default INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    rotated_at INTEGER NOT NULL,
    request_hash TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX credential_default ON credential (provider) WHERE is_default = 1;
  CREATE INDEX credential_newest ON credential (created_at, id);

  CREATE TABLE api_key (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE owner (
    name TEXT NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
  ) STRICT;
  `,
  // A credential's key has a name of its own; a turn is found by its id; nobody looks for the sessions of a lease any more.
  `
  ALTER TABLE credential ADD COLUMN secret TEXT NOT NULL DEFAULT '';
  ALTER TABLE credential ADD COLUMN agent TEXT;
  UPDATE credential SET secret = id;

  ALTER TABLE turn ADD COLUMN id TEXT NOT NULL DEFAULT '';
  UPDATE turn SET id = json_extract(turn, '$.id');
  CREATE INDEX turn_of_id ON turn (session, id);

  DROP INDEX session_leased;
  ALTER TABLE session DROP COLUMN lease_owner;
  `,
  // The queue of webhooks. A group has a row as long as it has messages: `due_at` is when it may give one.
  `
  CREATE TABLE queue_message (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    group_name TEXT NOT NULL,
    body TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    receive_count INTEGER NOT NULL,
    receipt TEXT,
    first_received_at INTEGER,
    last_received_at INTEGER,
    state TEXT NOT NULL,
    done_at INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX queue_message_received ON queue_message (receipt) WHERE receipt IS NOT NULL;
  CREATE INDEX queue_message_live ON queue_message (group_name, number) WHERE state = 'live';
  CREATE INDEX queue_message_dead ON queue_message (done_at, id) WHERE state = 'dead';
  CREATE INDEX queue_message_deleted ON queue_message (done_at) WHERE state = 'deleted';

  CREATE TABLE queue_group (
    name TEXT NOT NULL PRIMARY KEY,
    due_at INTEGER NOT NULL,
    is_held INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX queue_group_due ON queue_group (due_at);
  `,
  // A credential remembers the requests that changed it, and stays known when it was deleted: a replay finds itself there.
  `
  ALTER TABLE credential ADD COLUMN requests TEXT;
  ALTER TABLE credential ADD COLUMN is_deleted INTEGER NOT NULL DEFAULT 0;
  `,
  // Heartbeats count, since clocks disagree; a file has one server, so those of before are all dead. A session whose lease nobody
  // has ended is looked for beside those that want a brain.
  `
  DROP TABLE owner;
  CREATE TABLE owner (
    name TEXT NOT NULL PRIMARY KEY,
    beats INTEGER NOT NULL
  ) STRICT;

  ALTER TABLE session ADD COLUMN lease_owner TEXT;
  UPDATE session SET lease_owner = json_extract(state, '$.lease.owner');
  DROP INDEX session_wanted;
  CREATE INDEX session_wanted ON session (status_at, key)
    WHERE status IN ('queued', 'running') OR lease_owner IS NOT NULL;
  `,
  // The keys of appends move to an index that is written in bulk (append-keys.ts): all of those that are there, in its order.
  `
  CREATE TABLE append_key (
    session INTEGER NOT NULL,
    key TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (session, key)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO append_key (session, key, first_seq, last_seq)
    SELECT session, append_key, seq, seq + append_count - 1 FROM event WHERE append_key IS NOT NULL
    ORDER BY session, append_key;

  CREATE TABLE append_key_end (
    event_row INTEGER NOT NULL
  ) STRICT;
  INSERT INTO append_key_end (event_row) SELECT coalesce(max(rowid), 0) FROM event;
  DROP INDEX event_append;
  `,
];
