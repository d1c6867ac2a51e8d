-- The vault's first schema. One text for SQLite and PostgreSQL 15: UUID, BYTEA, BOOLEAN, and BIGINT microseconds since
-- the Unix epoch. `secret`, `sealed` and `wrapped` columns hold ciphertext only; the key that opens one stands beside it.

-- ── the vault and its order of events ──

CREATE TABLE vault (
    id          SMALLINT PRIMARY KEY CHECK (id = 1),
    vault       UUID     NOT NULL,
    incarnation BYTEA    NOT NULL,
    created_at  BIGINT   NOT NULL
);

-- The head of the audit log. Its row is the lock that orders all batches.
CREATE TABLE log_head (
    id         SMALLINT PRIMARY KEY CHECK (id = 1),
    turn       BIGINT   NOT NULL,
    size       BIGINT   NOT NULL,
    at         BIGINT   NOT NULL,
    right_edge BYTEA    NOT NULL,
    root       BYTEA    NOT NULL
);

-- What is hashed stands in columns that are never changed; salt and payload may be erased.
CREATE TABLE entries (
    seq          BIGINT PRIMARY KEY,
    at           BIGINT NOT NULL,
    tenant       UUID   NOT NULL,
    tenant_seq   BIGINT NOT NULL,
    tenant_prev  BYTEA  NOT NULL,
    kind         TEXT   NOT NULL,
    payload_hash BYTEA  NOT NULL,
    leaf_hash    BYTEA  NOT NULL,
    salt         BYTEA,
    payload      TEXT
);
CREATE UNIQUE INDEX entries_by_tenant ON entries (tenant, tenant_seq);

CREATE TABLE tenant_heads (
    tenant     UUID   PRIMARY KEY,
    tenant_seq BIGINT NOT NULL,
    leaf_hash  BYTEA  NOT NULL
);

-- Fences. A subject without a row is at epoch 0.
CREATE TABLE epochs (
    subject UUID   PRIMARY KEY,
    epoch   BIGINT NOT NULL
);

