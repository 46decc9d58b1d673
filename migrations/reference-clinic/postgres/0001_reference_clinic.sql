-- The reference clinic: a small system of record for clinics without one of their own, for
-- demonstrations and for tests. Times are timestamptz.

CREATE TABLE clinic_patients (
    id             text PRIMARY KEY,
    given_name     text NOT NULL DEFAULT '',
    family_name    text NOT NULL DEFAULT '',
    email          text,
    mobile         text,
    birth_date     date,
    status         text NOT NULL DEFAULT 'active'
        CHECK (status IN ('active', 'archived', 'merged', 'deceased', 'deleted')),
    restricted     boolean NOT NULL DEFAULT false,
    tags           text NOT NULL DEFAULT '[]',
    privacy_policy boolean,
    updated_at     timestamptz NOT NULL
);

CREATE INDEX clinic_patients_updated_at ON clinic_patients (updated_at);

CREATE TABLE clinic_consents (
    patient_id           text NOT NULL REFERENCES clinic_patients (id) ON DELETE CASCADE,
    channel              text NOT NULL CHECK (channel IN ('email', 'sms')),
    answer               text NOT NULL DEFAULT 'not_asked' CHECK (answer IN
        ('not_asked', 'granted', 'soft_opt_in', 'withdrawn', 'objected', 'preferred')),
    answered_at          timestamptz,
    method               text,
    wording              text,
    taken_by             text,
    purpose              text,
    in_course_of_sale    boolean NOT NULL DEFAULT false,
    own_similar_services boolean NOT NULL DEFAULT false,
    chance_to_refuse     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (patient_id, channel)
);

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
    event_id    uuid NOT NULL,
    patient_id  text NOT NULL,
    channel     text,
    kind        text NOT NULL,
    occurred_at timestamptz NOT NULL,
    list        text,
    "by"        text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, patient_id)
);

CREATE INDEX listwarden_feedback_patient ON listwarden_feedback (patient_id);

-- An opt-out that reaches the clinic becomes the clinic's own record of it, unless the record
-- holds an answer that is newer for certain, or says no already.
CREATE FUNCTION clinic_takes_feedback() RETURNS trigger LANGUAGE plpgsql AS $$
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
    RETURN NEW;
END
$$;

CREATE TRIGGER clinic_feedback AFTER INSERT ON listwarden_feedback FOR EACH ROW
WHEN (NEW.kind IN ('withdrawn', 'objected', 'complained'))
EXECUTE FUNCTION clinic_takes_feedback();
