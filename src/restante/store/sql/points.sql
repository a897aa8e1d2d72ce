-- Points as the worker goes round them.

-- name: every
-- The points at which a source stands.
SELECT point::text FROM source ORDER BY lane, id;

-- name: signal
-- Tell whoever listens that the manifest of a point's source is due.
SELECT pg_notify('restante', %(point)s);
