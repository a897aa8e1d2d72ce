-- What the fleet keeps beside the ledger: issued manifests, enrolment codes, certificates and sessions.

-- name: hub_epoch
-- The epoch of this hub, which leads the order of manifests.
SELECT epoch FROM hub_epoch WHERE lane = 0;

-- name: begin_hub_epoch
-- A later epoch, at least `floor`.
UPDATE hub_epoch SET epoch = greatest(epoch + 1, %(floor)s::bigint), began_at = %(now)s WHERE lane = 0 RETURNING epoch;

-- name: know_source
-- The row whose lock orders what hub processes do to a source.
INSERT INTO fleet_source (lane, source) VALUES (%(lane)s, %(source)s::uuid) ON CONFLICT (lane, source) DO NOTHING;

-- name: lock_source
-- Wait until nobody else issues a manifest or a certificate to the source, or revokes one.
SELECT 1 FROM fleet_source WHERE lane = %(lane)s AND source = %(source)s::uuid FOR UPDATE;

-- name: manifests
-- The manifests issued last to each of some sources, newest first.
SELECT k.source::text, m.document
FROM unnest(%(lanes)s::int[], %(sources)s::uuid[]) AS k (lane, source)
CROSS JOIN LATERAL (
    SELECT document, generation FROM manifest
    WHERE lane = k.lane AND source = k.source
    ORDER BY generation DESC LIMIT %(limit)s) AS m
ORDER BY k.source, m.generation DESC;

-- name: verifier_issued
-- Whether a manifest as it was issued, if it is kept still, names a verifier.
SELECT 1 FROM manifest
WHERE lane = %(lane)s AND source = %(source)s::uuid AND generation = %(generation)s AND hub_epoch = %(hub_epoch)s
    AND position(%(verifier)s::bytea IN document) > 0;

-- name: put_manifest
-- A manifest as it was issued.
INSERT INTO manifest (lane, source, generation, hub_epoch, point, digest, document)
VALUES (
    %(lane)s, %(source)s::uuid, %(generation)s, %(hub_epoch)s, %(point)s::uuid, %(digest)s, %(document)s);

-- name: trim_manifests
-- Manifests too old to start a difference from.
DELETE FROM manifest WHERE lane = %(lane)s AND source = %(source)s::uuid AND generation < %(oldest)s;

-- name: put_code
-- An enrolment code, by its digest.
INSERT INTO enrolment_code (lane, source, digest, expires_at)
VALUES (%(lane)s, %(source)s::uuid, %(digest)s, %(expires_at)s);

-- name: find_code
-- An enrolment code; digests of 128 bits of chance do not meet, so the lane need not be known.
SELECT source::text, digest, expires_at, used_by FROM enrolment_code WHERE digest = %(digest)s;

-- name: use_code
-- Mark a code as used by one key; no row when another key was first or the code was withdrawn.
UPDATE enrolment_code SET used_by = %(used_by)s
WHERE lane = %(lane)s AND source = %(source)s::uuid AND digest = %(digest)s
    AND (used_by IS NULL OR used_by = %(used_by)s)
RETURNING 1;

-- name: drop_codes
-- Withdraw the codes of a source, used or not.
DELETE FROM enrolment_code WHERE lane = %(lane)s AND source = %(source)s::uuid;

-- name: put_certificate
-- A certificate as it was issued.
INSERT INTO certificate (lane, source, serial, key_sha256, not_before, not_after)
VALUES (%(lane)s, %(source)s::uuid, %(serial)s, %(key_sha256)s, %(not_before)s, %(not_after)s)
ON CONFLICT (lane, source, serial) DO NOTHING;

-- name: live_certificate
-- Whether a source has a certificate that is not revoked; a source that was revoked has none.
SELECT 1 FROM certificate
WHERE lane = %(lane)s AND source = %(source)s::uuid AND revoked_at IS NULL AND not_after > %(now)s
LIMIT 1;

-- name: revoke_certificates
-- Revoke every certificate of a source.
UPDATE certificate SET revoked_at = %(now)s
WHERE lane = %(lane)s AND source = %(source)s::uuid AND revoked_at IS NULL
RETURNING serial;

