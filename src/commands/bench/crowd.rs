//! The people of a clinic: as many patients as members, all of whom consented, and what happens
//! to them meanwhile.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::domain::{Address, Answer, Consent, PatientRecord, PatientStatus, Personal};
use crate::simulator::mailchimp::{SeedMember, Source, Status};

/// Patients by number. The first `members` of them are listed, some more are archived on both sides,
/// and each drift lets one per cent change in the clinic.
#[derive(Debug, Clone)]
pub struct Crowd {
    members: usize,
    drifts: usize,
    began: DateTime<Utc>,
}

impl Crowd {
    /// Begins in step.
    pub const fn new(members: usize, began: DateTime<Utc>) -> Self {
        Self { members, drifts: 0, began }
    }

    /// Listed at the beginning; and later, since as many join as leave.
    pub const fn members(&self) -> usize {
        self.members
    }

    /// Everybody at the beginning.
    pub const fn known(&self) -> usize {
        self.members + self.members / 1000
    }

    fn third(&self) -> usize {
        (self.members / 300).max(1)
    }

    /// A third of one per cent joins in the clinic, as many are archived there, as many are renamed;
    /// never anybody twice. Returns who.
    pub fn drift(&mut self) -> [Range<usize>; 2] {
        let third = self.third();
        let (touched, joined) = (2 * third * self.drifts, self.known() + third * self.drifts);
        self.drifts += 1;
        [touched..touched + 2 * third, joined..joined + third]
    }

    /// Everybody that the clinic has, archived or not.
    pub fn numbers(&self) -> Range<usize> {
        0..self.known() + self.third() * self.drifts
    }

    /// Tells whether the clinic wants somebody listed.
    pub fn is_active(&self, n: usize) -> bool {
        match self.changed(n) {
            Some(archived) => !archived,
            None => n < self.members || n >= self.known(),
        }
    }

    /// Whether a drift archived somebody, or renamed.
    fn changed(&self, n: usize) -> Option<bool> {
        let third = self.third();
        (n < 2 * third * self.drifts).then(|| (n / third).is_multiple_of(2))
    }

    /// Somebody's family name.
    pub fn family_name(&self, n: usize) -> String {
        let renamed = self.changed(n) == Some(false);
        format!("{}{n}", if renamed { "Newname" } else { "Lee-Carter" })
    }

    /// Somebody's record, last changed at `updated_at`.
    pub fn patient(&self, n: usize, updated_at: DateTime<Utc>) -> PatientRecord {
        let status =
            if self.is_active(n) { PatientStatus::Active } else { PatientStatus::Archived };
        let asked = if n < self.known() { TimeDelta::days(41) } else { TimeDelta::hours(1) };
        PatientRecord {
            source_id: format!("P{n:07}"),
            given_name: Personal::new(GIVEN_NAME),
            family_name: Personal::new(&self.family_name(n)),
            email: Address::email(&address(n)).ok(),
            mobile: None,
            birth_date: "1980-05-01".parse().ok(),
            status,
            restricted: false,
            tags: BTreeSet::from(["physio".to_owned()]),
            privacy_policy: Some(true),
            email_consent: Consent {
                answer: Answer::Granted,
                at: Some(self.began - asked),
                method: Some("website form".to_owned()),
                wording: Some("v3".to_owned()),
                actor: Some("portal".to_owned()),
                ..Consent::default()
            },
            sms_consent: Consent::default(),
            updated_at,
        }
    }

    /// The people of the beginning as members: signed up at the provider by their own hands.
    pub fn seeds(&self) -> impl ExactSizeIterator<Item = SeedMember> {
        (0..self.known()).map(|n| {
            let status = if self.is_active(n) { Status::Subscribed } else { Status::Archived };
            let ago = TimeDelta::seconds(i64::try_from(n).unwrap_or_default());
            let joined = Some(self.began - TimeDelta::days(30) - ago);
            SeedMember {
                merge_fields: vec![
                    ("FNAME".to_owned(), json!(GIVEN_NAME)),
                    ("LNAME".to_owned(), json!(self.family_name(n))),
                ],
                source: Source::HostedForm,
                timestamp_opt: joined,
                last_changed: joined,
                ..SeedMember::new(address(n), status)
            }
        })
    }
}

/// Everybody's given name.
pub const GIVEN_NAME: &str = "Annemarie";

/// Somebody's address.
pub fn address(n: usize) -> String {
    format!("annemarie.leecarter{n}@post.test")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_join_as_leave() {
        let mut crowd = Crowd::new(3_000, DateTime::UNIX_EPOCH);
        for _ in 0..3 {
            crowd.drift();
            let listed = crowd.numbers().filter(|n| crowd.is_active(*n));
            assert_eq!(listed.count(), 3_000);
        }
    }

    #[test]
    fn a_drift_changes_nobody_twice() {
        let mut crowd = Crowd::new(3_000, DateTime::UNIX_EPOCH);
        let drifts = [crowd.drift(), crowd.drift()];
        let changed: Vec<usize> = drifts.into_iter().flatten().flatten().collect();
        assert_eq!(changed.len(), 60);
        assert_eq!(changed.iter().collect::<BTreeSet<_>>().len(), 60);
    }
}
