-- Runs with programs from migration 0005 on.
--
-- Days of the log that were exported and dropped: of each lane the last position among them, what was in the file and its
-- digest, so that a check knows where the log begins. `kept` events stayed, since their parcel was not over or they are
-- about a point; they stand in the partition of other days.
CREATE TABLE retired_day (
    lane integer NOT NULL,
    day date NOT NULL,
    last_seq bigint NOT NULL,
    events bigint NOT NULL,
    kept bigint NOT NULL,
    file_sha256 text NOT NULL,
    retired_at timestamptz NOT NULL,
    PRIMARY KEY (lane, day)
);
