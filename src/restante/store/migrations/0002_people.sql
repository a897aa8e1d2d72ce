-- People: what is known of them, encrypted under a key for each person, and the keys apart.
--
-- A backup takes the schema `person_key` separately and keeps it for days, not years: whoever has been forgotten is
-- then forgotten in the backups of the rows too.

-- Sealed details of a person: name, addresses, telephone, e-mail, reference.
CREATE TABLE contact (
    lane integer NOT NULL,
    id uuid NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (lane, id)
);

CREATE SCHEMA person_key;

-- The key of each person, itself wrapped by the installation's key.
CREATE TABLE person_key.contact_key (
    lane integer NOT NULL,
    id uuid NOT NULL,
    wrapped_key bytea NOT NULL,
    PRIMARY KEY (lane, id)
);

-- Codes that people collect or drop off with, sealed under the key of the person, so that a page and a second mail show
-- the same one. `epoch` is the log epoch of the source at the point that its verifier was made for.
CREATE TABLE sealed_code (
    lane integer NOT NULL,
    parcel uuid NOT NULL,
    point uuid NOT NULL,
    number integer NOT NULL,
    holder uuid NOT NULL,
    epoch integer NOT NULL DEFAULT 0,
    sealed bytea NOT NULL,
    PRIMARY KEY (lane, parcel, point, number)
);

-- Attempts to give a notice that did not succeed, for as long as its task lasts. `name` names the task or timer.
CREATE TABLE notice_attempt (
    lane integer NOT NULL,
    name text NOT NULL,
    number integer NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (lane, name, number)
);
