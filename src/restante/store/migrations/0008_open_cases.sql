-- Cases that wait for somebody, so that they are counted by kind and age without reading parcels. A row comes and goes with
-- the events of its case, in their lane. A hub of the version before knows nothing of it: what it opens or settles during
-- an upgrade is not counted, or counted until the next daily upkeep. Nothing is decided by these rows. `subject` is the
-- parcel or the point.
CREATE TABLE open_case (
    lane integer NOT NULL,
    id uuid NOT NULL,
    subject uuid NOT NULL,
    kind text NOT NULL,
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (lane, id)
);

-- Those that are open already count as opened now. This reads every parcel once.
INSERT INTO open_case (lane, id, subject, kind, opened_at)
SELECT p.lane, c.value::uuid, p.id, c.key, now()
FROM parcel p CROSS JOIN LATERAL jsonb_each_text(convert_from(p.body, 'UTF8')::jsonb -> 'cases') c
WHERE position('"cases":{"'::bytea IN p.body) > 0
UNION
SELECT r.lane, c.value::uuid, r.point, split_part(c.key, ':', 1), now()
FROM room r CROSS JOIN LATERAL jsonb_each_text(convert_from(r.body, 'UTF8')::jsonb -> 'cases') c
WHERE position('"cases":{"'::bytea IN r.body) > 0;
