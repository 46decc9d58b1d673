-- What is appended with every opt-out names rows that the same statement writes, or has just read;
-- looking each of them up again costs a third of the time that a provider waits for its answer.
-- SQLite keeps the references, and so holds every test to them (docs/decisions/0012).
-- All at once, and in no writer's way for long: where that fails, migrate is run again.
SET LOCAL lock_timeout = '10s';
LOCK TABLE deliveries, endpoints, ledger, ledger_detail, ledger_patients, feedback, patients, clinics
    IN ACCESS EXCLUSIVE MODE;
ALTER TABLE ledger DROP CONSTRAINT ledger_clinic_id_fkey;
ALTER TABLE ledger_detail DROP CONSTRAINT ledger_detail_clinic_id_seq_fkey;
ALTER TABLE ledger_patients DROP CONSTRAINT ledger_patients_clinic_id_seq_fkey;
ALTER TABLE feedback DROP CONSTRAINT feedback_clinic_id_patient_id_fkey;
ALTER TABLE feedback DROP CONSTRAINT feedback_clinic_id_seq_fkey;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_clinic_id_endpoint_id_fkey;
