//! Erasure on request (GDPR Art. 17): at the providers first, each verified by a read, then here. What
//! remains is the keyed hash that keeps the person from being listed again.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::desk::{Desk, RightsError, unnamed};
use super::effect::Idle;
use crate::config::ClinicConfig;
use crate::domain::{Because, Channel, ClinicId, ContactId, LinkId, MemberStatus, Patient, Verb};
use crate::store::{AskedBy, HeldAddress, LinkRow, ListRow, OpState, Store};

/// What became of an erasure: shown to whoever asked, and true again whenever it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Receipt {
    /// The clinic's short name.
    pub clinic: String,
    /// The patient, by the clinic's own id.
    pub patient: String,
    /// When it was asked for here; none where the clinic deleted the patient, or nobody asked.
    pub asked_at: Option<DateTime<Utc>>,
    /// Who took it down.
    pub asked_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Whether everything is erased here and there.
    pub done: bool,
    /// Each list.
    pub lists: Vec<AtProvider>,
    /// Addresses erased here.
    pub addresses_erased: usize,
    /// Addresses that another person has too, and that stay theirs.
    pub addresses_of_others: usize,
    /// When the record here was wiped.
    pub record_erased_at: Option<DateTime<Utc>>,
    /// What stays: keyed hashes, which only the clinic's key can compare with an address.
    pub remains: Vec<Remains>,
    /// What stays beside them, in words.
    pub also_remains: Vec<&'static str>,
    /// What became of who asked now and why, where somebody had asked before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

/// What an erasure leaves beside hashes.
const ALSO_REMAINS: [&str; 4] = [
    "the clinic's own id of the patient, by which a record that comes again is recognised",
    "that there were lines of the ledger, when, and of which kind, without their text",
    "what was changed on which list, when, and why, in the journal; and when the clinic's record was told",
    "the opt-outs and the restriction that keep the person off; who asked for the erasure, and why",
];

/// What became of the person on one list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AtProvider {
    /// The list.
    pub list: String,
    /// How it stands.
    pub state: Erased,
    /// When that was verified by a read at the provider.
    pub verified_at: Option<DateTime<Utc>>,
}

/// How the erasure stands on one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Erased {
    /// Erased by us.
    Erased,
    /// Not there.
    NotThere,
    /// Not yet: it is tried again.
    NotYet,
    /// Waits until an admin approves the list's first plan (L20).
    WaitsForApproval,
    /// Still there, on a list that ended before: nothing of ours goes there any more.
    Ended,
}

impl Erased {
    /// Tells whether no run has anything left to do there.
    const fn is_through(self) -> bool {
        matches!(self, Self::Erased | Self::NotThere | Self::Ended)
    }

    /// Says it to a person.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Erased => "erased",
            Self::NotThere => "not there",
            Self::NotYet => "not yet: it is tried again by every run",
            Self::WaitsForApproval => "waits until the list's first plan is approved",
            Self::Ended => "still there, but the list has ended: erase it at the provider by hand",
        }
    }
}

/// A keyed hash that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Remains {
    /// The channel of the address.
    pub channel: Channel,
    /// The key it was made with.
    pub key: String,
    /// The hash.
    pub hash: String,
}

impl Desk<'_> {
    /// Erases a patient everywhere, as far as it can be done now; asked for again it goes on. None where
    /// the clinic has no such patient.
    pub async fn erase(
        &self,
        patient: &str,
        by: &str,
        reason: &Because,
    ) -> Result<Option<Receipt>, RightsError> {
        let Some((id, patient)) = self.patient(patient).await? else { return Ok(None) };
        unnamed(&patient, reason)?;
        let asked = AskedBy { by, reason: reason.text() };
        self.reconciler.erasure_ask(id, &self.clinic.slug, patient.id, asked).await?;
        self.follow(id, patient.id).await?;
        let name = patient.id.to_string();
        let receipt = receipt(&self.reconciler.store, self.clinic, &name).await?;
        Ok(receipt.map(|receipt| {
            let stands = (receipt.asked_by.as_deref(), receipt.reason.as_deref());
            let note =
                (stands != (Some(by), Some(reason.text()))).then(|| Idle::AskedBefore.sentence());
            Receipt { note, ..receipt }
        }))
    }
}

