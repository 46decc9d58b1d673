-- Since when the list waits to be read anew because the store was put back to an older state.
ALTER TABLE lists ADD COLUMN restored_at BIGINT;
