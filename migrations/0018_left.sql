-- Until when a patient held an address: a no from there that is read later may be older, and binds them.
ALTER TABLE holders ADD COLUMN left_at BIGINT;
