-- Whose erasure was asked for here. The clinic's own records may have to keep the patient; nothing of it
-- is taken over again until the person consents anew, by evidence newer than this.
CREATE TABLE erasures (
    clinic_id UUID NOT NULL,
    patient_id UUID NOT NULL,
    asked_at BIGINT NOT NULL,
    asked_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    lifted_at BIGINT,
    PRIMARY KEY (clinic_id, patient_id),
    FOREIGN KEY (clinic_id, patient_id) REFERENCES patients (clinic_id, id)
);
