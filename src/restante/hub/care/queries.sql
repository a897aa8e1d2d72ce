-- Cases of points, and what was set aside of their sources' journals.

-- name: room
-- The room of a point, which holds its open cases.
SELECT body FROM room WHERE lane = %(lane)s AND point = %(point)s::uuid;

-- name: aside
-- Entries that were set aside of the journal of whatever stands at a point, after one of them.
SELECT e.epoch, e.seq, e.hash, e.received_at, e.entry
FROM source s JOIN entry_aside e ON e.lane = s.lane AND e.source = s.id
WHERE s.lane = %(lane)s AND s.point = %(point)s::uuid
    AND (e.epoch, e.seq, e.hash) > (%(epoch)s, %(seq)s, %(hash)s)
ORDER BY e.epoch, e.seq, e.hash LIMIT %(limit)s;
