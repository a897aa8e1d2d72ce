-- What `restante doctor` asks of a database: nothing of it is changed, and none of it is about a parcel.

-- name: server
-- Settings that decide whether a commit outlives a loss of power, and the server's version.
SELECT name, setting FROM pg_settings
WHERE name IN ('server_version_num', 'fsync', 'full_page_writes', 'synchronous_commit');

-- name: clock
-- What time it is by the server.
SELECT clock_timestamp();

-- name: programs
-- Which programs of ours are connected, by the names that they give their connections.
SELECT application_name, count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'restante %%' GROUP BY application_name;

-- name: count_lanes
-- How many lanes there are.
SELECT count(*) FROM lane;
