-- How many links stand where, how many of them are members, and who is in a class, page by page: answered
-- from the index alone, or in its order.
CREATE INDEX links_in_class ON links (clinic_id, list_id, class, ordinal, status);
DROP INDEX links_by_class;

-- When a provider last told us something, found without reading all it ever told.
CREATE INDEX deliveries_by_endpoint ON deliveries (clinic_id, endpoint_id, received_at);
