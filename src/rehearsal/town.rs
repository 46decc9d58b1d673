//! A clinic and its audience on the day somebody installs Listwarden: years of drift.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::domain::patient::SoftOptIn;
use crate::domain::{Address, Answer, Consent, PatientRecord, PatientStatus, Personal};
use crate::simulator::mailchimp::{SeedMember, Source, Status};

const GIVEN: &[&str] = &[
    "Ada", "Ben", "Chloe", "Dev", "Elin", "Femi", "Gwen", "Hugo", "Iris", "Jonas", "Kira", "Leo",
    "Mina", "Noor", "Otto", "Priya", "Quinn", "Rosa", "Sami", "Tess", "Uma", "Viktor", "Wren",
    "Yara", "Zeno",
];
const FAMILY: &[&str] = &[
    "Abbott",
    "Barlow",
    "Chandra",
    "Doyle",
    "Ellison",
    "Farrow",
    "Grewal",
    "Hartley",
    "Ivers",
    "Jennings",
    "Kaur",
    "Lindqvist",
    "Mercer",
    "Novak",
    "Okafor",
    "Pemberton",
    "Quigley",
    "Rossi",
    "Sandhu",
    "Thorne",
    "Underhill",
    "Vance",
    "Whitlock",
    "Yilmaz",
    "Zieliński",
];

/// A clinic and its audience before the first run.
#[derive(Debug)]
pub struct Town {
    /// The clinic's records.
    pub patients: Vec<PatientRecord>,
    /// The audience at the provider.
    pub members: Vec<SeedMember>,
}

impl Town {
    /// Makes up a town of about `patients` patients, as of `now`.
    #[must_use]
    pub fn new(patients: usize, now: DateTime<Utc>, seed: u64) -> Self {
        let mut maker = Maker {
            now,
            chance: StdRng::seed_from_u64(seed),
            town: Self { patients: Vec::new(), members: Vec::new() },
        };
        while maker.town.patients.len() < patients {
            maker.household();
        }
        for number in 0..patients / 20 {
            maker.stranger(number);
        }
        maker.town
    }
}

struct Maker {
    now: DateTime<Utc>,
    chance: StdRng,
    town: Town,
}

impl Maker {
    /// One person, or now and then a family that shares the mother's address.
    fn household(&mut self) {
        let number = self.town.patients.len();
        let family = self.pick(FAMILY);
        let head = self.pick(GIVEN);
        let address = format!("{head}.{family}{number}@post.test").to_lowercase();
        let address = address.replace('ń', "n");
        let first = self.patient(head, family, &address, 20..85);
        let consented = says_yes(&first);
        let dropped = first.status != PatientStatus::Active;
        self.town.patients.push(first);
        let mut shared = 1;
        if self.one_in(10) {
            for _ in 0..self.chance.random_range(1..4) {
                let given = self.pick(GIVEN);
                let mut child = self.patient(given, family, &address, 3..19);
                child.email_consent = Consent::default();
                self.town.patients.push(child);
                shared += 1;
            }
        }
        self.maybe_member(&address, head, family, consented, dropped && shared == 1);
    }

    /// Every twentieth patient gave a mobile number.
    fn mobile(number: usize) -> Option<Address> {
        let own = (number % 20 == 7).then(|| format!("+4479111{:05}", number / 20));
        own.and_then(|number| Address::mobile(&number, None).ok())
    }

    fn patient(
        &mut self,
        given: &str,
        family: &str,
        address: &str,
        age: std::ops::Range<i32>,
    ) -> PatientRecord {
        let number = self.town.patients.len();
        let updated_at = self.long_ago(900);
        let mobile = Self::mobile(number);
        let mut tags = BTreeSet::new();
        tags.insert(if self.one_in(3) { "massage" } else { "physio" }.to_owned());
        PatientRecord {
            source_id: format!("P{number:05}"),
            given_name: Personal::new(given),
            family_name: Personal::new(family),
            email: Address::email(address).ok(),
            birth_date: self.birthday(age),
            status: self.status(),
            restricted: self.one_in(200),
            tags,
            privacy_policy: match self.chance.random_range(0..100) {
                0 => Some(false),
                1..=60 => Some(true),
                _ => None,
            },
            email_consent: self.consent(updated_at),
            sms_consent: mobile.as_ref().map(|_| texted_since(updated_at)).unwrap_or_default(),
            mobile,
            updated_at,
        }
    }