-- name: revoked_certificates
-- Revoked certificates that would be good otherwise.
SELECT serial, revoked_at FROM certificate WHERE revoked_at IS NOT NULL AND not_after > %(now)s;

-- name: enter_sessions
-- The session each of these sources has now; the one before it is over. Rows are locked in the order of their keys.
INSERT INTO source_session (lane, source, point, session, heard_at)
SELECT k.lane, k.source, k.point, k.session, k.heard_at
FROM unnest(
    %(lanes)s::int[], %(sources)s::uuid[], %(points)s::uuid[], %(sessions)s::text[], %(heard)s::timestamptz[])
    AS k (lane, source, point, session, heard_at)
ORDER BY k.lane, k.source
ON CONFLICT (lane, source) DO UPDATE
SET point = excluded.point, session = excluded.session, heard_at = excluded.heard_at, told_lost = false;

-- name: keep_sessions
-- Note that these sessions are alive, and tell which of them are still their sources'. Locks as `enter_sessions`.
WITH alive AS (
    SELECT s.lane, s.source, k.heard_at
    FROM unnest(%(lanes)s::int[], %(sources)s::uuid[], %(sessions)s::text[], %(heard)s::timestamptz[])
        AS k (lane, source, session, heard_at)
    JOIN source_session s ON s.lane = k.lane AND s.source = k.source AND s.session = k.session
    ORDER BY s.lane, s.source
    FOR NO KEY UPDATE OF s)
UPDATE source_session s SET heard_at = greatest(s.heard_at, a.heard_at)
FROM alive a
WHERE s.lane = a.lane AND s.source = a.source
RETURNING s.session;

-- name: silent_sources
-- Sources that have not been heard from since an instant, and of which nobody has been told.
SELECT source::text, point::text FROM source_session WHERE heard_at < %(before)s AND NOT told_lost;

-- name: told_lost
-- Note that the engine has been told of these sources' silence. Locks as `enter_sessions`.
WITH silent AS (
    SELECT s.lane, s.source
    FROM unnest(%(lanes)s::int[], %(sources)s::uuid[]) AS k (lane, source)
    JOIN source_session s ON s.lane = k.lane AND s.source = k.source AND s.heard_at < %(before)s
    ORDER BY s.lane, s.source
    FOR NO KEY UPDATE OF s)
UPDATE source_session s SET told_lost = true FROM silent g WHERE s.lane = g.lane AND s.source = g.source;

-- name: tell_hubs
-- Wake every hub process on this database, once for each piece of news.
SELECT pg_notify('restante_fleet', news) FROM unnest(%(news)s::text[]) AS one (news);

-- name: stir_point
-- Tell every hub that a point's manifest may have to change, as the ledger tells of its commits.
SELECT pg_notify('restante', %(point)s);

-- name: set_aside
-- Keep entries that cannot be adopted; the same one again changes nothing.
INSERT INTO entry_aside (lane, source, epoch, seq, hash, received_at, entry)
SELECT %(lane)s, %(source)s::uuid, %(epoch)s, one.seq, one.hash, %(now)s, one.entry
FROM unnest(%(seqs)s::bigint[], %(hashes)s::text[], %(entries)s::bytea[]) AS one (seq, hash, entry)
ON CONFLICT (lane, source, epoch, seq, hash) DO NOTHING;

-- name: count_aside
-- The first number set aside of an epoch, and how many entries were.
SELECT min(seq), count(*) FROM entry_aside
WHERE lane = %(lane)s AND source = %(source)s::uuid AND epoch = %(epoch)s;

-- name: hashes_aside
-- The hashes of entries set aside under a span of numbers.
SELECT hash FROM entry_aside
WHERE lane = %(lane)s AND source = %(source)s::uuid AND epoch = %(epoch)s
    AND seq >= %(first)s AND seq < %(after)s;

-- name: last_aside
-- The last number set aside of each epoch.
SELECT epoch, max(seq) FROM entry_aside WHERE lane = %(lane)s AND source = %(source)s::uuid GROUP BY epoch;

-- name: entries_aside
-- Every entry set aside of a source, as it came.
SELECT epoch, seq, hash, entry FROM entry_aside
WHERE lane = %(lane)s AND source = %(source)s::uuid ORDER BY epoch, seq, hash;
