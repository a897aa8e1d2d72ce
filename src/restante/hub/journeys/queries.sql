-- Parcels and events as their organisation reads them.

-- name: own_parcels
-- An organisation's parcels after an id, in the order they were announced in; without one, everybody's.
SELECT p.id::text, p.body
FROM unnest(%(lanes)s::int[]) AS k (lane)
CROSS JOIN LATERAL (
    SELECT id, body FROM parcel
    WHERE lane = k.lane AND org = %(org)s AND id > %(after)s::uuid ORDER BY id LIMIT %(limit)s) p
ORDER BY p.id LIMIT %(limit)s;

-- name: all_parcels
-- Every organisation's parcels after an id, in the order they were announced in.
SELECT p.id::text, p.body
FROM unnest(%(lanes)s::int[]) AS k (lane)
CROSS JOIN LATERAL (
    SELECT id, body FROM parcel WHERE lane = k.lane AND id > %(after)s::uuid ORDER BY id LIMIT %(limit)s) p
ORDER BY p.id LIMIT %(limit)s;

-- name: parcels_at
-- Parcels that are promised or lie at a point, after an id.
SELECT k.parcel::text FROM (
    SELECT parcel FROM promise
    WHERE lane = %(lane)s AND point = %(point)s::uuid AND (%(org)s::text IS NULL OR org = %(org)s)
    UNION
    SELECT s.parcel FROM stay s JOIN source h ON h.lane = s.lane AND h.id = s.source
    WHERE s.lane = %(lane)s AND h.point = %(point)s::uuid AND (%(org)s::text IS NULL OR s.org = %(org)s)
) k
WHERE k.parcel > %(after)s::uuid ORDER BY k.parcel LIMIT %(limit)s;

-- name: parcel_events
-- A parcel's events after a version.
SELECT lane, seq, recorded_at, at, version, org, actor, body FROM event
WHERE lane = %(lane)s AND subject = %(parcel)s::uuid AND version > %(after)s ORDER BY version LIMIT %(limit)s;
