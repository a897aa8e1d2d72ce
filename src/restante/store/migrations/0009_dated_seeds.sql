-- Runs with programs from migration 0005 on.
--
-- Whether what a request with an Idempotency-Key chooses follows from the instant too at which it was first sent. A hub of
-- the version before does without, and leaves it false: sent again to this one, such a request is still the same.
ALTER TABLE request_key ADD COLUMN dated boolean NOT NULL DEFAULT false;
