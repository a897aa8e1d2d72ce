-- Runs with programs from migration 0005 on.
--
-- A parcel changes some six times in its life. With a fifth of a page kept free, 29 changes of 100 found no place beside
-- the row and wrote every index anew; with two fifths it is 14, and the table is no larger for it.
ALTER TABLE parcel SET (fillfactor = 60);
