-- What is stuck in the database, in figures. Each statement looks at the first rows of each lane in the order of an index,
-- `most` of them, so that it stays cheap when a queue has grown to millions; `lane` and `source_session` are read whole
-- (a row per lane, a row per bank).

-- name: outbox
-- Tasks that are not done, by kind: how many of the first ones of each lane, and when the event of the oldest was recorded.
SELECT k.kind, sum(k.tasks)::bigint, min(e.recorded_at)
FROM lane l
CROSS JOIN LATERAL (
    SELECT t.kind, count(*) AS tasks, min(t.seq) AS seq
    FROM (
        SELECT substring(encode(substr(body, 1, 40), 'escape') FROM '^\{"task":"([a-z-]+)"') AS kind, seq FROM task
        WHERE lane = l.lane ORDER BY lane, seq, ordinal LIMIT %(most)s) t
    GROUP BY t.kind) k
LEFT JOIN LATERAL (SELECT recorded_at FROM event WHERE lane = l.lane AND seq = k.seq LIMIT 1) e ON true
GROUP BY k.kind;

-- name: timers
-- Timers that are due, by kind: how many of the first ones of each lane, and when the oldest was due.
SELECT k.kind, count(*), min(k.due)
FROM lane l
CROSS JOIN LATERAL (
    SELECT kind, due FROM timer
    WHERE lane = l.lane AND due <= %(now)s::timestamptz ORDER BY lane, due LIMIT %(most)s) k
GROUP BY k.kind;

-- name: sources
-- How many sources were last heard from at most so long ago, by the index of the first bound that is not reached.
SELECT width_bucket(extract(epoch FROM %(now)s::timestamptz - heard_at)::float8, %(bounds)s::float8[]), count(*)
FROM source_session GROUP BY 1;

-- name: cases
-- How many cases of each kind are open for how long, by the index of the first bound that is not reached.
SELECT k.kind, width_bucket(extract(epoch FROM %(now)s::timestamptz - k.opened_at)::float8, %(bounds)s::float8[]), count(*)
FROM lane l
CROSS JOIN LATERAL (SELECT kind, opened_at FROM open_case WHERE lane = l.lane ORDER BY lane, id LIMIT %(most)s) k
GROUP BY 1, 2;
