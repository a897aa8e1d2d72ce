-- Where points are.

-- name: put_place
-- Note where a point lies before it is provisioned; a point never moves.
INSERT INTO place (id, lane, kind, latitude, longitude, at_globe)
VALUES (%(id)s::uuid, %(lane)s, %(kind)s, %(latitude)s, %(longitude)s, cube(%(globe)s::float8[]))
ON CONFLICT (id) DO NOTHING;

-- name: place
-- Where one point lies.
SELECT latitude, longitude FROM place JOIN point USING (lane, id) WHERE place.id = %(id)s::uuid;

-- name: nearest
-- Places beyond a distance (of unit vectors) from here, the nearest first, with their points and rooms.
SELECT p.id::text, q.body, r.body, p.distance
FROM (
    SELECT id, lane, at_globe <-> cube(%(here)s::float8[]) AS distance FROM place
    WHERE (%(kind)s::text IS NULL OR kind = %(kind)s)
        AND (at_globe <-> cube(%(here)s::float8[]), id) > (%(distance)s::float8, %(after)s::uuid)
    ORDER BY at_globe <-> cube(%(here)s::float8[]), id LIMIT %(limit)s) p
LEFT JOIN point q ON q.lane = p.lane AND q.id = p.id
LEFT JOIN room r ON r.lane = p.lane AND r.point = p.id
ORDER BY p.distance, p.id;

-- name: in_order
-- Places after one of them, in the order they were made in, with their points and rooms.
SELECT p.id::text, q.body, r.body, 0::float8
FROM (
    SELECT id, lane FROM place
    WHERE (%(kind)s::text IS NULL OR kind = %(kind)s) AND id > %(after)s::uuid
    ORDER BY id LIMIT %(limit)s) p
LEFT JOIN point q ON q.lane = p.lane AND q.id = p.id
LEFT JOIN room r ON r.lane = p.lane AND r.point = p.id
ORDER BY p.id;

-- name: one
-- One point and its room.
SELECT q.id::text, q.body, r.body, 0::float8
FROM point q JOIN room r ON r.lane = q.lane AND r.point = q.id WHERE q.lane = %(lane)s AND q.id = %(id)s::uuid;
