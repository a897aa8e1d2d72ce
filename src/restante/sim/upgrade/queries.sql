-- What the proof of upgrades asks of a database while it is migrated, and how it makes a small one large.

-- name: swell_parcels
-- Copies of parcels under ids of nobody's, which no program comes upon.
INSERT INTO parcel (lane, id, org, code, version, body)
SELECT p.lane, gen_random_uuid(), p.org, 'COPY', p.version, p.body
FROM (SELECT * FROM parcel LIMIT 100) p CROSS JOIN generate_series(1, %(times)s::int);

-- name: swell_contacts
-- Copies of what is sealed of people.
INSERT INTO contact (lane, id, sealed)
SELECT c.lane, gen_random_uuid(), c.sealed
FROM (SELECT * FROM contact LIMIT 100) c CROSS JOIN generate_series(1, %(times)s::int);

-- name: swell_requests
-- Copies of noted requests.
INSERT INTO request_key (org, name, content, at)
SELECT r.org, decode(md5(random()::text) || md5(n::text), 'hex'), r.content, r.at
FROM (SELECT * FROM request_key LIMIT 100) r CROSS JOIN generate_series(1, %(times)s::int) n;

-- name: shrink_parcels
-- Take the copies of parcels out again.
DELETE FROM parcel WHERE code = 'COPY';

-- name: sizes
-- How large the swollen tables are, in rows and bytes.
SELECT relname, reltuples::bigint, pg_total_relation_size(oid) FROM pg_class
WHERE relname IN ('parcel', 'contact', 'request_key') AND relkind = 'r' ORDER BY relname;

-- name: count
-- Have the server count the rows of these tables.
ANALYZE parcel, contact, request_key;

-- name: tables
-- Every table there is.
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'person_key');

-- name: locks
-- Which locks a migration holds that keep anybody from reading or writing, and which it waits for.
SELECT c.relname, l.granted FROM pg_locks l
JOIN pg_stat_activity a USING (pid)
JOIN pg_class c ON c.oid = l.relation
WHERE a.application_name = 'restante migrate' AND a.datname = current_database() AND c.relkind IN ('r', 'p')
    AND l.mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock');
