-- API keys as every request looks them up, and the first operator.

-- name: api_key
-- A key with the role of its organisation.
SELECT k.id, k.org, o.role, k.secret, k.expires_at, k.revoked_at
FROM api_key k JOIN org o ON o.id = k.org WHERE k.id = %(id)s;

-- name: touch_keys
-- Note when keys were last used.
UPDATE api_key k SET last_used_at = u.at
FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS u (id, at) WHERE k.id = u.id;

-- name: put_org
-- Take an organisation into the network, unless one has this id.
INSERT INTO org (id, role, name, created_at) VALUES (%(id)s, %(role)s, %(name)s, %(at)s::timestamptz)
ON CONFLICT (id) DO NOTHING RETURNING id;

-- name: put_key
-- Store a key's hash.
INSERT INTO api_key (id, org, label, secret, created_at, expires_at)
VALUES (%(id)s, %(org)s, %(label)s, %(secret)s::bytea, %(at)s::timestamptz, %(expires_at)s::timestamptz)
ON CONFLICT (id) DO NOTHING;
