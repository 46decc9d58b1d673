//! Records into rows: a page of them in one JSON parameter a statement.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sqlx::Row as _;

use super::super::sql::Pool;
use super::Feedback;
use crate::domain::{Address, Channel, Consent, PatientRecord};
use crate::patients::SourceError;

/// Writes an instant as both engines read it.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn patient(record: &PatientRecord) -> Value {
    json!({
        "id": record.source_id,
        "given_name": record.given_name.expose(),
        "family_name": record.family_name.expose(),
        "email": record.email.as_ref().map(Address::expose),
        "mobile": record.mobile.as_ref().map(Address::expose),
        "birth_date": record.birth_date,
        "status": record.status.word(),
        "restricted": record.restricted,
        "tags": json!(record.tags).to_string(),
        "privacy_policy": record.privacy_policy,
        "updated_at": time(record.updated_at),
    })
}

pub(super) fn consent(id: &str, channel: Channel, consent: &Consent) -> Value {
    json!({
        "patient_id": id,
        "channel": channel.word(),
        "answer": consent.answer.word(),
        "answered_at": consent.at.map(time),
        "method": consent.method,
        "wording": consent.wording,
        "taken_by": consent.actor,
        "purpose": consent.purpose,
        "in_course_of_sale": consent.soft_opt_in.in_course_of_sale,
        "own_similar_services": consent.soft_opt_in.own_similar_services,
        "chance_to_refuse": consent.soft_opt_in.chance_to_refuse,
    })
}

/// Writes a page of records in one transaction.
pub(super) async fn upsert(pool: &Pool, records: &[PatientRecord]) -> Result<(), SourceError> {
    let patients = Value::Array(records.iter().map(patient).collect()).to_string();
    let both = |record: &PatientRecord| {
        Channel::ALL
            .iter()
            .map(|&c| consent(&record.source_id, c, record.consent(c)))
            .collect::<Vec<_>>()
    };
    let consents = Value::Array(records.iter().flat_map(both).collect()).to_string();
    let done = match pool {
        Pool::Sqlite { writing, .. } => sqlite(writing, &patients, &consents).await,
        Pool::Postgres(pool) => postgres(pool, &patients, &consents).await,
    };
    done.map_err(|error| pool.failed("writing patients", &error))
}

