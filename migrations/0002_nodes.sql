-- Several nodes over one database. Only expands: a node of the version before goes on beside it.

-- The turn of the head in which an epoch was raised or a lease ended. Turns are taken under the lock on the head, so a
-- node that has seen turn T has seen everything up to it, and asks for what came after.
ALTER TABLE epochs ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
CREATE INDEX epochs_by_turn ON epochs (turn);
ALTER TABLE ended_leases ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
CREATE INDEX ended_leases_by_turn ON ended_leases (turn);

-- Whether an entry is told to people who follow events: changes are, uses are not.
ALTER TABLE entries ADD COLUMN announced BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX entries_announced ON entries (seq) WHERE announced;

-- The newest batch of each node: what a commit whose answer was lost is looked up in.
CREATE TABLE batches (
    node  UUID   PRIMARY KEY,
    batch BIGINT NOT NULL
);

-- The nodes. `beat` moves while a node lives; `cut_through` is the turn up to which it has stopped what was revoked.
CREATE TABLE nodes (
    id          UUID   PRIMARY KEY,
    name        TEXT   NOT NULL,
    version     TEXT   NOT NULL,
    beat        BIGINT NOT NULL,
    cut_through BIGINT NOT NULL,
    started_at  BIGINT NOT NULL
);

-- How many requests each node stopped for a raise, where there were any: receipts add them up.
CREATE TABLE cut_reports (
    turn     BIGINT NOT NULL,
    subject  UUID   NOT NULL,
    node     UUID   NOT NULL,
    requests BIGINT NOT NULL,
    PRIMARY KEY (turn, subject, node)
);
