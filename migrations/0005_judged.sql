-- When every link of the list was last judged anew, whatever had changed.
ALTER TABLE lists ADD COLUMN judged_at BIGINT;
