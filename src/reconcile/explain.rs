//! Why a person is, or is not, on each list: state, reasons with their law, and the evidence (L29).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{KnownList, ReconcileError, Reconciler};
use crate::domain::{
    Address, Base, Class, ClinicId, Contact, ContactFacts, ContactId, EventId, LinkId,
    MemberStatus, OptOut, OptOutKind, Patient, PatientId, Reason, Verb,
};
use crate::plan::decide;
use crate::store::{LinkRow, SuppressionRow};

/// Who is asked about.
#[derive(Debug, Clone)]
pub enum Who {
    /// Whoever has this address.
    Address(Address),
    /// A patient, by the clinic's id or ours.
    Patient(String),
}

impl Who {
    /// Reads what a person typed: an address, a number with `+`, else a patient's id.
    #[must_use]
    pub fn read(typed: &str, country: Option<&str>) -> Self {
        let address = match typed {
            _ if typed.contains('@') => Address::email(typed).ok(),
            _ if typed.starts_with('+') => Address::mobile(typed, country).ok(),
            _ => None,
        };
        address.map_or_else(|| Self::Patient(typed.to_owned()), Self::Address)
    }
}

/// What is known of somebody.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Explanation {
    /// The contacts, by which the ledger names them.
    pub contacts: Vec<ContactId>,
    /// The patients who have or had one of them, or who was asked about.
    pub patients: Vec<PatientId>,
    /// Those of them who were erased, or are to be; of an address, of those who have it now.
    pub erased: Vec<Erasing>,
    /// Each list's word.
    pub lists: Vec<ListWord>,
    /// What is known of the addresses by their hashes alone, whether anybody is known by them or not.
    pub kept_off: Vec<KeptOff>,
}

impl Explanation {
    /// Takes out what receipts tell: that somebody was erased, and when. Of suppressed addresses it
    /// leaves that they are.
    #[must_use]
    pub fn without_erasures(mut self) -> Self {
        self.erased.clear();
        // Of every kind: the one that was missing would be known.
        self.kept_off.iter_mut().for_each(|kept| kept.kind = None);
        for because in self.lists.iter_mut().flat_map(|word| &mut word.reasons) {
            if because.reason == Reason::Erased {
                *because = Reason::UnknownSuppressed.into();
            }
        }
        self
    }
}

/// A patient who was erased, or is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Erasing {
    /// The patient.
    pub patient: PatientId,
    /// When it was asked for here.
    pub asked_at: Option<DateTime<Utc>>,
    /// When the record here was erased; none while it is under way.
    pub erased_at: Option<DateTime<Utc>>,
}

/// An opt-out that is known by the keyed hash of an address alone (L28).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct KeptOff {
    /// The beginning of the hash, as the list of suppressions has it.
    pub mark: String,
    /// What kind; none where it may not be told.
    pub kind: Option<OptOutKind>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whether a newer consent of somebody who holds the address lifts it.
    pub lifted: bool,
}

/// One list's word on one contact.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ListWord {
    /// The list's short name.
    pub list: String,
    /// The link, by which logs and journal name the contact.
    pub link: LinkId,
    /// The contact, redacted.
    pub contact: String,
    /// Its state at the provider; none if it was never seen there.
    pub there: Option<MemberStatus>,
    /// What clinic and list last agreed on.
    pub agreed: Option<Base>,
    /// Where it stands.
    pub class: Class,
    /// What the next run would do.
    pub next: Option<Verb>,
    /// What keeps that from being done: waiting, braked or parked.
    pub held_back: Option<Class>,
    /// Why that could not be done, and when it is tried again.
    pub waits_for: Option<String>,
    /// Every reason, the deciding one first.
    pub reasons: Vec<Because>,
}

/// One reason, as a sentence with its law.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Because {
    /// The reason.
    pub reason: Reason,
    /// Its law.
    pub law: String,
    /// Its sentence.
    pub sentence: &'static str,
}

impl From<Reason> for Because {
    fn from(reason: Reason) -> Self {
        Self { reason, law: reason.law().to_string(), sentence: reason.sentence() }
    }
}

impl Reconciler {
    /// Explains somebody to a clinic; none if neither its records nor its lists know them.
    pub async fn explain(
        &self,
        clinic: ClinicId,
        lists: &[KnownList],
        who: &Who,
    ) -> Result<Option<Explanation>, ReconcileError> {
        let (patient, contacts) = self.contacts(clinic, who).await?;
        let mut known = Explanation::default();
        known.contacts.extend(contacts.iter().map(|contact| contact.id));
        known.patients.extend(patient);
        // That somebody was erased who had the address once is nothing about those who have it.
        let mut erasable: BTreeSet<PatientId> = patient.into_iter().collect();
        for contact in &contacts {
            for row in self.store.links_of_contact(clinic, contact.id).await? {
                if let Some(list) = lists.iter().find(|list| list.row.id == row.list_id) {
                    known.lists.push(self.word(list, row).await?);
                }
            }
            let facts = self.store.contact(clinic, contact.id).await?;
            let Some(facts) = facts else { continue };
            let address = match who {
                Who::Patient(_) => contact.address.as_ref(),
                Who::Address(address) => {
                    let holders = || facts.holders.iter();
                    known.patients.extend(holders().map(|holder| holder.patient.id));
                    let now = holders().filter(|holder| holder.holds_now);
                    erasable.extend(now.map(|holder| holder.patient.id));
                    Some(address)
                }
            };
            if let Some(address) = address {
                known.kept_off.extend(self.kept_off(clinic, address, Some(&facts)).await?);
            }
        }
        if let Who::Address(address) = who {
            if known.lists.is_empty() {
                known.lists = self.strangers(lists, address).await?;
            }
            if contacts.is_empty() {
                known.kept_off = self.kept_off(clinic, address, None).await?;
            }
        }
        known.patients.sort_unstable();
        known.patients.dedup();
        known.erased = self.erased(clinic, &erasable).await?;
        let nobody = patient.is_none() && contacts.is_empty();
        let nothing = known.lists.is_empty() && known.kept_off.is_empty();
        Ok((!(nobody && nothing)).then_some(known))
    }

