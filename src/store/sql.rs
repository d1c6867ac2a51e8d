//! Every statement, once, for both databases. A test prepares each of them on each.
//!
//! Placeholders are `$N`; upserts are `ON CONFLICT`; nothing here is built from input. Multi-row inserts (entries, chain
//! heads, counters) are built from a fixed head beside their use, in fixed sizes. What only one of the two has, a catalogue
//! of its own or notifications, stands at the end.

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $sql;)*
        /// Each statement with its name, for the test that prepares them.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $sql)),*];
    };
}

statements! {
    // ── vault ──
    VAULT_INSERT = "INSERT INTO vault (id, vault, incarnation, created_at) VALUES (1, $1, $2, $3)";
    VAULT_SHOW = "SELECT vault, incarnation FROM vault WHERE id = 1";
    VAULT_FENCE = "SELECT incarnation, EXISTS (SELECT 1 FROM quarantine) FROM vault WHERE id = 1";
    QUARANTINE_SET = "INSERT INTO quarantine (id, why, anchored_size, anchored_root, node, since) VALUES (1, $1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
    QUARANTINE_SHOW = "SELECT why, anchored_size, anchored_root, node, since FROM quarantine WHERE id = 1";
    RESTORE_ENDED = "SELECT seq FROM restores WHERE ended = $1";

    // ── whole databases ──
    MIGRATIONS_APPLIED = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
    MARK_UNFINISHED = "CREATE TABLE unfinished_copy (begun_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)";
    KEYLESS = "SELECT 'tenant_keys', id FROM tenant_keys WHERE NOT EXISTS (SELECT 1 FROM master_keys WHERE master_keys.id = tenant_keys.parent) UNION ALL SELECT 'lease_keys', id FROM lease_keys WHERE NOT EXISTS (SELECT 1 FROM master_keys WHERE master_keys.id = lease_keys.parent) UNION ALL SELECT 'data_keys', id FROM data_keys WHERE NOT EXISTS (SELECT 1 FROM tenant_keys WHERE tenant_keys.id = data_keys.parent) UNION ALL SELECT 'credentials', connection FROM credentials WHERE NOT EXISTS (SELECT 1 FROM data_keys WHERE data_keys.id = credentials.key) UNION ALL SELECT 'access_tokens', connection FROM access_tokens WHERE NOT EXISTS (SELECT 1 FROM data_keys WHERE data_keys.id = access_tokens.key) UNION ALL SELECT 'applications', id FROM applications WHERE NOT EXISTS (SELECT 1 FROM data_keys WHERE data_keys.id = applications.secret_key) LIMIT 1";

    // ── log ──
    HEAD_INSERT = "INSERT INTO log_head (id, turn, size, at, right_edge, root) VALUES (1, 0, 0, $1, $2, $3)";
    HEAD_LOCK = "UPDATE log_head SET turn = turn + 1 WHERE id = 1 RETURNING turn, size, at, right_edge, root";
    HEAD_SHOW = "SELECT turn, size, at, right_edge, root FROM log_head WHERE id = 1";
    HEAD_MOVE = "UPDATE log_head SET size = $1, at = $2, right_edge = $3, root = $4 WHERE id = 1";
    TENANT_HEAD_SHOW = "SELECT tenant_seq, leaf_hash FROM tenant_heads WHERE tenant = $1";
    ENTRY_PAGE = "SELECT seq, at, tenant, tenant_seq, tenant_prev, kind, payload_hash, leaf_hash, salt, payload FROM entries WHERE seq >= $1 ORDER BY seq LIMIT $2";
    ENTRY_TENANT_PAGE = "SELECT seq, at, tenant, tenant_seq, tenant_prev, kind, payload_hash, leaf_hash, salt, payload FROM entries WHERE tenant = $1 AND tenant_seq >= $2 ORDER BY tenant_seq LIMIT $3";
    ENTRY_TENANT_TAIL = "SELECT seq, at, tenant, tenant_seq, tenant_prev, kind, payload_hash, leaf_hash, salt, payload FROM entries WHERE tenant = $1 AND tenant_seq < $2 ORDER BY tenant_seq DESC LIMIT $3";
    ENTRY_LEAF = "SELECT leaf_hash FROM entries WHERE seq = $1";
    ENTRY_LEAVES = "SELECT seq, leaf_hash FROM entries WHERE seq >= $1 AND seq < $2 ORDER BY seq";
    TENANT_HEADS = "SELECT tenant, tenant_seq, leaf_hash FROM tenant_heads ORDER BY tenant";
    TILE_SHOW = "SELECT hashes FROM tiles WHERE level = $1 AND place = $2";
    TILE_ROOTS = "SELECT place, root FROM tiles WHERE level = $1 AND place >= $2 AND place < $3 ORDER BY place";
    TILE_NEWEST = "SELECT MAX(place) FROM tiles WHERE level = $1";
    TILE_INSERT = "INSERT INTO tiles (level, place, hashes, root) VALUES ($1, $2, $3, $4) ON CONFLICT (level, place) DO NOTHING";
    CHECKPOINT_INSERT = "INSERT INTO checkpoints (size, map_seq, map_size, note, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (size) DO NOTHING";
    CHECKPOINT_NEWEST = "SELECT size, map_seq, map_size, note, created_at FROM checkpoints ORDER BY size DESC LIMIT 1";
    CHECKPOINTS_NEWEST = "SELECT size, map_seq, map_size, note, created_at FROM checkpoints WHERE size <= $1 ORDER BY size DESC LIMIT $2";
    CHECKPOINTS_BETWEEN = "SELECT size, map_seq, map_size, note, created_at FROM checkpoints WHERE size > $1 AND size <= $2 ORDER BY size";
    SCRUB_SHOW = "SELECT next, rounds, node, moved_at, flaw_seq, flaw, flaw_at FROM scrub WHERE id = 1";
    SCRUB_MOVE = "INSERT INTO scrub (id, next, rounds, node, moved_at, flaw_seq, flaw, flaw_at) VALUES (1, $1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET next = excluded.next, rounds = excluded.rounds, node = excluded.node, moved_at = excluded.moved_at, flaw_seq = excluded.flaw_seq, flaw = excluded.flaw, flaw_at = excluded.flaw_at WHERE scrub.node = excluded.node OR scrub.moved_at < $8";
    SIGNERS_ALL = "SELECT id, number, verifier, introduction, key, seed, created_at FROM signers ORDER BY number";
    SIGNER_INSERT = "INSERT INTO signers (id, number, verifier, introduction, key, seed, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    SIGNER_NEWEST = "SELECT id, number, verifier, introduction, key, seed, created_at FROM signers ORDER BY number DESC LIMIT 1";
    SIGNER_LIST = "SELECT number, verifier, introduction, created_at FROM signers ORDER BY number";
    ENTRIES_ANNOUNCED = "SELECT seq, at, tenant, kind, payload FROM entries WHERE announced AND seq >= $1 AND seq < $2 ORDER BY seq LIMIT $3";
    ENTRY_TAIL = "SELECT seq, at, tenant, tenant_seq, tenant_prev, kind, payload_hash, leaf_hash, salt, payload FROM entries WHERE seq < $1 ORDER BY seq DESC LIMIT $2";

    // ── fences ──
    EPOCH_SHOW = "SELECT epoch FROM epochs WHERE subject = $1";
    EPOCH_RAISE = "INSERT INTO epochs (subject, epoch, turn) VALUES ($1, 1, $2) ON CONFLICT (subject) DO UPDATE SET epoch = epochs.epoch + 1, turn = excluded.turn RETURNING epoch";
    EPOCHS_RAISED_AFTER = "SELECT subject, epoch, turn FROM epochs WHERE turn > $1 ORDER BY turn";
    ENDED_LEASE_INSERT = "INSERT INTO ended_leases (lease, expires_at, turn) VALUES ($1, $2, $3) ON CONFLICT (lease) DO NOTHING";
    ENDED_LEASES_AFTER = "SELECT lease FROM ended_leases WHERE turn > $1";
    ENDED_LEASE_SHOW = "SELECT 1 FROM ended_leases WHERE lease = $1";
    ENDED_LEASES_SWEEP = "DELETE FROM ended_leases WHERE expires_at < $1";

    // ── nodes ──
    BATCH_SET = "INSERT INTO batches (node, batch) VALUES ($1, $2) ON CONFLICT (node) DO UPDATE SET batch = excluded.batch";
    BATCH_SHOW = "SELECT batch FROM batches WHERE node = $1";
    BATCH_FORGET = "DELETE FROM batches WHERE node = $1";
    BATCH_BEGIN = "INSERT INTO batches (node, batch) VALUES ($1, 0) ON CONFLICT (node) DO NOTHING";
    NODE_JOIN = "INSERT INTO nodes (id, name, version, beat, cut_through, started_at) VALUES ($1, $2, $3, 0, $4, $5) ON CONFLICT (id) DO UPDATE SET beat = nodes.beat + 1, cut_through = excluded.cut_through";
    NODE_BEAT = "UPDATE nodes SET beat = beat + 1, cut_through = $2 WHERE id = $1";
    NODE_LEAVE = "DELETE FROM nodes WHERE id = $1";
    NODES_LIST = "SELECT id, name, version, beat, cut_through, started_at FROM nodes ORDER BY id";
    CUT_REPORT_INSERT = "INSERT INTO cut_reports (turn, subject, node, requests) VALUES ($1, $2, $3, $4) ON CONFLICT (turn, subject, node) DO NOTHING";
    CUT_REPORT_SUM = "SELECT CAST(COALESCE(SUM(requests), 0) AS BIGINT) FROM cut_reports WHERE turn = $1 AND subject = $2";
    CUT_REPORTS_SWEEP = "DELETE FROM cut_reports WHERE turn < $1";

    // ── lease counts and residual tokens ──
    LEASE_COUNT_OF_CONNECTION = "SELECT CAST(COALESCE(SUM(leases), 0) AS BIGINT) FROM lease_counts WHERE connection = $1 AND expiry_minute >= $2";
    LEASE_COUNT_OF_TENANT = "SELECT CAST(COALESCE(SUM(leases), 0) AS BIGINT) FROM lease_counts WHERE tenant = $1 AND expiry_minute >= $2";
    LEASE_COUNT_OF_WORKER = "SELECT CAST(COALESCE(SUM(leases), 0) AS BIGINT) FROM lease_counts WHERE worker = $1 AND expiry_minute >= $2";
    LEASE_COUNT_OF_VAULT = "SELECT CAST(COALESCE(SUM(leases), 0) AS BIGINT) FROM lease_counts WHERE expiry_minute >= $1";
    LEASE_COUNT_LOWER = "UPDATE lease_counts SET leases = leases - 1 WHERE connection = $1 AND worker = $2 AND expiry_minute = $3 AND leases > 0";
    LEASE_COUNTS_CLEAR_CONNECTION = "DELETE FROM lease_counts WHERE connection = $1";
    LEASE_COUNTS_CLEAR_TENANT = "DELETE FROM lease_counts WHERE tenant = $1";
    LEASE_COUNTS_CLEAR_WORKER = "DELETE FROM lease_counts WHERE worker = $1";
    LEASE_COUNTS_CLEAR = "DELETE FROM lease_counts";
    LEASE_COUNTS_SWEEP = "DELETE FROM lease_counts WHERE expiry_minute < $1";
    RESIDUALS_OF_CONNECTION = "SELECT connection, worker, generation, first_at, expires_at FROM residuals WHERE connection = $1 AND expires_at > $2 ORDER BY expires_at DESC, generation, worker LIMIT $3 OFFSET $4";
    RESIDUALS_OF_TENANT = "SELECT connection, worker, generation, first_at, expires_at FROM residuals WHERE tenant = $1 AND expires_at > $2 ORDER BY expires_at DESC, connection, generation, worker LIMIT $3 OFFSET $4";
    RESIDUALS_OF_WORKER = "SELECT connection, worker, generation, first_at, expires_at FROM residuals WHERE worker = $1 AND expires_at > $2 ORDER BY expires_at DESC, connection, generation LIMIT $3 OFFSET $4";
    RESIDUALS_OF_VAULT = "SELECT connection, worker, generation, first_at, expires_at FROM residuals WHERE expires_at > $1 ORDER BY expires_at DESC, connection, generation, worker LIMIT $2 OFFSET $3";
    RESIDUAL_NEWEST = "SELECT COALESCE(MAX(generation), 0) FROM residuals WHERE connection = $1";
    RESIDUAL_COUNT_OF_CONNECTION = "SELECT COUNT(*) FROM residuals WHERE connection = $1 AND expires_at > $2";
    RESIDUAL_COUNT_OF_TENANT = "SELECT COUNT(*) FROM residuals WHERE tenant = $1 AND expires_at > $2";
    RESIDUAL_COUNT_OF_WORKER = "SELECT COUNT(*) FROM residuals WHERE worker = $1 AND expires_at > $2";
    RESIDUAL_COUNT_OF_VAULT = "SELECT COUNT(*) FROM residuals WHERE expires_at > $1";
    RESIDUALS_SWEEP = "DELETE FROM residuals WHERE expires_at < $1";

    // ── keys ──
    MASTER_KEY_INSERT = "INSERT INTO master_keys (id, version, seal_kind, seal_parameters, wrapped, key_check, uses, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    MASTER_KEY_NEWEST = "SELECT id, version, seal_kind, seal_parameters, wrapped, key_check, uses, created_at FROM master_keys ORDER BY version DESC LIMIT 1";
    MASTER_KEY_RESERVE = "UPDATE master_keys SET uses = uses + $2 WHERE id = $1 AND uses <= $3 RETURNING uses";
    TENANT_KEY_INSERT = "INSERT INTO tenant_keys (id, tenant, parent, wrapped, uses, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    TENANT_KEY_SHOW = "SELECT id, parent, wrapped, uses, created_at FROM tenant_keys WHERE tenant = $1";
    TENANT_KEY_RESERVE = "UPDATE tenant_keys SET uses = uses + $2 WHERE id = $1 AND uses <= $3 RETURNING uses";
    TENANT_KEY_COUNT = "SELECT COUNT(*) FROM tenant_keys";
    DATA_KEY_INSERT = "INSERT INTO data_keys (id, tenant, owner, parent, wrapped, uses, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    DATA_KEY_SHOW = "SELECT id, tenant, parent, wrapped, uses, created_at FROM data_keys WHERE id = $1";
    DATA_KEY_RESERVE = "UPDATE data_keys SET uses = uses + $2 WHERE id = $1 AND uses <= $3 RETURNING uses";
    DATA_KEYS_DESTROY_OWNER = "DELETE FROM data_keys WHERE owner = $1";
    DATA_KEYS_DESTROY_ID = "DELETE FROM data_keys WHERE id = $1";
    DATA_KEY_COUNT = "SELECT COUNT(*) FROM data_keys";
    LEASE_KEY_INSERT = "INSERT INTO lease_keys (id, parent, wrapped, uses, created_at) VALUES ($1, $2, $3, $4, $5)";
    LEASE_KEYS_NEWEST = "SELECT id, parent, wrapped, uses, created_at FROM lease_keys ORDER BY created_at DESC, id DESC LIMIT 64";
    LEASE_KEY_RESERVE = "UPDATE lease_keys SET uses = uses + $2 WHERE id = $1 AND uses <= $3 RETURNING uses";

    // ── tenants ──
    TENANT_INSERT = "INSERT INTO tenants (id, name, state, created_at) VALUES ($1, $2, 'active', $3)";
    TENANT_SHOW = "SELECT id, name, state, created_at FROM tenants WHERE id = $1";
    TENANT_PAGE = "SELECT id, name, state, created_at FROM tenants WHERE id > $1 ORDER BY id LIMIT $2";
    TENANT_STATE_SET = "UPDATE tenants SET state = $2 WHERE id = $1";

    // ── users ──
    USER_INSERT = "INSERT INTO users (id, tenant, email, role, state, password_hash, created_at) VALUES ($1, $2, $3, $4, 'active', $5, $6)";
    USER_SHOW = "SELECT id, tenant, email, role, state, created_at FROM users WHERE id = $1";
    USER_PAGE = "SELECT id, tenant, email, role, state, created_at FROM users WHERE id > $1 ORDER BY id LIMIT $2";
    USER_TENANT_PAGE = "SELECT id, tenant, email, role, state, created_at FROM users WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3";
    USER_END = "UPDATE users SET state = 'ended' WHERE id = $1 AND state = 'active'";
    ACCESS_KEY_INSERT = "INSERT INTO access_keys (id, user_id, label, secret_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)";
    ACCESS_KEY_CALLER = "SELECT k.id, k.expires_at, u.id, u.tenant, u.role, COALESCE(e.epoch, 0) FROM access_keys k JOIN users u ON u.id = k.user_id LEFT JOIN epochs e ON e.subject = u.id WHERE k.secret_hash = $1 AND k.ended_at IS NULL AND u.state = 'active'";
    ACCESS_KEY_SHOW = "SELECT id, user_id, label, created_at, expires_at, ended_at FROM access_keys WHERE id = $1";
    ACCESS_KEYS_OF_USER = "SELECT id, user_id, label, created_at, expires_at, ended_at FROM access_keys WHERE user_id = $1 ORDER BY id";
    ACCESS_KEY_END = "UPDATE access_keys SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";

    // ── sub-processors ──
    SUB_PROCESSOR_INSERT = "INSERT INTO sub_processors (id, name, service, country, basis, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    SUB_PROCESSOR_SHOW = "SELECT id, name, service, country, basis, created_at FROM sub_processors WHERE id = $1";
    SUB_PROCESSOR_PAGE = "SELECT id, name, service, country, basis, created_at FROM sub_processors WHERE id > $1 ORDER BY id LIMIT $2";
    OBJECTION_SET = "INSERT INTO objections (id, tenant, sub_processor, standing, changed_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET standing = excluded.standing, changed_at = excluded.changed_at";
    OBJECTION_SHOW = "SELECT standing FROM objections WHERE id = $1";

    // ── workers ──
    WORKER_INSERT = "INSERT INTO workers (id, name, module, sub_processor, state, secret_hash, created_at) VALUES ($1, $2, $3, $4, 'active', $5, $6)";
    WORKER_SHOW = "SELECT w.id, w.name, w.module, w.sub_processor, w.state, w.secret_hash, w.previous_secret_hash, w.previous_secret_ends, w.created_at, COALESCE(e.epoch, 0) AS epoch FROM workers w LEFT JOIN epochs e ON e.subject = w.id WHERE w.id = $1";
    WORKER_PAGE = "SELECT w.id, w.name, w.module, w.sub_processor, w.state, w.secret_hash, w.previous_secret_hash, w.previous_secret_ends, w.created_at, COALESCE(e.epoch, 0) AS epoch FROM workers w LEFT JOIN epochs e ON e.subject = w.id WHERE w.id > $1 ORDER BY w.id LIMIT $2";
    WORKER_END = "UPDATE workers SET state = 'ended' WHERE id = $1 AND state = 'active'";
    WORKER_SECRET_SET = "UPDATE workers SET previous_secret_hash = secret_hash, previous_secret_ends = $3, secret_hash = $2 WHERE id = $1 AND state = 'active'";

    // ── applications ──
    APPLICATION_SET = "INSERT INTO applications (id, provider, client_id, public_id, draft, version, secret_key, secret, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (provider) DO UPDATE SET client_id = excluded.client_id, public_id = excluded.public_id, draft = excluded.draft, version = excluded.version, secret_key = excluded.secret_key, secret = excluded.secret, changed_at = excluded.changed_at";
    APPLICATION_SHOW = "SELECT id, provider, client_id, public_id, draft, version, secret_key, secret, created_at, changed_at FROM applications WHERE provider = $1";
    APPLICATION_PAGE = "SELECT id, provider, client_id, public_id, draft, version, secret_key, secret, created_at, changed_at FROM applications WHERE id > $1 ORDER BY id LIMIT $2";

    // ── connections ──
    CONNECTION_INSERT = "INSERT INTO connections (id, tenant, provider, name, kind, region, country, account, state, credential_version, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', 0, $9)";
    CONNECTION_SHOW = "SELECT id, tenant, provider, name, kind, region, country, account, state, credential_version, created_at, authorized_at, renew_by FROM connections WHERE id = $1";
    CONNECTION_PAGE = "SELECT id, tenant, provider, name, kind, region, country, account, state, credential_version, created_at, authorized_at, renew_by FROM connections WHERE id > $1 ORDER BY id LIMIT $2";
    CONNECTION_TENANT_PAGE = "SELECT id, tenant, provider, name, kind, region, country, account, state, credential_version, created_at, authorized_at, renew_by FROM connections WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3";
    CONNECTION_STATE_SET = "UPDATE connections SET state = $2 WHERE id = $1";
    CONNECTION_AUTHORIZED = "UPDATE connections SET state = 'active', account = $2, credential_version = $3, authorized_at = $4, renew_by = $5 WHERE id = $1";
    CONNECTION_TENANT_UNREVOKED = "SELECT id FROM connections WHERE tenant = $1 AND state <> 'revoked' ORDER BY id LIMIT $2";

    // ── credentials ──
    CREDENTIAL_INSERT = "INSERT INTO credentials (connection, version, key, sealed, created_at) VALUES ($1, $2, $3, $4, $5)";
    CREDENTIAL_SHOW = "SELECT version, key, sealed FROM credentials WHERE connection = $1 AND version = $2";
    CREDENTIALS_DESTROY = "DELETE FROM credentials WHERE connection = $1";
    CREDENTIALS_OLDER_DESTROY = "DELETE FROM credentials WHERE connection = $1 AND version < $2";
    CREDENTIAL_KEYS_OLDER = "SELECT key FROM credentials WHERE connection = $1 AND version < $2";
    ACCESS_TOKEN_SHOW = "SELECT generation, credential_version, key, sealed, issued_at, expires_at FROM access_tokens WHERE connection = $1";
    ACCESS_TOKEN_SET = "INSERT INTO access_tokens (connection, generation, credential_version, key, sealed, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (connection) DO UPDATE SET generation = excluded.generation, credential_version = excluded.credential_version, key = excluded.key, sealed = excluded.sealed, issued_at = excluded.issued_at, expires_at = excluded.expires_at";
    ACCESS_TOKEN_DESTROY = "DELETE FROM access_tokens WHERE connection = $1";

    // ── refreshes ──
    REFRESH_TAKE = "INSERT INTO refreshes (connection, fence, holder, state, deadline) VALUES ($1, 1, $2, 'prepared', $3) ON CONFLICT (connection) DO UPDATE SET fence = refreshes.fence + 1, holder = excluded.holder, state = 'prepared', deadline = excluded.deadline WHERE refreshes.state = 'idle' OR refreshes.deadline < $4 RETURNING fence";
    REFRESH_SENT = "UPDATE refreshes SET state = 'sent', deadline = $4 WHERE connection = $1 AND fence = $2 AND state = 'prepared' AND deadline > $3";
    REFRESH_SHOW = "SELECT state, deadline FROM refreshes WHERE connection = $1";
    REFRESH_DONE = "UPDATE refreshes SET state = 'idle' WHERE connection = $1 AND fence = $2";

    // ── grants ──
    GRANT_INSERT = "INSERT INTO grants (id, tenant, connection, module, scopes, delivery, state, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $7)";
    GRANT_CHANGE = "UPDATE grants SET scopes = $2, delivery = $3, state = 'active', changed_at = $4 WHERE id = $1";
    GRANT_END = "UPDATE grants SET state = 'ended', changed_at = $2 WHERE id = $1 AND state = 'active'";
    GRANT_SHOW = "SELECT g.id, g.tenant, g.connection, g.module, g.scopes, g.delivery, g.state, g.created_at, g.changed_at, COALESCE(e.epoch, 0) AS epoch FROM grants g LEFT JOIN epochs e ON e.subject = g.id WHERE g.id = $1";
    GRANTS_OF_CONNECTION = "SELECT g.id, g.tenant, g.connection, g.module, g.scopes, g.delivery, g.state, g.created_at, g.changed_at, COALESCE(e.epoch, 0) AS epoch FROM grants g LEFT JOIN epochs e ON e.subject = g.id WHERE g.connection = $1 ORDER BY g.id";
    GRANT_PAGE = "SELECT g.id, g.tenant, g.connection, g.module, g.scopes, g.delivery, g.state, g.created_at, g.changed_at, COALESCE(e.epoch, 0) AS epoch FROM grants g LEFT JOIN epochs e ON e.subject = g.id WHERE g.id > $1 ORDER BY g.id LIMIT $2";
    GRANT_TENANT_PAGE = "SELECT g.id, g.tenant, g.connection, g.module, g.scopes, g.delivery, g.state, g.created_at, g.changed_at, COALESCE(e.epoch, 0) AS epoch FROM grants g LEFT JOIN epochs e ON e.subject = g.id WHERE g.tenant = $1 AND g.id > $2 ORDER BY g.id LIMIT $3";

    // ── consents ──
    CONSENT_INSERT = "INSERT INTO consents (state_hash, connection, tenant, user_id, user_epoch, browser_hash, expected_account, redirect_uri, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    CONSENT_TAKE = "DELETE FROM consents WHERE state_hash = $1 RETURNING connection, tenant, user_id, user_epoch, browser_hash, expected_account, redirect_uri, expires_at";
    CONSENTS_SWEEP = "DELETE FROM consents WHERE expires_at < $1";
    STORE_VISIT_INSERT = "INSERT INTO store_visits (ticket_hash, provider, callback_uri, state, account, draft, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    STORE_VISIT_TAKE = "DELETE FROM store_visits WHERE ticket_hash = $1 RETURNING provider, callback_uri, state, account, draft, expires_at";
    STORE_VISITS_SWEEP = "DELETE FROM store_visits WHERE expires_at < $1";

    // ── typed documents ──
    TYPED_DOCUMENT_SET = "INSERT INTO typed_documents (connection, kind, external_id, type, seen_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (connection, kind, external_id) DO NOTHING";
    TYPED_DOCUMENT_SHOW = "SELECT type FROM typed_documents WHERE connection = $1 AND kind = $2 AND external_id = $3";
    TYPED_DOCUMENTS_DESTROY = "DELETE FROM typed_documents WHERE connection = $1";

    // ── cuts ──
    RECEIPT_INSERT = "INSERT INTO receipts (id, tenant, seq, body, created_at) VALUES ($1, $2, $3, $4, $5)";
    RECEIPT_CONFIRM = "UPDATE receipts SET body = $2 WHERE id = $1";
    RECEIPT_SHOW = "SELECT id, tenant, seq, body, created_at FROM receipts WHERE id = $1";
    JOB_INSERT = "INSERT INTO jobs (id, kind, subject, created_at) VALUES ($1, $2, $3, $4)";
    JOBS_OPEN = "SELECT id, kind, subject FROM jobs WHERE done_at IS NULL ORDER BY id LIMIT $1";
    JOB_DONE = "UPDATE jobs SET done_at = $2 WHERE id = $1";

    // ── idempotency ──
    IDEMPOTENCY_INSERT = "INSERT INTO idempotency (request_hash, user_id, body_hash, created, expires_at) VALUES ($1, $2, $3, $4, $5)";
    IDEMPOTENCY_SHOW = "SELECT body_hash, created FROM idempotency WHERE request_hash = $1";
    IDEMPOTENCY_SWEEP = "DELETE FROM idempotency WHERE expires_at < $1";
}

