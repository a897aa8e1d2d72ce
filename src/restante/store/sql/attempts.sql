-- Failed attempts to give a notice.

-- name: attempts
-- What was tried for an errand, oldest first.
SELECT body FROM notice_attempt WHERE lane = %(lane)s AND name = %(name)s ORDER BY number;

-- name: add_attempt
-- Keep an attempt.
INSERT INTO notice_attempt (lane, name, number, body) VALUES (%(lane)s, %(name)s, %(number)s, %(body)s::bytea)
ON CONFLICT (lane, name, number) DO NOTHING;

-- name: clear_attempts
-- Forget what was tried for an errand.
DELETE FROM notice_attempt WHERE lane = %(lane)s AND name = %(name)s;
