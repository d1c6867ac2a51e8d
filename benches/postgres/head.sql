-- One batch as the sequencer commits it, without the vault: the head's lock alone and first, the fences in a later
-- statement, `:entries` entries of the usual size in one statement, the head, the commit. No hashing, and no
-- parameters on the wire: a floor, not the vault's own figure.
BEGIN ISOLATION LEVEL READ COMMITTED;
UPDATE log_head SET turn = turn + 1 WHERE id = 1 RETURNING size AS first \gset
SELECT subject, epoch FROM epochs WHERE subject = ANY (ARRAY(SELECT md5(n::text)::uuid FROM generate_series(1, 8) n));
INSERT INTO entries (seq, at, tenant, tenant_seq, tenant_prev, kind, payload_hash, leaf_hash, salt, payload)
    SELECT n, 1700000000000000 + n, md5((n % 100)::text)::uuid, n, sha256('a'), 'lease.issued', sha256('b'), sha256('c'),
           sha256('d'), repeat('x', 400)
    FROM generate_series(:first::bigint, :first::bigint + :entries::bigint - 1) n;
UPDATE log_head SET size = size + :entries::bigint, at = 1700000000000000, right_edge = sha256('e'), root = sha256('f') WHERE id = 1;
COMMIT;