async fn sqlite(pool: &sqlx::SqlitePool, patients: &str, consents: &str) -> sqlx::Result<()> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(SQLITE_PATIENTS).bind(patients).execute(&mut *transaction).await?;
    let changed: Vec<String> =
        sqlx::query_scalar(SQLITE_CONSENTS).bind(consents).fetch_all(&mut *transaction).await?;
    if !changed.is_empty() {
        let changed = json!(changed).to_string();
        sqlx::query(SQLITE_TOUCH).bind(patients).bind(changed).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

async fn postgres(pool: &sqlx::PgPool, patients: &str, consents: &str) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query(POSTGRES_PATIENTS).bind(patients).execute(&mut *transaction).await?;
    let changed: Vec<String> =
        sqlx::query_scalar(POSTGRES_CONSENTS).bind(consents).fetch_all(&mut *transaction).await?;
    if !changed.is_empty() {
        let changed = json!(changed).to_string();
        sqlx::query(POSTGRES_TOUCH).bind(patients).bind(changed).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

const SQLITE_PATIENTS: &str = "
INSERT INTO clinic_patients (id, given_name, family_name, email, mobile, birth_date, status,
    restricted, tags, privacy_policy, updated_at)
SELECT value ->> 'id', value ->> 'given_name', value ->> 'family_name', value ->> 'email',
    value ->> 'mobile', value ->> 'birth_date', value ->> 'status', value ->> 'restricted',
    value ->> 'tags', value ->> 'privacy_policy', value ->> 'updated_at'
FROM json_each($1) WHERE true
ON CONFLICT (id) DO UPDATE SET given_name = excluded.given_name,
    family_name = excluded.family_name, email = excluded.email, mobile = excluded.mobile,
    birth_date = excluded.birth_date, status = excluded.status, restricted = excluded.restricted,
    tags = excluded.tags, privacy_policy = excluded.privacy_policy,
    updated_at = excluded.updated_at
WHERE (clinic_patients.given_name, clinic_patients.family_name, clinic_patients.email,
    clinic_patients.mobile, clinic_patients.birth_date, clinic_patients.status,
    clinic_patients.restricted, clinic_patients.tags, clinic_patients.privacy_policy)
    IS NOT (excluded.given_name, excluded.family_name, excluded.email, excluded.mobile,
    excluded.birth_date, excluded.status, excluded.restricted, excluded.tags,
    excluded.privacy_policy)";

const POSTGRES_PATIENTS: &str = "
INSERT INTO clinic_patients AS p (id, given_name, family_name, email, mobile, birth_date, status,
    restricted, tags, privacy_policy, updated_at)
SELECT id, given_name, family_name, email, mobile, birth_date, status, restricted, tags,
    privacy_policy, updated_at
FROM json_to_recordset(CAST($1 AS json)) AS n (id text, given_name text, family_name text,
    email text, mobile text, birth_date date, status text, restricted boolean, tags text,
    privacy_policy boolean, updated_at timestamptz)
ON CONFLICT (id) DO UPDATE SET given_name = excluded.given_name,
    family_name = excluded.family_name, email = excluded.email, mobile = excluded.mobile,
    birth_date = excluded.birth_date, status = excluded.status, restricted = excluded.restricted,
    tags = excluded.tags, privacy_policy = excluded.privacy_policy,
    updated_at = excluded.updated_at
WHERE (p.given_name, p.family_name, p.email, p.mobile, p.birth_date, p.status, p.restricted,
    p.tags, p.privacy_policy)
    IS DISTINCT FROM (excluded.given_name, excluded.family_name, excluded.email, excluded.mobile,
    excluded.birth_date, excluded.status, excluded.restricted, excluded.tags,
    excluded.privacy_policy)";

const SQLITE_CONSENTS: &str = "
INSERT INTO clinic_consents (patient_id, channel, answer, answered_at, method, wording, taken_by,
    purpose, in_course_of_sale, own_similar_services, chance_to_refuse)
SELECT value ->> 'patient_id', value ->> 'channel', value ->> 'answer', value ->> 'answered_at',
    value ->> 'method', value ->> 'wording', value ->> 'taken_by', value ->> 'purpose',
    value ->> 'in_course_of_sale', value ->> 'own_similar_services', value ->> 'chance_to_refuse'
FROM json_each($1) WHERE true
ON CONFLICT (patient_id, channel) DO UPDATE SET answer = excluded.answer,
    answered_at = excluded.answered_at, method = excluded.method, wording = excluded.wording,
    taken_by = excluded.taken_by, purpose = excluded.purpose,
    in_course_of_sale = excluded.in_course_of_sale,
    own_similar_services = excluded.own_similar_services,
    chance_to_refuse = excluded.chance_to_refuse
WHERE (clinic_consents.answer, clinic_consents.answered_at, clinic_consents.method,
    clinic_consents.wording, clinic_consents.taken_by, clinic_consents.purpose,
    clinic_consents.in_course_of_sale, clinic_consents.own_similar_services,
    clinic_consents.chance_to_refuse)
    IS NOT (excluded.answer, excluded.answered_at, excluded.method, excluded.wording,
    excluded.taken_by, excluded.purpose, excluded.in_course_of_sale,
    excluded.own_similar_services, excluded.chance_to_refuse)
RETURNING patient_id";

const POSTGRES_CONSENTS: &str = "
INSERT INTO clinic_consents AS c (patient_id, channel, answer, answered_at, method, wording,
    taken_by, purpose, in_course_of_sale, own_similar_services, chance_to_refuse)
SELECT patient_id, channel, answer, answered_at, method, wording, taken_by, purpose,
    in_course_of_sale, own_similar_services, chance_to_refuse
FROM json_to_recordset(CAST($1 AS json)) AS n (patient_id text, channel text, answer text,
    answered_at timestamptz, method text, wording text, taken_by text, purpose text,
    in_course_of_sale boolean, own_similar_services boolean, chance_to_refuse boolean)
ON CONFLICT (patient_id, channel) DO UPDATE SET answer = excluded.answer,
    answered_at = excluded.answered_at, method = excluded.method, wording = excluded.wording,
    taken_by = excluded.taken_by, purpose = excluded.purpose,
    in_course_of_sale = excluded.in_course_of_sale,
    own_similar_services = excluded.own_similar_services,
    chance_to_refuse = excluded.chance_to_refuse
WHERE (c.answer, c.answered_at, c.method, c.wording, c.taken_by, c.purpose, c.in_course_of_sale,
    c.own_similar_services, c.chance_to_refuse)
    IS DISTINCT FROM (excluded.answer, excluded.answered_at, excluded.method, excluded.wording,
    excluded.taken_by, excluded.purpose, excluded.in_course_of_sale,
    excluded.own_similar_services, excluded.chance_to_refuse)
RETURNING patient_id";

/// A changed consent changes its patient.
const SQLITE_TOUCH: &str = "
UPDATE clinic_patients SET updated_at = n.updated_at
FROM (SELECT value ->> 'id' AS id, value ->> 'updated_at' AS updated_at FROM json_each($1)) AS n
WHERE clinic_patients.id = n.id AND n.id IN (SELECT value FROM json_each($2))";

const POSTGRES_TOUCH: &str = "
UPDATE clinic_patients AS p SET updated_at = n.updated_at
FROM json_to_recordset(CAST($1 AS json)) AS n (id text, updated_at timestamptz)
WHERE p.id = n.id AND n.id IN (SELECT json_array_elements_text(CAST($2 AS json)))";

const FEEDBACK: &str = r#"SELECT CAST(event_id AS text) AS event_id, patient_id, channel, kind, list,
    "by" FROM listwarden_feedback ORDER BY event_id"#;

/// Lists what has been written back.
pub(super) async fn feedback(pool: &Pool) -> Result<Vec<Feedback>, SourceError> {
    macro_rules! lines {
        ($rows:expr) => {
            $rows
                .await?
                .iter()
                .map(|row| {
                    Ok(Feedback {
                        event_id: row.try_get("event_id")?,
                        patient_id: row.try_get("patient_id")?,
                        channel: row.try_get("channel")?,
                        kind: row.try_get("kind")?,
                        list: row.try_get("list")?,
                        by: row.try_get("by")?,
                    })
                })
                .collect()
        };
    }
    let read: Result<Vec<Feedback>, sqlx::Error> = async {
        match pool {
            Pool::Sqlite { reading, .. } => lines!(sqlx::query(FEEDBACK).fetch_all(reading)),
            Pool::Postgres(pool) => lines!(sqlx::query(FEEDBACK).fetch_all(pool)),
        }
    }
    .await;
    read.map_err(|error| pool.failed("reading listwarden_feedback", &error))
}
