-- What a proof asks of a database whose schema may be of this version or of the one before.

-- name: heads
-- The position of every lane's last event.
SELECT lane, head FROM lane ORDER BY lane;

-- name: held
-- How far the journal of a source is held, in the latest of its epochs that any entry is held of.
SELECT seq FROM journal WHERE source = %(source)s::uuid ORDER BY epoch DESC, seq DESC LIMIT 1;
