-- A digest of what was read last: of a patient's row in the clinic's source, of a member as its provider
-- showed it. Who is read again with the same digest is as before, and nothing else of the row is looked
-- at; none where that would not be enough.
ALTER TABLE patients ADD COLUMN seen BIGINT;
ALTER TABLE links ADD COLUMN seen BIGINT;

-- A clinic's patients by number, from 1: who was in a sweep is one bit each.
ALTER TABLE patients ADD COLUMN ordinal BIGINT;
UPDATE patients SET ordinal = n.ordinal
FROM (SELECT clinic_id, id, ROW_NUMBER() OVER (PARTITION BY clinic_id ORDER BY id) AS ordinal
    FROM patients) AS n
WHERE patients.clinic_id = n.clinic_id AND patients.id = n.id;
CREATE UNIQUE INDEX patients_by_ordinal ON patients (clinic_id, ordinal);

CREATE INDEX patients_seen ON patients (clinic_id, seen, ordinal) WHERE seen IS NOT NULL;
CREATE INDEX links_seen ON links (clinic_id, list_id, seen, ordinal) WHERE seen IS NOT NULL;

-- What every run asks is answered without reading all links or patients: where the links stand, which
-- changes are in doubt, who is to be erased.
CREATE INDEX links_by_class ON links (clinic_id, list_id, class);
CREATE INDEX links_in_doubt ON links (clinic_id, list_id, ordinal) WHERE intent_verb IS NOT NULL;
CREATE INDEX patients_to_erase ON patients (clinic_id, id)
    WHERE status = 'deleted' AND erased_at IS NULL;
