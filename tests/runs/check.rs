//! What must hold after any run that is through, judged without the program: by the clinic's rows
//! and by what the provider shows.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use listwarden::domain::{Address, Answer, PatientRecord, PatientStatus};
use listwarden::patients::PatientSource;
use listwarden::simulator::mailchimp::{MemberState, Status};

use crate::world::{World, assert_in_step};

/// Where the simulator's contacts sit: an opt-in from there is the contact's own.
const CONTACTS_SIT_AT: &str = "198.51.100.23";

impl World {
    /// A further run changes nothing (L24), and nobody is listed who must not be.
    pub async fn rests(&self) {
        let before = self.writes();
        let again = self.try_run(true).await;
        assert_in_step(&again);
        assert_eq!(self.writes(), before, "a second run wrote: {:#?}", self.simulator.writes());
        for list in &again.lists {
            assert!(list.operations.is_empty(), "a second run planned: {again:#?}");
        }
        let lists = &self.deployment.clinics().next().unwrap().lists;
        for list in lists {
            self.nobody_is_listed_wrongly(&list.audience).await;
        }
    }

    /// Nobody barred or dropped is listed, nobody is subscribed without proof, no opt-out is undone.
    pub async fn nobody_is_listed_wrongly(&self, audience: &str) {
        let records = self.all_records().await;
        let ever = self.ever.lock().unwrap().clone();
        for member in self.simulator.dump(audience).unwrap() {
            let listed = matches!(member.status, Status::Pending | Status::Subscribed);
            if !listed || !ever.contains(&member.email) {
                continue;
            }
            let holders: Vec<_> =
                records.iter().filter(|record| holds(record, &member.email)).collect();
            assert!(
                holders.iter().any(|holder| self.may_be_listed(holder, &member)),
                "nobody may be listed as {member:?}: {holders:#?}"
            );
            assert!(!holders.iter().any(|holder| objects(holder)), "objected: {member:?}");
            if member.status == Status::Subscribed && self.wants_proof() {
                assert!(self.opted_in_itself(audience, &member.email), "no proof: {member:?}");
            }
        }
    }

    async fn all_records(&self) -> Vec<PatientRecord> {
        let mut records = Vec::new();
        let mut after = None;
        loop {
            let page = self.clinic.page(None, after.as_ref()).await.unwrap();
            records.extend(page.records);
            after = page.next;
            if after.is_none() {
                return records;
            }
        }
    }

    fn may_be_listed(&self, holder: &PatientRecord, member: &MemberState) -> bool {
        let consent = &holder.email_consent;
        let explicit = consent.at.filter(|_| consent.answer == Answer::Granted);
        let signed_up = member.source.starts_with("Hosted");
        let no = self.noes.lock().unwrap().get(&member.email).copied();
        let still_out = no.is_some_and(|no| !signed_up && !is_newer(explicit, no));
        holder.status == PatientStatus::Active
            && !holder.restricted
            && holder.privacy_policy != Some(false)
            && of_age(holder, self.now())
            && (consent.answer == Answer::Granted || signed_up)
            && !still_out
    }

    /// Tells whether this world's policy asks everybody on the list for proof.
    fn wants_proof(&self) -> bool {
        let policy = &self.deployment.clinics().next().unwrap().lists[0].policy;
        policy.double_opt_in
            && policy.grandfather_before.is_none()
            && policy.unproven == listwarden::domain::policy::UnprovenMembers::ArchiveAndInvite
    }

    fn opted_in_itself(&self, audience: &str, address: &str) -> bool {
        let shown = self.simulator.member_json(audience, address).unwrap();
        shown["ip_opt"] == CONTACTS_SIT_AT
    }
}

fn holds(record: &PatientRecord, address: &str) -> bool {
    record.email.as_ref().map(Address::expose) == Some(address)
}

fn objects(record: &PatientRecord) -> bool {
    record.email_consent.answer == Answer::Objected
}

fn is_newer(consent: Option<DateTime<Utc>>, no: DateTime<Utc>) -> bool {
    consent.is_some_and(|at| at >= no + TimeDelta::minutes(5))
}

fn of_age(record: &PatientRecord, now: DateTime<Utc>) -> bool {
    record
        .birth_date
        .is_none_or(|born| (now.year() - 16, now.ordinal()) >= (born.year(), born.ordinal()))
}
