-- Whether a program can work on its database.

-- name: has_migrations
-- Whether the database was ever migrated.
SELECT to_regclass('schema_migration') IS NOT NULL;

-- name: migrations
-- What has been applied.
SELECT number, checksum FROM schema_migration;
