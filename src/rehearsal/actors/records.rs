//! What a clinic's record of somebody says.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::domain::patient::SoftOptIn;
use crate::domain::{Address, Answer, Channel, Consent, PatientRecord, PatientStatus, Personal};
use crate::rehearsal::history::Says;
use crate::rehearsal::world::{World, address};

impl World {
    /// An active patient who was never asked.
    pub(super) fn somebody(&self, clinic: usize, patient: usize, age: u32) -> PatientRecord {
        let now = self.now();
        let year = now.year() - i32::try_from(age).unwrap_or(40);
        PatientRecord {
            source_id: id(patient),
            given_name: Personal::new(&format!("Ottoline{clinic}x{patient}")),
            family_name: Personal::new(&format!("Quillfeather{clinic}x{patient}")),
            email: Address::email(&address(clinic, patient, Channel::Email)).ok(),
            mobile: Address::mobile(&address(clinic, patient, Channel::Sms), None).ok(),
            birth_date: NaiveDate::from_ymd_opt(year, 1, 1),
            status: PatientStatus::Active,
            restricted: false,
            tags: if patient.is_multiple_of(2) { ["dental".to_owned()].into() } else { [].into() },
            privacy_policy: None,
            email_consent: Consent::default(),
            sms_consent: Consent::default(),
            updated_at: now,
        }
    }
}

/// The clinic's id of a patient.
#[must_use]
pub fn id(patient: usize) -> String {
    format!("P{patient:03}")
}

/// What the record says of consent after this.
pub(super) fn consent(says: Says, at: DateTime<Utc>) -> Consent {
    let answer = match says {
        Says::NotAsked => Answer::NotAsked,
        Says::Yes | Says::Flag => Answer::Granted,
        Says::Customer => Answer::SoftOptIn,
        Says::No => Answer::Withdrawn,
        Says::Objects => Answer::Objected,
    };
    let on_record = !matches!(says, Says::Flag | Says::NotAsked);
    let explicit = says == Says::Yes;
    let facts = says == Says::Customer;
    Consent {
        answer,
        at: on_record.then_some(at),
        method: on_record.then(|| "at the desk".to_owned()),
        wording: explicit.then(|| "v3".to_owned()),
        actor: explicit.then(|| "reception".to_owned()),
        purpose: None,
        soft_opt_in: SoftOptIn {
            in_course_of_sale: facts,
            own_similar_services: facts,
            chance_to_refuse: facts,
        },
    }
}

/// The record's own word on a channel.
pub(super) const fn consent_mut(record: &mut PatientRecord, channel: Channel) -> &mut Consent {
    match channel {
        Channel::Email => &mut record.email_consent,
        Channel::Sms => &mut record.sms_consent,
    }
}
