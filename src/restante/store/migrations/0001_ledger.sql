-- The ledger: lanes, the rows of custody, the log of events, and the work that follows from them.
--
-- `lane` leads every key, so that the tables can be spread by it. Rows are kept whole in `body` (JSON of the core's
-- structs); beside it stand only the columns that something looks up or guards. Nothing that changes at each
-- transition is indexed, so that updates stay within their page. There are no triggers and no foreign keys: only the
-- engine writes here, under the lane's lock. `org` stands on every row that belongs to an organisation's parcel.

-- One row per lane: the lock of the lane and the position of its last event.
CREATE TABLE lane (
    lane integer PRIMARY KEY CHECK (lane BETWEEN 0 AND 65535),
    head bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

CREATE TABLE parcel (
    lane integer NOT NULL,
    id uuid NOT NULL,
    org text NOT NULL,
    code text NOT NULL,
    version integer NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (lane, id)
) WITH (fillfactor = 80);
CREATE INDEX parcel_code ON parcel (lane, code);

-- What a point can still promise.
CREATE TABLE room (
    lane integer NOT NULL,
    point uuid NOT NULL,
    version integer NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (lane, point)
) WITH (fillfactor = 40);

-- A point as it is shown.
CREATE TABLE point (
    lane integer NOT NULL,
    id uuid NOT NULL,
    version integer NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (lane, id)
);

-- How far a source's journal has been adopted.
CREATE TABLE source (
    lane integer NOT NULL,
    id uuid NOT NULL,
    point uuid NOT NULL,
    version integer NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (lane, id)
) WITH (fillfactor = 40);
CREATE INDEX source_point ON source (lane, point);

-- The log. (lane, seq) is unique across days because a batch holds the lane's row while it takes positions.
-- `subject` is the event's parcel or point; `version` is the parcel's after the event, 0 for a point's.
CREATE TABLE event (
    lane integer NOT NULL,
    seq bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    at timestamptz NOT NULL,
    subject uuid NOT NULL,
    version integer NOT NULL,
    org text,
    schema smallint NOT NULL,
    actor text NOT NULL,
    command text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (lane, seq, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX event_subject ON event (lane, subject, version);
-- Takes what no day's partition takes; the program makes the days ahead, so that it stays empty.
CREATE TABLE event_other_days PARTITION OF event DEFAULT;

-- Live promises, in the lane of their point.
CREATE TABLE promise (
    lane integer NOT NULL,
    point uuid NOT NULL,
    parcel uuid NOT NULL,
    org text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (lane, point, parcel)
);

-- Open stays, in the lane of their source.
CREATE TABLE stay (
    lane integer NOT NULL,
    source uuid NOT NULL,
    epoch integer NOT NULL,
    seq bigint NOT NULL,
    parcel uuid NOT NULL,
    org text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (lane, source, epoch, seq)
);

CREATE TABLE timer (
    lane integer NOT NULL,
    parcel uuid NOT NULL,
    kind text NOT NULL,
    org text NOT NULL,
    due timestamptz NOT NULL,
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (lane, parcel, kind)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
CREATE INDEX timer_due ON timer (lane, due);

-- The outbox. A row is claimed from `ready_at` on; a lease moves that later, and so does a postponement.
CREATE TABLE task (
    lane integer NOT NULL,
    seq bigint NOT NULL,
    ordinal smallint NOT NULL,
    org text,
    ready_at timestamptz NOT NULL DEFAULT '-infinity',
    attempts integer NOT NULL DEFAULT 0,
    body bytea NOT NULL,
    PRIMARY KEY (lane, seq, ordinal)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- What a command came to, kept for some days so that the same command again is answered and not done twice.
CREATE TABLE receipt (
    lane integer NOT NULL,
    command text NOT NULL,
    fingerprint bytea NOT NULL,
    outcome bytea NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (lane, command)
);
-- Receipts come in order of time, so a few bytes per run of pages find the old ones.
CREATE INDEX receipt_age ON receipt USING brin (at);

-- Adopted journal entries, byte for byte.
CREATE TABLE journal (
    lane integer NOT NULL,
    source uuid NOT NULL,
    epoch integer NOT NULL,
    seq bigint NOT NULL,
    hash text NOT NULL,
    entry bytea NOT NULL,
    PRIMARY KEY (lane, source, epoch, seq)
);

-- How a source recognises a code; the code itself is stored nowhere.
CREATE TABLE credential (
    lane integer NOT NULL,
    point uuid NOT NULL,
    subject text NOT NULL,
    verifier text NOT NULL,
    expires_at timestamptz,
    body bytea NOT NULL,
    PRIMARY KEY (lane, point, subject),
    UNIQUE (lane, point, verifier)
);