    fn status(&mut self) -> PatientStatus {
        match self.chance.random_range(0..100) {
            0..=84 => PatientStatus::Active,
            85..=92 => PatientStatus::Archived,
            93..=94 => PatientStatus::Deleted,
            95..=96 => PatientStatus::Merged,
            _ => PatientStatus::Deceased,
        }
    }

    fn consent(&mut self, updated_at: DateTime<Utc>) -> Consent {
        let before = updated_at - TimeDelta::days(self.chance.random_range(1..600));
        match self.chance.random_range(0..100) {
            0..=44 => Consent {
                answer: Answer::Granted,
                at: Some(before),
                method: Some("website form".to_owned()),
                wording: Some("newsletter wording v3".to_owned()),
                actor: Some("patient portal".to_owned()),
                ..Consent::default()
            },
            45..=64 => Consent { answer: Answer::Granted, ..Consent::default() },
            65..=74 => Consent {
                answer: Answer::SoftOptIn,
                at: Some(before),
                soft_opt_in: SoftOptIn {
                    in_course_of_sale: true,
                    own_similar_services: true,
                    chance_to_refuse: self.chance.random_bool(0.8),
                },
                ..Consent::default()
            },
            75..=79 => Consent {
                answer: Answer::Withdrawn,
                at: Some(before),
                method: Some("telephone".to_owned()),
                ..Consent::default()
            },
            80 => Consent { answer: Answer::Objected, at: Some(before), ..Consent::default() },
            _ => Consent::default(),
        }
    }

    /// Most who said yes are on the list, and so are some who did not, or are gone.
    fn maybe_member(
        &mut self,
        address: &str,
        given: &str,
        family: &str,
        said_yes: bool,
        dropped: bool,
    ) {
        let share = match (said_yes, dropped) {
            (true, false) => 75,
            (true, true) => 60,
            (false, _) => 18,
        };
        if self.chance.random_range(0..100) >= share {
            return;
        }
        let status = match self.chance.random_range(0..100) {
            0..=85 => Status::Subscribed,
            86..=93 => Status::Unsubscribed,
            94..=96 => Status::Cleaned,
            _ => Status::Archived,
        };
        let signed_up = said_yes && self.one_in(2);
        let source = if signed_up { Source::HostedForm } else { Source::Import };
        let joined = self.long_ago(700);
        self.town.members.push(SeedMember {
            merge_fields: vec![
                ("FNAME".to_owned(), json!(given)),
                ("LNAME".to_owned(), json!(family)),
            ],
            source,
            timestamp_opt: Some(joined),
            last_changed: Some(joined + TimeDelta::hours(1)),
            ..SeedMember::new(address, status)
        });
    }

    /// Somebody whom the clinic never knew.
    fn stranger(&mut self, number: usize) {
        let source = if self.one_in(3) { Source::HostedForm } else { Source::Import };
        let joined = self.long_ago(700);
        self.town.members.push(SeedMember {
            source,
            timestamp_opt: Some(joined),
            last_changed: Some(joined),
            ..SeedMember::subscribed(format!("stranger{number}@elsewhere.test"))
        });
    }

    fn birthday(&mut self, age: std::ops::Range<i32>) -> Option<NaiveDate> {
        let year = self.now.year() - self.chance.random_range(age);
        let day = self.chance.random_range(0..365);
        NaiveDate::from_ymd_opt(year, 1, 1)?.checked_add_days(Days::new(day))
    }

    fn long_ago(&mut self, days: i64) -> DateTime<Utc> {
        let minutes = self.chance.random_range(10 * 24 * 60..days * 24 * 60);
        self.now - TimeDelta::minutes(minutes)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.chance.random_range(0..from.len())]
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.chance.random_range(0..n) == 0
    }
}

/// Consent to texts, taken down on a form when the record was made.
fn texted_since(at: DateTime<Utc>) -> Consent {
    Consent {
        answer: Answer::Granted,
        at: Some(at),
        method: Some("registration form".to_owned()),
        wording: Some("text wording v1".to_owned()),
        actor: Some("reception".to_owned()),
        ..Consent::default()
    }
}

fn says_yes(record: &PatientRecord) -> bool {
    matches!(record.email_consent.answer, Answer::Granted | Answer::SoftOptIn)
}
