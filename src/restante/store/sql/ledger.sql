-- What readers, the worker and the start of the program ask of the ledger.

-- name: ensure_lanes
-- Make the lanes 0 … count - 1 that are missing.
INSERT INTO lane (lane) SELECT generate_series(0, %(count)s::int - 1) ON CONFLICT (lane) DO NOTHING;

-- name: lane_heads
-- The position of every lane's last event.
SELECT lane, head FROM lane ORDER BY lane;

-- name: cuts
-- Of each lane the last position among the days that were retired.
SELECT lane, max(last_seq) FROM retired_day GROUP BY lane;

-- name: journal
-- Adopted entries of one epoch of a source whose numbers lie in a span, in order.
SELECT seq, hash, entry FROM journal
WHERE lane = %(lane)s AND source = %(source)s::uuid AND epoch = %(epoch)s AND seq >= %(first)s AND seq < %(end)s
ORDER BY seq;

-- name: feed
-- Events of a lane after a position, in order; `since` spares a reader who is far along the days before.
SELECT seq, recorded_at, at, version, org, schema, actor, command, body FROM event
WHERE lane = %(lane)s AND seq > %(after)s AND recorded_at >= %(since)s::timestamptz
ORDER BY seq LIMIT %(limit)s;

-- name: history
-- Everything that happened to one parcel, or at one point, in order.
SELECT seq, recorded_at, at, version, org, schema, actor, command, body FROM event
WHERE lane = %(lane)s AND subject = %(subject)s::uuid
ORDER BY version, seq;

-- name: view
-- All that a manifest is made of, as one statement and so in one snapshot.
SELECT
    p.body AS point, r.body AS room, s.body AS head,
    ARRAY (SELECT body FROM promise WHERE lane = p.lane AND point = p.id ORDER BY parcel) AS promises,
    ARRAY (SELECT body FROM stay WHERE lane = s.lane AND source = s.id ORDER BY epoch, seq) AS stays,
    ARRAY (SELECT body FROM credential WHERE lane = p.lane AND point = p.id ORDER BY subject) AS credentials
FROM point p
JOIN room r ON r.lane = p.lane AND r.point = p.id
JOIN source s ON s.lane = p.lane AND s.point = p.id
WHERE p.lane = %(lane)s AND p.id = %(point)s::uuid;

-- name: standing
-- Every row of custody of one lane, as one statement and so in one snapshot.
SELECT
    ARRAY (SELECT body FROM parcel WHERE lane = %(lane)s ORDER BY id),
    ARRAY (SELECT body FROM room WHERE lane = %(lane)s ORDER BY point),
    ARRAY (SELECT body FROM promise WHERE lane = %(lane)s ORDER BY point, parcel),
    ARRAY (SELECT body FROM stay WHERE lane = %(lane)s ORDER BY source, epoch, seq),
    ARRAY (SELECT parcel::text FROM timer WHERE lane = %(lane)s ORDER BY parcel, kind),
    ARRAY (SELECT kind FROM timer WHERE lane = %(lane)s ORDER BY parcel, kind),
    ARRAY (SELECT due FROM timer WHERE lane = %(lane)s ORDER BY parcel, kind);

-- name: claim_tasks
-- Lease the oldest tasks of one lane that are ready and that nobody else is looking at, of each share as many as it has
-- left: those that make codes, and all others. What a task is stands first in its body. What is chosen is chosen once
-- (MATERIALIZED): where the table was last seen empty the server would else choose anew for each row it compares.
WITH k AS MATERIALIZED (
    SELECT * FROM (
        SELECT lane, seq, ordinal, 'codes' AS share FROM task
        WHERE lane = %(lane)s AND ready_at <= %(now)s::timestamptz
            AND position('{"task":"issue-code"'::bytea IN body) = 1
        ORDER BY lane, seq, ordinal LIMIT %(codes)s FOR UPDATE SKIP LOCKED) a
    UNION ALL
    SELECT * FROM (
        SELECT lane, seq, ordinal, 'others' AS share FROM task
        WHERE lane = %(lane)s AND ready_at <= %(now)s::timestamptz
            AND position('{"task":"issue-code"'::bytea IN body) <> 1
        ORDER BY lane, seq, ordinal LIMIT %(others)s FOR UPDATE SKIP LOCKED) b)
