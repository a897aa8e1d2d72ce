-- What a batch of the engine reads in its first trip and writes in its last, which may be the same. Rows come and go as
-- arrays, one statement a table. What does not find every row as it was loaded divides by zero and so ends the batch.

-- name: lock_lanes
-- The heads and turns of these lanes, locked until the batch ends; always in ascending order, so that no two batches can
-- meet. Events count as turns too: a hub of the version before turns moves the head alone.
SELECT lane, head, head + turn FROM lane WHERE lane = ANY (%(lanes)s::int[]) ORDER BY lane FOR NO KEY UPDATE;

-- name: hold_lane
-- A lane locked like those above, if it still stands at the turn it was left at.
WITH held AS (SELECT 1 FROM lane WHERE lane = %(lane)s::int AND head + turn = %(turn)s::bigint FOR NO KEY UPDATE)
SELECT 1 / (count(*) = 1)::int FROM held;

-- name: load_parcels
-- Parcels by id.
SELECT p.version, p.body FROM unnest(%(lanes)s::int[], %(ids)s::uuid[]) AS k (lane, id) JOIN parcel p USING (lane, id);

-- name: load_rooms
-- Rooms by point.
SELECT r.version, r.body FROM unnest(%(lanes)s::int[], %(ids)s::uuid[]) AS k (lane, point) JOIN room r USING (lane, point);

-- name: load_sources
-- Heads of sources by id.
SELECT s.version, s.body FROM unnest(%(lanes)s::int[], %(ids)s::uuid[]) AS k (lane, id) JOIN source s USING (lane, id);

-- name: load_points
-- Points by id.
SELECT p.version, p.body FROM unnest(%(lanes)s::int[], %(ids)s::uuid[]) AS k (lane, id) JOIN point p USING (lane, id);

-- name: load_receipts
-- Receipts by command.
SELECT r.lane, r.command, r.fingerprint, r.outcome, r.at
FROM unnest(%(lanes)s::int[], %(commands)s::text[]) AS k (lane, command) JOIN receipt r USING (lane, command);

-- name: add_parcels
-- Parcels announced in this batch.
INSERT INTO parcel (lane, id, org, code, version, body)
SELECT
    unnest(%(lanes)s::int[]), unnest(%(ids)s::uuid[]), unnest(%(orgs)s::text[]), unnest(%(codes)s::text[]),
    unnest(%(versions)s::int[]), unnest(%(bodies)s::bytea[]);

-- name: change_parcels
-- Parcels as they are after this batch.
WITH changed AS (
    UPDATE parcel p SET version = u.version, body = u.body
    FROM unnest(
        %(lanes)s::int[], %(ids)s::uuid[], %(before)s::int[], %(versions)s::int[], %(bodies)s::bytea[]
    ) AS u (lane, id, before, version, body)
    WHERE p.lane = u.lane AND p.id = u.id AND p.version = u.before
    RETURNING 1)
SELECT 1 / (count(*) = %(count)s)::int FROM changed;

-- name: add_rooms
-- Rooms of points provisioned in this batch.
INSERT INTO room (lane, point, version, body)
SELECT unnest(%(lanes)s::int[]), unnest(%(ids)s::uuid[]), unnest(%(versions)s::int[]), unnest(%(bodies)s::bytea[]);

-- name: change_rooms
-- Rooms as they are after this batch.
WITH changed AS (
    UPDATE room r SET version = u.version, body = u.body
    FROM unnest(
        %(lanes)s::int[], %(ids)s::uuid[], %(before)s::int[], %(versions)s::int[], %(bodies)s::bytea[]
    ) AS u (lane, point, before, version, body)
    WHERE r.lane = u.lane AND r.point = u.point AND r.version = u.before
    RETURNING 1)
SELECT 1 / (count(*) = %(count)s)::int FROM changed;

-- name: add_points
-- Points provisioned in this batch.
INSERT INTO point (lane, id, version, body)
SELECT unnest(%(lanes)s::int[]), unnest(%(ids)s::uuid[]), unnest(%(versions)s::int[]), unnest(%(bodies)s::bytea[]);

-- name: change_points
-- Points as they are after this batch.
WITH changed AS (
    UPDATE point p SET version = u.version, body = u.body
    FROM unnest(
        %(lanes)s::int[], %(ids)s::uuid[], %(before)s::int[], %(versions)s::int[], %(bodies)s::bytea[]
    ) AS u (lane, id, before, version, body)
    WHERE p.lane = u.lane AND p.id = u.id AND p.version = u.before
    RETURNING 1)
SELECT 1 / (count(*) = %(count)s)::int FROM changed;

-- name: add_sources
-- Sources installed in this batch.
INSERT INTO source (lane, id, point, version, body)
SELECT
    unnest(%(lanes)s::int[]), unnest(%(ids)s::uuid[]), unnest(%(points)s::uuid[]), unnest(%(versions)s::int[]),
    unnest(%(bodies)s::bytea[]);

-- name: change_sources
-- Heads of sources as they are after this batch.
WITH changed AS (
    UPDATE source s SET version = u.version, body = u.body
    FROM unnest(
        %(lanes)s::int[], %(ids)s::uuid[], %(before)s::int[], %(versions)s::int[], %(bodies)s::bytea[]
    ) AS u (lane, id, before, version, body)
    WHERE s.lane = u.lane AND s.id = u.id AND s.version = u.before
    RETURNING 1)
SELECT 1 / (count(*) = %(count)s)::int FROM changed;