    /// Returns those of the patients who were erased, or are to be.
    async fn erased(
        &self,
        clinic: ClinicId,
        patients: &BTreeSet<PatientId>,
    ) -> Result<Vec<Erasing>, ReconcileError> {
        let erased = self.store.erasures_of(clinic, patients).await?;
        let erased = erased.into_iter().map(|(patient, far)| Erasing {
            patient,
            asked_at: far.asked_at,
            erased_at: far.erased_at,
        });
        Ok(erased.collect())
    }

    /// Returns the opt-outs that are known by an address's hashes.
    pub async fn kept_off(
        &self,
        clinic: ClinicId,
        address: &Address,
        facts: Option<&ContactFacts>,
    ) -> Result<Vec<KeptOff>, ReconcileError> {
        let hashes = self.store.address_hashes(clinic, address);
        let mut rows = self.store.suppressions_of(clinic, hashes.iter()).await?;
        // Each is there under every live key.
        let mut told = BTreeSet::new();
        rows.retain(|row| told.insert((row.kind, row.clock, row.at)));
        let shown = |row: SuppressionRow| KeptOff {
            mark: row.mark(),
            kind: Some(row.kind),
            since: row.at,
            lifted: facts.is_some_and(|facts| is_lifted(&row, facts)),
        };
        Ok(rows.into_iter().map(shown).collect())
    }

    pub(super) async fn contacts(
        &self,
        clinic: ClinicId,
        who: &Who,
    ) -> Result<(Option<PatientId>, Vec<Contact>), ReconcileError> {
        let store = &self.store;
        Ok(match who {
            Who::Address(address) => {
                (None, store.contact_find(clinic, address).await?.into_iter().collect())
            }
            Who::Patient(id) => match store.patient_find(clinic, id).await? {
                Some(Patient { id, .. }) => {
                    (Some(id), store.contacts_of_patient(clinic, id).await?)
                }
                None => (None, Vec::new()),
            },
        })
    }

    /// Members whom the clinic never knew are found by the hash of their address.
    async fn strangers(
        &self,
        lists: &[KnownList],
        address: &Address,
    ) -> Result<Vec<ListWord>, ReconcileError> {
        let mut words = Vec::new();
        for list in lists.iter().filter(|list| list.row.channel == address.channel()) {
            let hashes = self.store.address_hashes(list.row.clinic, address);
            if let Some(row) = self.store.link_by_address(&list.row, &hashes).await? {
                words.push(self.word(list, row).await?);
            }
        }
        Ok(words)
    }

    /// Decides as a run would, sharers of the audience included (L27).
    async fn word(&self, list: &KnownList, row: LinkRow) -> Result<ListWord, ReconcileError> {
        let now = self.clock.now();
        let page = [row];
        let [row] = &page;
        let mut decisions = [decide(&row.facts, &row.link, &list.facts(), now)];
        self.spare_shared(&list.row, list.sharing(), &page, &mut decisions, now).await?;
        let [decision] = decisions;
        let verb = decision.operation.as_ref().map(|operation| operation.verb);
        let parked = row.parked.as_ref().filter(|parked| Some(parked.verb) == verb);
        let planned = row.planned.map(|(class, _)| class).filter(|_| verb.is_some());
        let held_back = match (parked, planned) {
            (Some(_), _) => Some(Class::Parked),
            (None, held @ Some(Class::Waiting | Class::Braked)) => held,
            (None, _) => None,
        };
        Ok(ListWord {
            list: list.row.slug.clone(),
            link: row.link.id,
            contact: redacted(&row.facts),
            there: row.link.observed.as_ref().map(|observed| observed.status),
            agreed: row.link.base,
            class: decision.class,
            held_back,
            next: decision.operation.as_ref().map(|operation| operation.verb),
            waits_for: parked.map(|parked| {
                let next_try = parked.next_try.format("%Y-%m-%d %H:%M UTC");
                format!("{}; tried again on {next_try}", parked.reason)
            }),
            reasons: decision.reasons.iter().map(|reason| Because::from(*reason)).collect(),
        })
    }
}

fn is_lifted(row: &SuppressionRow, facts: &ContactFacts) -> bool {
    let (kind, at, clock) = (row.kind, row.at, row.clock);
    let opt_out = OptOut { event: EventId(uuid::Uuid::nil()), kind, at, clock, by_person: true };
    let now = facts.holders.iter().filter(|holder| holder.holds_now);
    let standings =
        now.map(|holder| &holder.standing).chain(facts.contact.as_ref().map(|c| &c.standing));
    let contact = facts.contact.as_ref().map(|contact| contact.id);
    standings.flat_map(|standing| &standing.grants).any(|grant| match contact {
        Some(contact) => grant.lifts_at(contact, &opt_out),
        None => grant.lifts(&opt_out),
    })
}

fn redacted(facts: &ContactFacts) -> String {
    match facts.contact.as_ref().map(|contact| &contact.address) {
        None => "a member whom the clinic never knew".to_owned(),
        Some(None) => "an erased address".to_owned(),
        Some(Some(address)) => address.to_string(),
    }
}
