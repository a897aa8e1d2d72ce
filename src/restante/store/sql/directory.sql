-- Names that mean one thing only: an organisation's references, parcel codes, and requests by their Idempotency-Key.

-- name: claim_new
-- Claim references for parcels, with their parcel codes, unless they are claimed already; in order, so that no two trips
-- that want the same wait for each other. Tells how many are claimed now and have the code that was meant for them.
WITH put AS (
    INSERT INTO directory (name, org, parcel, code, content, at)
    SELECT
        unnest(%(names)s::bytea[]), unnest(%(orgs)s::text[]), unnest(%(parcels)s::uuid[]), unnest(%(codes)s::text[]),
        unnest(%(contents)s::bytea[]), unnest(%(ats)s::timestamptz[])
    ON CONFLICT (name) DO NOTHING RETURNING code, parcel
), own AS (
    INSERT INTO code_directory (code, parcel) SELECT code, parcel FROM put ORDER BY code
    ON CONFLICT (code) DO NOTHING RETURNING 1
)
SELECT count(*) FROM own;

-- name: names
-- What references mean.
SELECT name, parcel::text, code, content FROM directory WHERE name = ANY (%(names)s::bytea[]);

-- name: put_own_codes
-- Claim the parcel codes of references, unless they are claimed already; in order, as above.
INSERT INTO code_directory (code, parcel)
SELECT code, parcel FROM directory WHERE name = ANY (%(names)s::bytea[]) ORDER BY code
ON CONFLICT (code) DO NOTHING;

-- name: claimed
-- What references mean, and whether the code is their parcel's own.
SELECT d.name, d.parcel::text, d.code, d.content, c.parcel = d.parcel
FROM directory d JOIN code_directory c USING (code) WHERE d.name = ANY (%(names)s::bytea[]);

-- name: put_codes
-- Claim parcel codes, unless they are claimed already.
INSERT INTO code_directory (code, parcel)
SELECT * FROM unnest(%(codes)s::text[], %(parcels)s::uuid[])
ON CONFLICT (code) DO NOTHING;

-- name: codes
-- Whose parcel codes are.
SELECT code, parcel::text FROM code_directory WHERE code = ANY (%(codes)s::text[]);

-- name: change_code
-- Give a claimed reference another parcel code, because the first belongs to another parcel.
UPDATE directory SET code = %(code)s WHERE name = %(name)s::bytea AND code = %(before)s;

-- name: put_requests
-- Note requests with an Idempotency-Key, unless the key was used already.
INSERT INTO request_key (org, name, content, at, dated)
SELECT *, true FROM unnest(%(orgs)s::text[], %(names)s::bytea[], %(contents)s::bytea[], %(ats)s::timestamptz[])
ON CONFLICT (org, name) DO NOTHING;

-- name: requests
-- The first request under each of these keys.
SELECT r.org, r.name, r.content, r.at, r.pinned, r.answer, r.dated
FROM unnest(%(orgs)s::text[], %(names)s::bytea[]) AS k (org, name) JOIN request_key r USING (org, name);

-- name: pin_request
-- Fix what a request goes by, unless an earlier attempt has, and tell which it is.
UPDATE request_key SET pinned = coalesce(pinned, %(pinned)s)
WHERE org = %(org)s AND name = %(name)s::bytea RETURNING pinned;

-- name: keep_answer
-- Keep the answer to a request, unless an earlier attempt has, and tell which it is.
UPDATE request_key SET answer = coalesce(answer, %(answer)s::bytea)
WHERE org = %(org)s AND name = %(name)s::bytea RETURNING answer;