-- name: add_events
-- The events of this batch, in their lanes' next positions.
INSERT INTO event (lane, seq, recorded_at, at, subject, version, org, schema, actor, command, body)
SELECT
    unnest(%(lanes)s::int[]), unnest(%(seqs)s::bigint[]), unnest(%(recorded)s::timestamptz[]),
    unnest(%(ats)s::timestamptz[]), unnest(%(subjects)s::uuid[]), unnest(%(versions)s::int[]),
    unnest(%(orgs)s::text[]), unnest(%(schemas)s::int[]), unnest(%(actors)s::text[]), unnest(%(commands)s::text[]),
    unnest(%(bodies)s::bytea[]);

-- name: move_heads
-- Lane heads after this batch, and the turn of each.
WITH changed AS (
    UPDATE lane l SET head = u.head, turn = l.turn + 1
    FROM unnest(%(lanes)s::int[], %(before)s::bigint[], %(heads)s::bigint[]) AS u (lane, before, head)
    WHERE l.lane = u.lane AND l.head = u.before
    RETURNING 1)
SELECT 1 / (count(*) = %(count)s)::int FROM changed;

-- name: put_promises
-- Promises that began or changed.
INSERT INTO promise (lane, point, parcel, org, body)
SELECT
    unnest(%(lanes)s::int[]), unnest(%(points)s::uuid[]), unnest(%(parcels)s::uuid[]), unnest(%(orgs)s::text[]),
    unnest(%(bodies)s::bytea[])
ON CONFLICT (lane, point, parcel) DO UPDATE SET body = excluded.body;

-- name: end_promises
-- Promises that ended.
DELETE FROM promise p
USING unnest(%(lanes)s::int[], %(points)s::uuid[], %(parcels)s::uuid[]) AS k (lane, point, parcel)
WHERE p.lane = k.lane AND p.point = k.point AND p.parcel = k.parcel;

-- name: put_stays
-- Stays that began or changed.
INSERT INTO stay (lane, source, epoch, seq, parcel, org, body)
SELECT
    unnest(%(lanes)s::int[]), unnest(%(sources)s::uuid[]), unnest(%(epochs)s::int[]), unnest(%(seqs)s::bigint[]),
    unnest(%(parcels)s::uuid[]), unnest(%(orgs)s::text[]), unnest(%(bodies)s::bytea[])
ON CONFLICT (lane, source, epoch, seq) DO UPDATE SET body = excluded.body;

-- name: end_stays
-- Stays that ended.
DELETE FROM stay s
USING unnest(%(lanes)s::int[], %(sources)s::uuid[], %(epochs)s::int[], %(seqs)s::bigint[]) AS k (lane, source, epoch, seq)
WHERE s.lane = k.lane AND s.source = k.source AND s.epoch = k.epoch AND s.seq = k.seq;

-- name: set_timers
-- Timers that were set or moved; whoever had leased one has nothing to do any more.
INSERT INTO timer (lane, parcel, kind, org, due)
SELECT
    unnest(%(lanes)s::int[]), unnest(%(parcels)s::uuid[]), unnest(%(kinds)s::text[]), unnest(%(orgs)s::text[]),
    unnest(%(dues)s::timestamptz[])
ON CONFLICT (lane, parcel, kind) DO UPDATE SET due = excluded.due, leased_until = '-infinity';

-- name: clear_timers
-- Timers that are over.
DELETE FROM timer t
USING unnest(%(lanes)s::int[], %(parcels)s::uuid[], %(kinds)s::text[]) AS k (lane, parcel, kind)
WHERE t.lane = k.lane AND t.parcel = k.parcel AND t.kind = k.kind;

-- name: add_tasks
-- Tasks that follow from the events of this batch.
INSERT INTO task (lane, seq, ordinal, org, attempts, body)
SELECT
    unnest(%(lanes)s::int[]), unnest(%(seqs)s::bigint[]), unnest(%(ordinals)s::int[]), unnest(%(orgs)s::text[]),
    unnest(%(attempts)s::int[]), unnest(%(bodies)s::bytea[]);

-- name: add_receipts
-- Receipts of the commands of this batch.
INSERT INTO receipt (lane, command, fingerprint, outcome, at)
SELECT
    unnest(%(lanes)s::int[]), unnest(%(commands)s::text[]), unnest(%(fingerprints)s::bytea[]),
    unnest(%(outcomes)s::bytea[]), unnest(%(ats)s::timestamptz[]);

-- name: add_entries
-- Journal entries adopted in this batch.
INSERT INTO journal (lane, source, epoch, seq, hash, entry)
SELECT
    unnest(%(lanes)s::int[]), unnest(%(sources)s::uuid[]), unnest(%(epochs)s::int[]), unnest(%(seqs)s::bigint[]),
    unnest(%(hashes)s::text[]), unnest(%(entries)s::bytea[]);

-- name: signal
-- Tell whoever listens which points' manifests changed; the signal leaves with the commit.
SELECT pg_notify('restante', %(points)s);

-- name: open_cases
-- Cases that were opened.
INSERT INTO open_case (lane, id, subject, kind, opened_at)
SELECT
    unnest(%(lanes)s::int[]), unnest(%(ids)s::uuid[]), unnest(%(subjects)s::uuid[]), unnest(%(kinds)s::text[]),
    unnest(%(ats)s::timestamptz[])
ON CONFLICT (lane, id) DO NOTHING;

-- name: settle_cases
-- Cases that were settled.
DELETE FROM open_case c
USING unnest(%(lanes)s::int[], %(ids)s::uuid[]) AS k (lane, id)
WHERE c.lane = k.lane AND c.id = k.id;
