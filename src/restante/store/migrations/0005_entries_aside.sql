-- Journal entries of ended log epochs that do not follow from what was adopted of them: kept as they came, for a person
-- to judge. Two histories may claim one number, so the hash belongs to the key.

CREATE TABLE entry_aside (
    lane integer NOT NULL,
    source uuid NOT NULL,
    epoch integer NOT NULL,
    seq bigint NOT NULL,
    hash text NOT NULL,
    received_at timestamptz NOT NULL,
    entry bytea NOT NULL,
    PRIMARY KEY (lane, source, epoch, seq, hash)
);
