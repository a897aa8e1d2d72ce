-- The fleet: who may speak for a source, what it was told to do, and which session it has.

-- The epoch of the hub leads the order of manifests; a restored hub begins a later one. One row.
CREATE TABLE hub_epoch (
    lane integer PRIMARY KEY CHECK (lane = 0),
    epoch bigint NOT NULL CHECK (epoch > 0),
    began_at timestamptz NOT NULL
);
INSERT INTO hub_epoch (lane, epoch, began_at) VALUES (0, 1, now());

-- One row per source: its lock orders the issuing of manifests and certificates to it, and their revocation.
CREATE TABLE fleet_source (
    lane integer NOT NULL,
    source uuid NOT NULL,
    PRIMARY KEY (lane, source)
);

-- Manifests as they were issued. A generation names one of them for ever, whatever the epoch of the hub.
CREATE TABLE manifest (
    lane integer NOT NULL,
    source uuid NOT NULL,
    generation bigint NOT NULL CHECK (generation > 0),
    hub_epoch bigint NOT NULL,
    point uuid NOT NULL,
    digest text NOT NULL,
    document bytea NOT NULL,
    PRIMARY KEY (lane, source, generation)
);

-- The right to enrol one key, by the digest of the code; `used_by` is that key's SHA-256.
CREATE TABLE enrolment_code (
    lane integer NOT NULL,
    source uuid NOT NULL,
    digest bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    used_by text,
    PRIMARY KEY (lane, source, digest)
);
CREATE INDEX enrolment_code_digest ON enrolment_code (digest);

CREATE TABLE certificate (
    lane integer NOT NULL,
    source uuid NOT NULL,
    serial text NOT NULL,
    key_sha256 text NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (lane, source, serial)
);
CREATE INDEX certificate_revoked ON certificate (not_after) WHERE revoked_at IS NOT NULL;

-- The session each source has now, in whatever hub process, and when the source was last heard from.
CREATE TABLE source_session (
    lane integer NOT NULL,
    source uuid NOT NULL,
    point uuid NOT NULL,
    session text NOT NULL,
    heard_at timestamptz NOT NULL,
    told_lost boolean NOT NULL DEFAULT false,
    PRIMARY KEY (lane, source)
) WITH (fillfactor = 60);