macro_rules! sqlite_statements {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $sql;)*
        /// Each statement that only SQLite runs, with its name, for the test that prepares them.
        pub const SQLITE: &[(&str, &str)] = &[$((stringify!($name), $sql)),*];
    };
}

sqlite_statements! {
    ANY_TABLE_EMBEDDED = "SELECT name FROM sqlite_schema LIMIT 1";
    ALL_COLUMNS_EMBEDDED = "SELECT t.name, c.name, lower(c.type) FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY t.name, c.cid";
    MARKS_EMBEDDED = "SELECT name FROM sqlite_schema WHERE name IN ('copied_away', 'unfinished_copy')";
}

macro_rules! postgres_statements {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $sql;)*
        /// Each statement that only PostgreSQL runs, with its name, for the test that prepares them.
        pub const POSTGRES: &[(&str, &str)] = &[$((stringify!($name), $sql)),*];
    };
}

postgres_statements! {
    TURN_TELL = "SELECT pg_notify('leasehold_turn', $1)";
    /// The timeline is the first eight hexadecimal digits of a segment's name; the control file names it later.
    VANTAGE = "SELECT CAST(CAST('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS BIT(32)) AS BIGINT) AS timeline, turn, size FROM log_head WHERE id = 1";
    NODE_FORGET = "WITH gone AS (DELETE FROM nodes WHERE id = $1 AND beat = $2 RETURNING id) DELETE FROM batches WHERE node IN (SELECT id FROM gone)";
    /// The commit is not waited for on the disk: whoever misses the confirmation waits until the node's lease has ended.
    NODE_CONFIRM = "WITH confirmed AS (UPDATE nodes SET cut_through = $2 WHERE id = $1 RETURNING id) SELECT set_config('synchronous_commit', 'off', true), pg_notify('leasehold_cut', CAST(id AS TEXT)) FROM confirmed";
    SERVER_CHECK = "SELECT CAST(current_setting('server_version_num') AS BIGINT) AS version, pg_is_in_recovery() AS is_standby, current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes, current_setting('synchronous_commit') AS synchronous_commit, current_setting('synchronous_standby_names') <> '' AS has_synchronous_standbys, current_setting('idle_in_transaction_session_timeout') AS idle_limit";
    COPY_UNFINISHED = "SELECT to_regclass('unfinished_copy') IS NOT NULL";
    ANY_TABLE = "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = current_schema() LIMIT 1";
    ALL_COLUMNS = "SELECT CAST(c.table_name AS TEXT), CAST(c.column_name AS TEXT), CAST(c.data_type AS TEXT) FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name) WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position";
    /// Tells the server's time too, as it is once the lock was had: what RETURNING says is worked out after the wait.
    HEAD_LOCK_SHARED = "UPDATE log_head SET turn = turn + 1 WHERE id = 1 RETURNING turn, size, at, right_edge, root, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
    SERVER_CLOCK = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
}
