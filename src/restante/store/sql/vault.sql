-- What is kept of people: sealed rows, and their keys in a schema of their own.

-- name: remember_new
-- Keys and sealed details of people, where none of them has a key yet; else only the keys that are missing. Tells of how
-- many the details were put: of all or of none.
WITH held AS (
    INSERT INTO person_key.contact_key (lane, id, wrapped_key)
    SELECT unnest(%(lanes)s::int[]), unnest(%(ids)s::uuid[]), unnest(%(keys)s::bytea[])
    ON CONFLICT (lane, id) DO NOTHING RETURNING 1
), put AS (
    INSERT INTO contact (lane, id, sealed, kept_for)
    SELECT
        unnest(%(lanes)s::int[]), unnest(%(ids)s::uuid[]), unnest(%(bodies)s::bytea[]), unnest(%(parcels)s::uuid[])
    WHERE (SELECT count(*) FROM held) = cardinality(%(ids)s::uuid[])
    ON CONFLICT (lane, id) DO UPDATE SET sealed = excluded.sealed, kept_for = excluded.kept_for RETURNING 1
)
SELECT count(*) FROM put;

-- name: hold_keys
-- The keys of people, made where they are missing, and held to the end of the transaction: nobody is forgotten between
-- the reading of a key and the writing of what is sealed under it.
INSERT INTO person_key.contact_key AS k (lane, id, wrapped_key)
SELECT * FROM unnest(%(lanes)s::int[], %(ids)s::uuid[], %(keys)s::bytea[])
ON CONFLICT (lane, id) DO UPDATE SET wrapped_key = k.wrapped_key
RETURNING id::text, wrapped_key;

-- name: keys
-- The keys of people.
SELECT k.id::text, k.wrapped_key
FROM unnest(%(lanes)s::int[], %(ids)s::uuid[]) AS w (lane, id) JOIN person_key.contact_key k USING (lane, id);

-- name: forget_keys
-- Destroy the keys of people.
DELETE FROM person_key.contact_key k USING unnest(%(lanes)s::int[], %(ids)s::uuid[]) AS w (lane, id)
WHERE k.lane = w.lane AND k.id = w.id;

-- name: put_contacts
-- The sealed details of people, and the parcels they are kept for.
INSERT INTO contact (lane, id, sealed, kept_for)
SELECT * FROM unnest(%(lanes)s::int[], %(ids)s::uuid[], %(bodies)s::bytea[], %(parcels)s::uuid[])
ON CONFLICT (lane, id) DO UPDATE SET sealed = excluded.sealed, kept_for = excluded.kept_for;

-- name: kept
-- People who are kept for a parcel, after one of them.
SELECT id::text, kept_for::text FROM contact
WHERE (lane, id) > (%(lane)s, %(after)s::uuid) AND kept_for IS NOT NULL
ORDER BY lane, id LIMIT %(limit)s;

-- name: contacts
-- The sealed details of people.
SELECT c.id::text, c.sealed
FROM unnest(%(lanes)s::int[], %(ids)s::uuid[]) AS w (lane, id) JOIN contact c USING (lane, id);

-- name: forget_contacts
-- Delete the sealed details of people.
DELETE FROM contact c USING unnest(%(lanes)s::int[], %(ids)s::uuid[]) AS w (lane, id)
WHERE c.lane = w.lane AND c.id = w.id;

-- name: add_code
-- A sealed code, unless the use has one already.
INSERT INTO sealed_code (lane, parcel, point, number, holder, epoch, sealed)
VALUES (%(lane)s, %(parcel)s::uuid, %(point)s::uuid, %(number)s, %(holder)s::uuid, %(epoch)s, %(sealed)s::bytea)
ON CONFLICT (lane, parcel, point, number) DO NOTHING;

-- name: codes
-- The sealed codes of parcels, the newest last.
SELECT s.parcel::text, s.point::text, s.number, s.holder::text, s.epoch, s.sealed
FROM unnest(%(lanes)s::int[], %(ids)s::uuid[]) AS w (lane, parcel) JOIN sealed_code s USING (lane, parcel)
ORDER BY s.number, s.point;

-- name: note_epoch
-- For which log epoch the verifier of a code was made.
UPDATE sealed_code SET epoch = %(epoch)s
WHERE lane = %(lane)s AND parcel = %(parcel)s::uuid AND point = %(point)s::uuid AND number = %(number)s;

-- name: drop_code
-- Give up a code.
DELETE FROM sealed_code
WHERE lane = %(lane)s AND parcel = %(parcel)s::uuid AND point = %(point)s::uuid AND number = %(number)s;
