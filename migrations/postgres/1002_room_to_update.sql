-- Rows that are written again leave room in their page: an update that changes no indexed column
-- then stays there and touches no index.
ALTER TABLE contacts SET (fillfactor = 80);
ALTER TABLE patient_standings SET (fillfactor = 80);
