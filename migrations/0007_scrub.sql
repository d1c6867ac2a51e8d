-- The vault's own look at its log. Only expands: a node of the version before goes on beside it.

-- The scrub: the next entry that is looked at, by which node and when it last moved, and the first flaw that it knows of.
CREATE TABLE scrub (
    id       SMALLINT PRIMARY KEY CHECK (id = 1),
    next     BIGINT NOT NULL,
    rounds   BIGINT NOT NULL,
    node     UUID   NOT NULL,
    moved_at BIGINT NOT NULL,
    flaw_seq BIGINT,
    flaw     TEXT,
    flaw_at  BIGINT
);