UPDATE task t SET ready_at = %(until)s::timestamptz
FROM k
WHERE t.lane = %(lane)s AND t.lane = k.lane AND t.seq = k.seq AND t.ordinal = k.ordinal
RETURNING k.share, t.seq, t.ordinal, t.attempts, t.body;

-- name: finish_tasks
-- Tasks that have had their effect.
DELETE FROM task t
USING unnest(%(lanes)s::int[], %(seqs)s::bigint[], %(ordinals)s::int[]) AS k (lane, seq, ordinal)
WHERE t.lane = k.lane AND t.seq = k.seq AND t.ordinal = k.ordinal;

-- name: postpone_task
-- Give a task back for later.
UPDATE task SET ready_at = %(until)s::timestamptz, attempts = attempts + 1
WHERE lane = %(lane)s AND seq = %(seq)s AND ordinal = %(ordinal)s;

-- name: claim_timers
-- Lease timers of one lane that are due and that nobody else is looking at, the longest due first; chosen once, as tasks.
WITH k AS MATERIALIZED (
    SELECT lane, parcel, kind FROM timer
    WHERE lane = %(lane)s AND due <= %(now)s::timestamptz AND leased_until <= %(now)s::timestamptz
    ORDER BY lane, due, parcel, kind LIMIT %(timers)s FOR UPDATE SKIP LOCKED)
UPDATE timer t SET leased_until = %(until)s::timestamptz
FROM k
WHERE t.lane = %(lane)s AND t.lane = k.lane AND t.parcel = k.parcel AND t.kind = k.kind
RETURNING 'timers', t.parcel::text, t.kind, t.due;

-- name: put_credential
-- Store how a code is recognised, in place of the subject's earlier one.
INSERT INTO credential (lane, point, subject, verifier, expires_at, body)
VALUES (%(lane)s, %(point)s::uuid, %(subject)s, %(verifier)s, %(expires_at)s::timestamptz, %(body)s::bytea)
ON CONFLICT (lane, point, subject) DO UPDATE
SET verifier = excluded.verifier, expires_at = excluded.expires_at, body = excluded.body;

-- name: drop_credential
-- Forget how a code is recognised.
DELETE FROM credential WHERE lane = %(lane)s AND point = %(point)s::uuid AND subject = %(subject)s;

-- name: forget_receipts
-- Receipts older than anybody would still ask for.
DELETE FROM receipt WHERE at < %(before)s::timestamptz;

-- name: forget_requests
-- Idempotency-Keys older than anybody would still send.
DELETE FROM request_key WHERE at < %(before)s::timestamptz;

-- name: forget_attempts
-- Attempts to give a notice, all those of an errand whose last one is old: a timer that was moved or has ended leaves
-- them behind.
DELETE FROM notice_attempt a
USING (
    SELECT lane, name FROM notice_attempt GROUP BY lane, name
    HAVING max((convert_from(body, 'UTF8')::json ->> 'at')::timestamptz) < %(before)s::timestamptz
) k
WHERE a.lane = k.lane AND a.name = k.name;

-- name: forget_cases
-- Counted cases that are open no more: a hub of the version before settles them without taking them out of the count.
DELETE FROM open_case c
WHERE NOT EXISTS (
    SELECT 1 FROM parcel p
    WHERE p.lane = c.lane AND p.id = c.subject AND position(convert_to(c.id::text, 'UTF8') IN p.body) > 0)
AND NOT EXISTS (
    SELECT 1 FROM room r
    WHERE r.lane = c.lane AND r.point = c.subject AND position(convert_to(c.id::text, 'UTF8') IN r.body) > 0);

-- name: points
-- Every point of the network.
SELECT id::text FROM point ORDER BY lane, id;

-- name: tell
-- Signal outside of a batch that the manifests of these points may have changed.
SELECT pg_notify('restante', %(points)s);
