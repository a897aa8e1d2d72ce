-- Organisations and their keys, as the operator and they themselves manage them.

-- name: orgs
-- Organisations after an id.
SELECT id, role, name, created_at FROM org WHERE id > %(after)s ORDER BY id LIMIT %(limit)s;

-- name: org
-- One organisation.
SELECT id, role, name, created_at FROM org WHERE id = %(id)s;

-- name: put_org
-- Take an organisation in, unless one has this id.
INSERT INTO org (id, role, name, created_at) VALUES (%(id)s, %(role)s, %(name)s, %(at)s::timestamptz)
ON CONFLICT (id) DO NOTHING RETURNING id;

-- name: keys
-- An organisation's keys.
SELECT id, label, created_at, expires_at, revoked_at, last_used_at FROM api_key
WHERE org = %(org)s ORDER BY created_at, id;

-- name: revoke_key
-- End a key; one that has ended keeps its first end.
UPDATE api_key SET revoked_at = coalesce(revoked_at, %(at)s::timestamptz)
WHERE org = %(org)s AND id = %(id)s
RETURNING id, label, created_at, expires_at, revoked_at, last_used_at;
