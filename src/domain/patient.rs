//! A person in the clinic's system of record.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::text::words;
use super::{Address, Channel, ContactId, PatientId, Personal};

words! {
    /// Where a patient stands with the clinic.
    PatientStatus {
        /// A patient now.
        Active = "active",
        /// Put away by the clinic.
        Archived = "archived",
        /// Merged into another record, which is judged on its own.
        Merged = "merged",
        /// Died.
        Deceased = "deceased",
        /// Deleted by the clinic: to be erased everywhere.
        Deleted = "deleted",
        /// No longer in the source, in two complete full sweeps.
        Vanished = "vanished",
    }
}

words! {
    /// What the clinic's record says about marketing on one channel.
    Answer {
        /// Never asked, or no answer: no opt-out (L4).
        NotAsked = "not_asked",
        /// Said yes.
        Granted = "granted",
        /// An existing customer who was given the chance to refuse (L5).
        SoftOptIn = "soft_opt_in",
        /// Said no to this channel.
        Withdrawn = "withdrawn",
        /// Objected to direct marketing on every channel.
        Objected = "objected",
        /// Prefers this channel, which lists nobody.
        Preferred = "preferred",
    }
}

/// The clinic's record about marketing on one channel, with whatever evidence it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Consent {
    /// What was answered.
    pub answer: Answer,
    /// When, by the clinic's clock.
    pub at: Option<DateTime<Utc>>,
    /// How: a paper form, the website, at the desk.
    pub method: Option<String>,
    /// The wording shown, or its version.
    pub wording: Option<String>,
    /// Who took it down.
    pub actor: Option<String>,
    /// The purpose it is limited to; none means marketing in general.
    pub purpose: Option<String>,
    /// Whether the three facts of a soft opt-in are on record (L5).
    pub soft_opt_in: SoftOptIn,
}

impl Default for Consent {
    fn default() -> Self {
        Self {
            answer: Answer::NotAsked,
            at: None,
            method: None,
            wording: None,
            actor: None,
            purpose: None,
            soft_opt_in: SoftOptIn::default(),
        }
    }
}

impl Consent {
    /// Tells whether the grant is explicit: actor, method, wording and time are recorded (L3).
    #[must_use]
    pub const fn is_explicit(&self) -> bool {
        self.at.is_some() && self.method.is_some() && self.wording.is_some() && self.actor.is_some()
    }
}

/// The three facts that make a soft opt-in (UK PECR reg. 22(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SoftOptIn {
    /// The details were obtained in the course of a sale or consultation.
    pub in_course_of_sale: bool,
    /// Only the clinic's own similar services are marketed.
    pub own_similar_services: bool,
    /// A simple chance to refuse was given then.
    pub chance_to_refuse: bool,
}

impl SoftOptIn {
    /// Tells whether all three facts are on record.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        self.in_course_of_sale && self.own_similar_services && self.chance_to_refuse
    }
}

/// One row as the clinic's system of record gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientRecord {
    /// The clinic's own id.
    pub source_id: String,
    /// Given name.
    pub given_name: Personal,
    /// Family name.
    pub family_name: Personal,
    /// E-mail address, where it is one.
    pub email: Option<Address>,
    /// Mobile number, where it is one.
    pub mobile: Option<Address>,
    /// Date of birth, where known.
    pub birth_date: Option<NaiveDate>,
    /// Standing with the clinic.
    pub status: PatientStatus,
    /// GDPR Art. 18: barred everywhere, kept here.
    pub restricted: bool,
    /// Tags that selectors match.
    pub tags: BTreeSet<String>,
    /// Answer to the privacy policy, where asked.
    pub privacy_policy: Option<bool>,
    /// Marketing by e-mail.
    pub email_consent: Consent,
    /// Marketing by text message.
    pub sms_consent: Consent,
    /// When the clinic last changed the row, by its clock.
    pub updated_at: DateTime<Utc>,
}

