-- Rows of parcels that a network has kept, made from templates that the engine wrote; n numbers them by age.

-- name: slice
-- The parcels of a slice: where they stand, when they were announced, and their ids and codes.
CREATE TEMP TABLE stored ON COMMIT DROP AS
SELECT
    n, (n %% %(lanes)s)::int AS lane, n / %(lanes)s AS place, x.born,
    upper(lpad(to_hex((n * 2654435761) %% 4294967296), 8, '0')) AS code,
    (lpad(to_hex((extract(epoch FROM x.born) * 1000)::bigint), 12, '0') || '8' || substr(x.chance, 1, 3) || 'a'
        || substr(x.chance, 4, 11) || lpad(to_hex((n %% %(lanes)s)::int), 4, '0'))::uuid AS id
FROM generate_series(%(first)s::bigint, %(end)s::bigint - 1) n
CROSS JOIN LATERAL (
    SELECT md5(n::text) AS chance, %(start)s::timestamptz + n * %(gap_ms)s::float8 * interval '1 ms' AS born) x;

-- name: parcels
-- Parcels that are over, and those of the last days, which lie behind a door.
INSERT INTO parcel (lane, id, org, code, version, body)
SELECT
    s.lane, s.id, %(org)s, s.code, t.version,
    convert_to(replace(replace(t.body, '@parcel@', s.id::text), '@code@', s.code), 'UTF8')
FROM stored s JOIN unnest(%(held)s::bool[], %(versions)s::int[], %(bodies)s::text[]) AS t (held, version, body)
    ON t.held = (s.n >= %(held_from)s)
ORDER BY s.n;

-- name: events
-- The log of parcels that is still kept, all of a parcel's events at one instant.
INSERT INTO event (lane, seq, recorded_at, at, subject, version, org, schema, actor, command, body)
SELECT
    s.lane, s.place * %(events)s + t.version, s.born, s.born, s.id, t.version, %(org)s, 1, t.actor,
    md5(s.n || 'c' || t.version)::uuid::text,
    convert_to(replace(replace(t.body, '@parcel@', s.id::text), '@code@', s.code), 'UTF8')
FROM stored s
CROSS JOIN unnest(%(event_versions)s::int[], %(actors)s::text[], %(event_bodies)s::text[]) AS t (version, actor, body)
WHERE s.n >= %(log_from)s
ORDER BY s.n, t.version;

-- name: entries
-- Adopted entries of parcels whose log is kept.
INSERT INTO journal (lane, source, epoch, seq, hash, entry)
SELECT
    s.lane, (%(source)s || lpad(to_hex(s.lane), 4, '0'))::uuid, 1, 2 * s.place + t.k, md5(s.n || 'h') || md5(s.n || 'i'),
    convert_to(replace(t.entry, '@parcel@', s.id::text), 'UTF8')
FROM stored s CROSS JOIN unnest(%(entries)s::text[]) WITH ORDINALITY AS t (entry, k)
WHERE s.n >= %(log_from)s
ORDER BY s.n, t.k;

-- name: receipts
-- What commands came to, kept for some days.
INSERT INTO receipt (lane, command, fingerprint, outcome, at)
SELECT s.lane, md5(s.n || 'c' || t.k)::uuid::text, decode(md5(s.n::text), 'hex'), t.outcome, s.born
FROM stored s CROSS JOIN unnest(%(outcomes)s::bytea[]) WITH ORDINALITY AS t (outcome, k)
WHERE s.n >= %(receipts_from)s
ORDER BY s.n, t.k;

-- name: stays
-- Open stays of parcels that lie behind a door.
INSERT INTO stay (lane, source, epoch, seq, parcel, org, body)
SELECT
    s.lane, (%(source)s || lpad(to_hex(s.lane), 4, '0'))::uuid, 1, 2 * s.place + 1, s.id, %(org)s,
    convert_to(replace(%(stay)s, '@parcel@', s.id::text), 'UTF8')
FROM stored s WHERE s.n >= %(held_from)s ORDER BY s.n;

-- name: timers
-- Timers of parcels that lie behind a door: some overdue, the others within three days.
INSERT INTO timer (lane, parcel, kind, org, due)
SELECT
    s.lane, s.id, t.kind, %(org)s,
    CASE WHEN s.n < %(due_to)s THEN now() - interval '1 minute' ELSE now() + (s.n %% 72000) * interval '3.6 s' END
FROM stored s CROSS JOIN unnest(%(timers)s::text[]) AS t (kind)
WHERE s.n >= %(held_from)s;

-- name: names
-- What references and parcel codes mean.
INSERT INTO directory (name, org, parcel, code, content, at)
SELECT sha256(convert_to(n || 'name', 'UTF8')), %(org)s, id, code, sha256(convert_to(n || 'content', 'UTF8')), born
FROM stored ORDER BY n;

-- name: codes
-- Whose parcel codes are.
INSERT INTO code_directory (code, parcel) SELECT code, id FROM stored ORDER BY n;

-- name: people
-- Sealed details of people: as long as real ones, and as little to be compressed.
INSERT INTO contact (lane, id, sealed, kept_for)
SELECT
    lane, md5(n || 'p')::uuid,
    decode(substr(repeat(md5(n || 'a') || md5(n || 'b') || md5(n || 'd'), 12), 1, 2 * %(sealed_bytes)s), 'hex'), id
FROM stored ORDER BY n;

-- name: keys
-- The wrapped keys of people.
INSERT INTO person_key.contact_key (lane, id, wrapped_key)
SELECT lane, md5(n || 'p')::uuid, decode(substr(repeat(md5(n || 'w'), 8), 1, 2 * %(key_bytes)s), 'hex')
FROM stored ORDER BY n;

-- name: probes
-- Parcels that are asked for afterwards: some of all ages, and some that lie behind a door and whose timers are not due,
-- so that moving their holds leaves those that are due alone.
INSERT INTO growth_probe (n, id, held, born)
SELECT n, id, n >= %(due_to)s, born FROM stored
WHERE n %% %(probe_each)s = 0 OR (n >= %(due_to)s AND n %% %(held_each)s = 0);
