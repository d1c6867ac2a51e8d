-- What is known of restores. Only expands: a node of the version before goes on beside it.

-- While a row stands here, no node commits anything but what mends: one of them acknowledged what this database lacks.
-- `why` is told to people. The anchored size and root are those that the node held that found it out.
CREATE TABLE quarantine (
    id            SMALLINT PRIMARY KEY CHECK (id = 1),
    why           TEXT     NOT NULL,
    anchored_size BIGINT   NOT NULL,
    anchored_root BYTEA,
    node          TEXT     NOT NULL,
    since         BIGINT   NOT NULL
);

-- Restores that a security officer accepted: the incarnation that ended with each, and the entry that says so.
CREATE TABLE restores (
    ended       BYTEA  PRIMARY KEY,
    begun       BYTEA  NOT NULL,
    seq         BIGINT NOT NULL,
    accepted_at BIGINT NOT NULL
);

-- What nodes in quarantine know from their journals and do not find in this database: whoever accepts it carries all of
-- it out again. `id` is the SHA-256 of the record.
CREATE TABLE lost_endings (
    id     BYTEA PRIMARY KEY,
    record TEXT  NOT NULL
);