impl PatientRecord {
    /// Tells whether a text has the patient's names as words: both, or the one that there is.
    #[must_use]
    pub fn is_named_in(&self, text: &str) -> bool {
        let words = |text: &str| -> Vec<String> {
            let words = text.split(|c: char| !c.is_alphanumeric());
            words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
        };
        let text = words(text);
        let mut names = words(self.given_name.expose());
        names.extend(words(self.family_name.expose()));
        !names.is_empty() && names.iter().all(|name| text.contains(name))
    }

    /// Returns the address on `channel`, where there is one.
    #[must_use]
    pub const fn address(&self, channel: Channel) -> Option<&Address> {
        match channel {
            Channel::Email => self.email.as_ref(),
            Channel::Sms => self.mobile.as_ref(),
        }
    }

    /// Returns what the record says about marketing on `channel`.
    #[must_use]
    pub const fn consent(&self, channel: Channel) -> &Consent {
        match channel {
            Channel::Email => &self.email_consent,
            Channel::Sms => &self.sms_consent,
        }
    }
}

/// What a record said of consent and restriction when it was last turned into events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Said {
    /// Marketing by e-mail.
    pub email: Consent,
    /// Marketing by text message.
    pub sms: Consent,
    /// Restriction of processing.
    pub restricted: bool,
}

impl Said {
    /// Reads off what a record says now.
    #[must_use]
    pub fn by(record: &PatientRecord) -> Self {
        Self {
            email: record.email_consent.clone(),
            sms: record.sms_consent.clone(),
            restricted: record.restricted,
        }
    }

    /// Returns what it said of marketing on `channel`.
    #[must_use]
    pub const fn consent(&self, channel: Channel) -> &Consent {
        match channel {
            Channel::Email => &self.email,
            Channel::Sms => &self.sms,
        }
    }
}

/// A patient as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patient {
    /// Our id.
    pub id: PatientId,
    /// The clinic's record as last read.
    pub record: PatientRecord,
}

/// Where a patient can be reached, and could be before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contacts {
    /// The e-mail address that the patient holds now.
    pub email: Option<ContactId>,
    /// The mobile number that the patient holds now.
    pub sms: Option<ContactId>,
    /// What the patient held before.
    pub left: Vec<Left>,
}

/// A contact that a patient holds no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// The contact.
    pub contact: ContactId,
    /// Its channel.
    pub channel: Channel,
    /// When the patient had left it, by the clinic's clock.
    pub at: DateTime<Utc>,
}

impl Contacts {
    /// Returns what the patient holds now.
    #[must_use]
    pub const fn on(&self, channel: Channel) -> Option<ContactId> {
        match channel {
            Channel::Email => self.email,
            Channel::Sms => self.sms,
        }
    }

    /// Returns what the patient may have held still at a moment, by the clinic's clock.
    pub fn left_since(
        &self,
        channel: Channel,
        then: DateTime<Utc>,
    ) -> impl Iterator<Item = ContactId> + '_ {
        let left = self.left.iter().filter(move |left| left.channel == channel && left.at >= then);
        left.map(|left| left.contact)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn called(given: &str, family: &str) -> PatientRecord {
        let unasked = Consent::default();
        serde_json::from_value(json!({
            "source_id": "1", "given_name": given, "family_name": family, "email": null,
            "mobile": null, "birth_date": null, "status": "active", "restricted": false,
            "tags": [], "privacy_policy": null, "email_consent": unasked, "sms_consent": unasked,
            "updated_at": "2026-03-02T09:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn a_text_names_a_patient_by_every_word_of_both_names() {
        let ann = called("Ann-Marie", "Lee");
        assert!(ann.is_named_in("LEE, ann marie called"));
        assert!(!ann.is_named_in("Ann Lee called") && !ann.is_named_in("letter of 3 March"));
        assert!(called("Ann", "").is_named_in("ann called"));
    }

    #[test]
    fn a_name_without_a_word_is_in_no_text() {
        for (given, family) in [("", ""), (".", ""), ("-", "?")] {
            assert!(
                !called(given, family).is_named_in("letter of 3 March"),
                "{given:?} {family:?}"
            );
        }
        assert!(called(".", "Lee").is_named_in("Lee called"));
    }
}
