/** One row: which store this is, and the last position given out. A restored store is given a new incarnation. */
export const tables = [
  `CREATE TABLE store (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    incarnation uuid NOT NULL DEFAULT uuidv7(),
    position bigint NOT NULL DEFAULT 0
  ) WITH (fillfactor = 50)`,
  'INSERT INTO store DEFAULT VALUES',
  // The guard of a stream. Updated in place with each append: room in the page keeps those updates off the index (HOT).
  `CREATE TABLE streams (
    stream_id text COLLATE "C" PRIMARY KEY,
    category text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    head bytea NOT NULL,
    recorded_at bigint NOT NULL
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)`,
  // Payload and metadata are the bytes that were hashed; jsonb would not keep them. Times are milliseconds since the epoch.
  `CREATE TABLE events (
    position bigint PRIMARY KEY,
    stream_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    type text COLLATE "C" NOT NULL,
    schema_version integer NOT NULL,
    payload bytea NOT NULL,
    metadata bytea NOT NULL,
    hash bytea NOT NULL,
    recorded_at bigint NOT NULL,
    UNIQUE (stream_id, version)
  )`,
  `CREATE VIEW readable_events AS
    SELECT position, stream_id, version, type, schema_version, convert_from(payload, 'UTF8')::jsonb AS data,
      convert_from(metadata, 'UTF8')::jsonb AS metadata, encode(hash, 'hex') AS hash, to_timestamp(recorded_at / 1000.0) AS recorded_at
    FROM events`,
  `CREATE TABLE commands (
    command_id text COLLATE "C" PRIMARY KEY,
    fingerprint text COLLATE "C" NOT NULL,
    answer bytea NOT NULL,
    recorded_at bigint NOT NULL
  )`,
  // Only these are ever swept: see `EXPIRING`.
  `CREATE INDEX commands_expiring ON commands (recorded_at) WHERE command_id LIKE 'http:%'`,
  // One snapshot per stream and shape of state: during a rolling deployment two shapes live side by side.
  `CREATE TABLE snapshots (
    stream_id text COLLATE "C" NOT NULL,
    shape text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    hash bytea NOT NULL,
    recorded_at bigint NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (stream_id, shape)
  )`,
  // Messages that no event carries. What the relay has passed is deleted.
  `CREATE TABLE outbox (
    position bigint NOT NULL,
    ordinal integer NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    type text NOT NULL,
    schema_version integer NOT NULL,
    message_id text,
    payload bytea NOT NULL,
    context bytea NOT NULL,
    recorded_at bigint NOT NULL,
    PRIMARY KEY (position, ordinal)
  )`,
  `CREATE TABLE relay (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL DEFAULT 0,
    epoch bigint NOT NULL DEFAULT 0,
    owner text,
    lease_until timestamptz NOT NULL DEFAULT '-infinity'
  ) WITH (fillfactor = 50)`,
  'INSERT INTO relay DEFAULT VALUES',
]
