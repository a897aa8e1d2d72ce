-- Partners and what the API looks up: organisations and their keys, the directory of references and parcel codes,
-- requests with an Idempotency-Key, and where points lie on the globe.
--
-- These tables are not custody, so they are not kept by lane: each is spread by its own key.

CREATE TABLE org (
    id text PRIMARY KEY,
    role text NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL
);

-- `secret` is the SHA-256 of the key's secret part: 200 random bits need no slow hash.
CREATE TABLE api_key (
    id text PRIMARY KEY,
    org text NOT NULL,
    label text NOT NULL,
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_key_org ON api_key (org, id);

-- Which parcel an organisation's reference means. `name` and `content` are keyed hashes: references may hold personal
-- data, and are kept readable only in the recipient's encrypted details.
CREATE TABLE directory (
    name bytea PRIMARY KEY,
    org text NOT NULL,
    parcel uuid NOT NULL,
    code text NOT NULL,
    content bytea NOT NULL,
    at timestamptz NOT NULL
);

CREATE TABLE code_directory (
    code text PRIMARY KEY,
    parcel uuid NOT NULL
);

-- Requests with an Idempotency-Key: what was asked, when it was first asked, and what the first attempt went by.
CREATE TABLE request_key (
    org text NOT NULL,
    name bytea NOT NULL,
    content bytea NOT NULL,
    at timestamptz NOT NULL,
    pinned text,
    PRIMARY KEY (org, name)
);
CREATE INDEX request_key_age ON request_key USING brin (at);

-- Where points lie, as unit vectors from the centre of the globe: distances between those order as distances over
-- ground do, so the index finds the nearest ones exactly, across poles and the date line. Written before the point
-- itself is provisioned, and of no effect without it.
CREATE EXTENSION IF NOT EXISTS cube;
CREATE TABLE place (
    id uuid PRIMARY KEY,
    lane integer NOT NULL,
    kind text NOT NULL,
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    at_globe cube NOT NULL
);
CREATE INDEX place_at_globe ON place USING gist (at_globe);

-- An organisation's parcels in the order they were announced in; neither column changes, so updates stay in their page.
CREATE INDEX parcel_org ON parcel (lane, org, id);
