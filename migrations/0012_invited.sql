-- Invitations that the clinic's own record is to be told of. They are no lines of the ledger, and wait
-- apart from what is, so that none is ever ahead of an opt-out.
CREATE TABLE invited (
    clinic_id UUID NOT NULL,
    event_id UUID NOT NULL,
    patient_id UUID NOT NULL,
    list_id UUID NOT NULL,
    at BIGINT NOT NULL,
    done_at BIGINT,
    PRIMARY KEY (clinic_id, event_id, patient_id),
    FOREIGN KEY (clinic_id, patient_id) REFERENCES patients (clinic_id, id),
    FOREIGN KEY (clinic_id, list_id) REFERENCES lists (clinic_id, id)
);
CREATE INDEX invited_pending ON invited (clinic_id, event_id) WHERE done_at IS NULL;
CREATE INDEX invited_by_patient ON invited (clinic_id, patient_id);
