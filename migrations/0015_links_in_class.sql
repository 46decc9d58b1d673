-- How many links stand where, how many of them are members, and who is in a class, page by page: answered
-- from the index alone, or in its order. Alone in its migration: whoever writes waits for one table.
CREATE INDEX links_in_class ON links (clinic_id, list_id, class, ordinal, status);
