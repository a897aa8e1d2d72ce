-- Days of the log that are older than anybody needs.

-- name: days
-- The partitions of the log, by name.
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'event'::regclass AND inhrelid <> 'event_other_days'::regclass
ORDER BY 1;

-- name: epoch_began
-- When the hub's epoch began: after a restore, sources send again what the backup had not.
SELECT began_at FROM hub_epoch WHERE lane = 0;

-- name: owed
-- Of each lane the first event that a task still follows from.
SELECT lane, min(seq) FROM task GROUP BY lane;

-- name: note_day
-- Note a day of a lane as dropped.
INSERT INTO retired_day (lane, day, last_seq, events, kept, file_sha256, retired_at)
VALUES (%(lane)s, %(day)s, %(last_seq)s, %(events)s, %(kept)s, %(file_sha256)s, %(retired_at)s);
