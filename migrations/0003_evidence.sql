-- What others can check the audit log by. Only expands: a node of the version before goes on beside it.

-- The keys that sign checkpoints, numbered from 1; the newest signs. `verifier` is the public key as C2SP's signed-note
-- writes it; `introduction` is a note on it, signed by it and by the key before.
CREATE TABLE signers (
    id           UUID   PRIMARY KEY,
    number       BIGINT NOT NULL UNIQUE,
    verifier     TEXT   NOT NULL,
    introduction TEXT   NOT NULL,
    key          UUID   NOT NULL,
    seed         BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL
);

-- Full tiles of the tree: 256 hashes in `hashes`, and their root. Level 0 holds the entries' own hashes. They follow from
-- the entries, and spare proofs the reading of them.
CREATE TABLE tiles (
    level  BIGINT NOT NULL,
    place  BIGINT NOT NULL,
    hashes BYTEA  NOT NULL,
    root   BYTEA  NOT NULL,
    PRIMARY KEY (level, place)
);

-- Signed checkpoints. `map_seq` is the entry that commits the map of the tenants' newest entries, `map_size` how many
-- entries the log had when the map was made.
CREATE TABLE checkpoints (
    size       BIGINT PRIMARY KEY,
    map_seq    BIGINT NOT NULL,
    map_size   BIGINT NOT NULL,
    note       TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
