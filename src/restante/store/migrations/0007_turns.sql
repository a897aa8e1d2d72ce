-- How often the rows of a lane were changed. A hub that kept rows of its last batch may go by them while the lane's turn
-- is still the one that batch left; entries adopted without an event move the turn and not the head.
ALTER TABLE lane ADD COLUMN turn bigint NOT NULL DEFAULT 0;
