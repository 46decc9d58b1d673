-- When a provider last told us something, found without reading all it ever told.
CREATE INDEX deliveries_by_endpoint ON deliveries (clinic_id, endpoint_id, received_at);
