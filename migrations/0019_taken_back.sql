-- The run that a store which was put back did not hold when it was taken as it is: until the next run begins,
-- a store that does not know this was put back once more.
ALTER TABLE clinics ADD COLUMN taken_without UUID;