CREATE TABLE ended_leases (
    lease      UUID   PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX ended_leases_by_expiry ON ended_leases (expires_at);

-- How many leases live: counted, never listed.
CREATE TABLE lease_counts (
    connection    UUID   NOT NULL,
    worker        UUID   NOT NULL,
    expiry_minute BIGINT NOT NULL,
    tenant        UUID   NOT NULL,
    leases        BIGINT NOT NULL,
    PRIMARY KEY (connection, worker, expiry_minute)
);
CREATE INDEX lease_counts_by_tenant ON lease_counts (tenant, expiry_minute);
CREATE INDEX lease_counts_by_worker ON lease_counts (worker, expiry_minute);
CREATE INDEX lease_counts_by_expiry ON lease_counts (expiry_minute);

-- Access tokens that left the vault: nothing can recall them, so every receipt lists them.
CREATE TABLE residuals (
    connection UUID   NOT NULL,
    generation BIGINT NOT NULL,
    worker     UUID   NOT NULL,
    tenant     UUID   NOT NULL,
    first_at   BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (connection, generation, worker)
);
CREATE INDEX residuals_by_tenant ON residuals (tenant, expires_at);
CREATE INDEX residuals_by_worker ON residuals (worker, expires_at);
CREATE INDEX residuals_by_expiry ON residuals (expires_at);

-- ── keys: seal -> master -> tenant -> data ──
-- `uses` counts what is reserved, so it never counts too little.

CREATE TABLE master_keys (
    id              UUID   PRIMARY KEY,
    version         BIGINT NOT NULL UNIQUE,
    seal_kind       TEXT   NOT NULL,
    seal_parameters TEXT   NOT NULL,
    wrapped         BYTEA  NOT NULL,
    key_check       BYTEA  NOT NULL,
    uses            BIGINT NOT NULL,
    created_at      BIGINT NOT NULL
);

CREATE TABLE tenant_keys (
    id         UUID   PRIMARY KEY,
    tenant     UUID   NOT NULL UNIQUE,
    parent     UUID   NOT NULL,
    wrapped    BYTEA  NOT NULL,
    uses       BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- One for each credential version; `owner` is the connection, or the application whose client secret it seals.
CREATE TABLE data_keys (
    id         UUID   PRIMARY KEY,
    tenant     UUID   NOT NULL,
    owner      UUID   NOT NULL,
    parent     UUID   NOT NULL,
    wrapped    BYTEA  NOT NULL,
    uses       BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX data_keys_by_owner ON data_keys (owner);
CREATE INDEX data_keys_by_tenant ON data_keys (tenant);

CREATE TABLE lease_keys (
    id         UUID   PRIMARY KEY,
    parent     UUID   NOT NULL,
    wrapped    BYTEA  NOT NULL,
    uses       BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- ── who ──

CREATE TABLE tenants (
    id         UUID   PRIMARY KEY,
    name       TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    id            UUID   PRIMARY KEY,
    tenant        UUID,
    email         TEXT   NOT NULL UNIQUE,
    role          TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    password_hash TEXT,
    created_at    BIGINT NOT NULL
);
CREATE INDEX users_by_tenant ON users (tenant, id);

CREATE TABLE access_keys (
    id          UUID   PRIMARY KEY,
    user_id     UUID   NOT NULL,
    label       TEXT   NOT NULL,
    secret_hash BYTEA  NOT NULL UNIQUE,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    ended_at    BIGINT
);
CREATE INDEX access_keys_by_user ON access_keys (user_id);

CREATE TABLE sub_processors (
    id         UUID   PRIMARY KEY,
    name       TEXT   NOT NULL UNIQUE,
    service    TEXT   NOT NULL,
    country    TEXT   NOT NULL,
    basis      TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

-- `id` is the fence subject: it is derived from the pair, so that a lease can name it before anyone objects.
CREATE TABLE objections (
    id            UUID    PRIMARY KEY,
    tenant        UUID    NOT NULL,
    sub_processor UUID    NOT NULL,
    standing      BOOLEAN NOT NULL,
    changed_at    BIGINT  NOT NULL
);
CREATE INDEX objections_by_tenant ON objections (tenant, sub_processor);

CREATE TABLE workers (
    id                   UUID   PRIMARY KEY,
    name                 TEXT   NOT NULL UNIQUE,
    module               TEXT   NOT NULL,
    sub_processor        UUID   NOT NULL,
    state                TEXT   NOT NULL,
    secret_hash          BYTEA  NOT NULL,
    previous_secret_hash BYTEA,
    previous_secret_ends BIGINT,
    created_at           BIGINT NOT NULL
);

-- ── what ──

CREATE TABLE applications (
    id         UUID    PRIMARY KEY,
    provider   TEXT    NOT NULL UNIQUE,
    client_id  TEXT    NOT NULL,
    public_id  TEXT    NOT NULL,
    draft      BOOLEAN NOT NULL,
    version    BIGINT  NOT NULL,
    secret_key UUID    NOT NULL,
    secret     BYTEA   NOT NULL,
    created_at BIGINT  NOT NULL,
    changed_at BIGINT  NOT NULL
);

CREATE TABLE connections (
    id                 UUID   PRIMARY KEY,
    tenant             UUID   NOT NULL,
    provider           TEXT   NOT NULL,
    name               TEXT   NOT NULL,
    kind               TEXT   NOT NULL,
    region             TEXT   NOT NULL,
    country            TEXT   NOT NULL,
    account            TEXT,
    state              TEXT   NOT NULL,
    credential_version BIGINT NOT NULL,
    created_at         BIGINT NOT NULL,
    authorized_at      BIGINT,
    renew_by           BIGINT
);
CREATE INDEX connections_by_tenant ON connections (tenant, id);

CREATE TABLE credentials (
    connection UUID   NOT NULL,
    version    BIGINT NOT NULL,
    key        UUID   NOT NULL,
    sealed     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (connection, version)
);

-- The newest access token of a connection; `generation` counts them.
CREATE TABLE access_tokens (
    connection         UUID   PRIMARY KEY,
    generation         BIGINT NOT NULL,
    credential_version BIGINT NOT NULL,
    key                UUID   NOT NULL,
    sealed             BYTEA  NOT NULL,
    issued_at          BIGINT NOT NULL,
    expires_at         BIGINT NOT NULL
);

-- The fenced refresh row: who may speak to the provider for this connection, until when, and how far he came.
CREATE TABLE refreshes (
    connection UUID   PRIMARY KEY,
    fence      BIGINT NOT NULL,
    holder     UUID   NOT NULL,
    state      TEXT   NOT NULL,
    deadline   BIGINT NOT NULL
);

CREATE TABLE grants (
    id         UUID   PRIMARY KEY,
    tenant     UUID   NOT NULL,
    connection UUID   NOT NULL,
    module     TEXT   NOT NULL,
    scopes     TEXT   NOT NULL,
    delivery   TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (connection, module)
);
CREATE INDEX grants_by_tenant ON grants (tenant, id);

-- Consents under way. The state parameter is recognised by its hash.
CREATE TABLE consents (
    state_hash       BYTEA  PRIMARY KEY,
    connection       UUID   NOT NULL,
    tenant           UUID   NOT NULL,
    user_id          UUID   NOT NULL,
    user_epoch       BIGINT NOT NULL,
    browser_hash     BYTEA,
    expected_account TEXT,
    redirect_uri     TEXT   NOT NULL,
    expires_at       BIGINT NOT NULL
);
CREATE INDEX consents_by_expiry ON consents (expires_at);

-- Authorizations that began in the provider's own store, waiting for an owner to claim them.
CREATE TABLE store_visits (
    ticket_hash  BYTEA   PRIMARY KEY,
    provider     TEXT    NOT NULL,
    callback_uri TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    account      TEXT    NOT NULL,
    draft        BOOLEAN NOT NULL,
    expires_at   BIGINT  NOT NULL
);
CREATE INDEX store_visits_by_expiry ON store_visits (expires_at);

-- Which type a report, feed or document is of: the id alone does not show its category.
CREATE TABLE typed_documents (
    connection  UUID   NOT NULL,
    kind        TEXT   NOT NULL,
    external_id TEXT   NOT NULL,
    type        TEXT   NOT NULL,
    seen_at     BIGINT NOT NULL,
    PRIMARY KEY (connection, kind, external_id)
);

-- ── cuts ──

CREATE TABLE receipts (
    id         UUID   PRIMARY KEY,
    tenant     UUID   NOT NULL,
    seq        BIGINT NOT NULL,
    body       TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX receipts_by_tenant ON receipts (tenant, id);

-- Work that follows a wide cut and survives a crash.
CREATE TABLE jobs (
    id         UUID   PRIMARY KEY,
    kind       TEXT   NOT NULL,
    subject    UUID   NOT NULL,
    created_at BIGINT NOT NULL,
    done_at    BIGINT
);

CREATE TABLE idempotency (
    request_hash BYTEA    PRIMARY KEY,
    user_id      UUID     NOT NULL,
    body_hash    BYTEA    NOT NULL,
    created      UUID     NOT NULL,
    expires_at   BIGINT   NOT NULL
);
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
