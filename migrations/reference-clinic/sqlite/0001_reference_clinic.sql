-- The reference clinic: a small system of record for clinics without one of their own, for
-- demonstrations and for tests. Times are ISO 8601 text in UTC.

CREATE TABLE clinic_patients (
    id             TEXT PRIMARY KEY,
    given_name     TEXT NOT NULL DEFAULT '',
    family_name    TEXT NOT NULL DEFAULT '',
    email          TEXT,
    mobile         TEXT,
    birth_date     TEXT,
    status         TEXT NOT NULL DEFAULT 'active'
        CHECK (status IN ('active', 'archived', 'merged', 'deceased', 'deleted')),
    restricted     INTEGER NOT NULL DEFAULT 0,
    tags           TEXT NOT NULL DEFAULT '[]',
    privacy_policy INTEGER,
    updated_at     TEXT NOT NULL
) STRICT;

CREATE INDEX clinic_patients_updated_at ON clinic_patients (updated_at);

CREATE TABLE clinic_consents (
    patient_id           TEXT NOT NULL REFERENCES clinic_patients (id) ON DELETE CASCADE,
    channel              TEXT NOT NULL CHECK (channel IN ('email', 'sms')),
    answer               TEXT NOT NULL DEFAULT 'not_asked' CHECK (answer IN
        ('not_asked', 'granted', 'soft_opt_in', 'withdrawn', 'objected', 'preferred')),
    answered_at          TEXT,
    method               TEXT,
    wording              TEXT,
    taken_by             TEXT,
    purpose              TEXT,
    in_course_of_sale    INTEGER NOT NULL DEFAULT 0,
    own_similar_services INTEGER NOT NULL DEFAULT 0,
    chance_to_refuse     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (patient_id, channel)
) STRICT;

CREATE VIEW listwarden_patients AS
SELECT
    p.id, p.given_name, p.family_name, p.email, p.mobile, p.birth_date, p.status, p.restricted,
    p.tags, p.privacy_policy, p.updated_at,
    e.answer AS email_consent,
    e.answered_at AS email_consent_at,
    e.method AS email_consent_method,
    e.wording AS email_consent_wording,
    e.taken_by AS email_consent_by,
    e.purpose AS email_consent_purpose,
    e.in_course_of_sale AS email_obtained_in_course_of_sale,
    e.own_similar_services AS email_own_similar_services,
    e.chance_to_refuse AS email_chance_to_refuse,
    s.answer AS sms_consent,
    s.answered_at AS sms_consent_at,
    s.method AS sms_consent_method,
    s.wording AS sms_consent_wording,
    s.taken_by AS sms_consent_by,
    s.purpose AS sms_consent_purpose,
    s.in_course_of_sale AS sms_obtained_in_course_of_sale,
    s.own_similar_services AS sms_own_similar_services,
    s.chance_to_refuse AS sms_chance_to_refuse
FROM clinic_patients p
LEFT JOIN clinic_consents e ON e.patient_id = p.id AND e.channel = 'email'
LEFT JOIN clinic_consents s ON s.patient_id = p.id AND s.channel = 'sms';

CREATE TABLE listwarden_feedback (
    event_id    TEXT NOT NULL,
    patient_id  TEXT NOT NULL,
    channel     TEXT,
    kind        TEXT NOT NULL,
    occurred_at TEXT NOT NULL,
    list        TEXT,
    "by"        TEXT NOT NULL,
    recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (event_id, patient_id)
) STRICT;

CREATE INDEX listwarden_feedback_patient ON listwarden_feedback (patient_id);

-- An opt-out that reaches the clinic becomes the clinic's own record of it, unless the record
-- holds an answer that is newer for certain, or says no already.
CREATE TRIGGER clinic_feedback AFTER INSERT ON listwarden_feedback FOR EACH ROW
WHEN NEW.kind IN ('withdrawn', 'objected', 'complained')
BEGIN
    UPDATE clinic_consents
    SET answer = CASE NEW.kind WHEN 'objected' THEN 'objected' ELSE 'withdrawn' END,
        answered_at = NEW.occurred_at, method = 'listwarden', wording = NULL, taken_by = NEW."by"
    WHERE patient_id = NEW.patient_id
      AND (NEW.channel IS NULL OR NEW.kind = 'objected' OR channel = NEW.channel)
      AND (answered_at IS NULL OR answered_at < NEW.occurred_at)
      AND answer <> 'objected' AND (answer <> 'withdrawn' OR NEW.kind = 'objected');
    UPDATE clinic_patients SET updated_at = NEW.occurred_at
    WHERE id = NEW.patient_id AND updated_at < NEW.occurred_at;
END;
