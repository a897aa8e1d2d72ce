-- What is kept only for a while: people for the parcel they are kept for, and answers for requests that are sent again.

-- Null for people remembered by an earlier version, who stay until somebody asks to be forgotten.
ALTER TABLE contact ADD COLUMN kept_for uuid;

-- What a request with an Idempotency-Key was answered with, where it cannot be told again from what is stored: sealed
-- under a key that follows from the Idempotency-Key, which is stored nowhere.
ALTER TABLE request_key ADD COLUMN answer bytea;
