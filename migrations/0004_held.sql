-- Who stands on a provider's own lists of opt-outs, which are read whole: whoever comes back there
-- after having been gone opted out anew.
CREATE TABLE held_opt_outs (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    reader TEXT NOT NULL,
    unique_hash TEXT NOT NULL,
    contact_id UUID,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (clinic_id, reader, unique_hash)
);
CREATE INDEX held_opt_outs_by_contact ON held_opt_outs (clinic_id, contact_id);