/// Says how far a patient's erasure is; none where the clinic has no such patient.
pub async fn receipt(
    store: &Store,
    clinic: &ClinicConfig,
    patient: &str,
) -> Result<Option<Receipt>, crate::store::StoreError> {
    let id = store.clinic_ensure(&clinic.slug).await?;
    let Some(Patient { id: patient, record }) = store.patient_find(id, patient).await? else {
        return Ok(None);
    };
    let Some(row) = store.erasure_of(id, patient).await? else { return Ok(None) };
    let held = store.addresses_of_patient(id, patient).await?;
    let (others, own): (Vec<_>, Vec<_>) = held.iter().partition(|held| is_of_others(held));
    let lists = store.lists(id).await?;
    let mut at_providers = Vec::new();
    let mut remains = Vec::new();
    for held in &own {
        at_providers.extend(at_lists(store, id, held.contact, &lists).await?);
        for hash in store.contact_hashes(id, held.contact).await? {
            let (key, hash) = (hash.key_id, hash.hash);
            remains.push(Remains { channel: held.channel, key, hash });
        }
    }
    let erased = own.iter().filter(|held| held.erased_at.is_some()).count();
    Ok(Some(Receipt {
        clinic: clinic.slug.clone(),
        patient: record.source_id,
        asked_at: row.asked_at,
        asked_by: row.asked_by,
        reason: row.reason,
        done: row.erased_at.is_some()
            && erased == own.len()
            && at_providers.iter().all(|at| at.state.is_through()),
        lists: at_providers,
        addresses_erased: erased,
        addresses_of_others: others.len(),
        record_erased_at: row.erased_at,
        remains,
        also_remains: ALSO_REMAINS.to_vec(),
        note: None,
    }))
}

/// Tells whether an address stays another person's.
fn is_of_others(held: &HeldAddress) -> bool {
    held.shared && held.erased_at.is_none()
}

async fn at_lists(
    store: &Store,
    clinic: ClinicId,
    contact: ContactId,
    lists: &[ListRow],
) -> Result<Vec<AtProvider>, crate::store::StoreError> {
    let links = store.links_of_contact(clinic, contact).await?;
    let ids: Vec<LinkId> = links.iter().map(|row| row.link.id).collect();
    let changes = store.changes_made(clinic, &ids).await?;
    let mut stand = Vec::new();
    for link in links {
        let Some(list) = lists.iter().find(|list| list.id == link.list_id) else { continue };
        let ours = changes.iter().rev().find(|change| {
            (change.link, change.verb, change.state)
                == (link.link.id, Verb::Erase, OpState::Acknowledged)
        });
        let (state, verified_at) = stands(&link, list, ours.and_then(|change| change.settled_at));
        stand.push(AtProvider { list: list.slug.clone(), state, verified_at });
    }
    Ok(stand)
}

/// An erasure of ours was verified when it was settled: the provider was read, and did not have it.
fn stands(
    row: &LinkRow,
    list: &ListRow,
    erased_at: Option<DateTime<Utc>>,
) -> (Erased, Option<DateTime<Utc>>) {
    let observed = row.link.observed.as_ref();
    let gone = observed.is_none_or(|observed| {
        matches!(observed.status, MemberStatus::Absent | MemberStatus::Forgotten)
    });
    let seen_at = observed.map(|observed| observed.seen_at);
    match (gone, erased_at) {
        (true, Some(at)) => (Erased::Erased, seen_at.max(Some(at))),
        (true, None) if list.swept_at.is_some() || list.retired_at.is_some() => {
            (Erased::NotThere, seen_at.or(list.swept_at))
        }
        _ if list.retired_at.is_some() => (Erased::Ended, None),
        _ if list.approved_at.is_none() => (Erased::WaitsForApproval, None),
        _ => (Erased::NotYet, None),
    }
}
