-- What every batch moves is rewritten in place: room in each page keeps its new version beside the old one (a HOT update).
ALTER TABLE gateway SET (fillfactor = 70);
ALTER TABLE gateway_log SET (fillfactor = 70);
ALTER TABLE series SET (fillfactor = 70);

-- A segment's series is looked up in the transaction that writes it, and series are never deleted: asking again for each row costs more
-- than storing it.
ALTER TABLE segment DROP CONSTRAINT segment_series_id_fkey;
