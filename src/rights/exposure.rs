//! Who was on which list without a basis, from when to when: what the assessment of a breach needs
//! (GDPR Art. 33). It is told from the ledger and the journal, by the law as it stands today.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::replay::{Stretch, replay};
use crate::domain::policy::UnknownMembers;
use crate::domain::{ClinicId, ContactId, Event, LinkId, PatientId, Reason};
use crate::reconcile::KnownList;
use crate::store::{LinkChange, LinkRow, ListRow, Store, StoreError, Which};

/// Links assessed at a time.
const PAGE: u32 = 500;

/// Which part of the past is asked about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    /// From when on; from the beginning, if left out.
    pub from: Option<DateTime<Utc>>,
    /// Until when; until now, if left out.
    pub to: Option<DateTime<Utc>>,
}

/// One list's exposure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Exposure {
    /// The list.
    pub list: String,
    /// Addresses that were listed without a basis within the time asked about.
    pub exposed: u64,
    /// How many of them still are.
    pub still: u64,
    /// How many of them are strangers whom the list's policy keeps: it calls them clean.
    pub by_policy: u64,
    /// Why, and how many for that reason; one may have several.
    pub reasons: BTreeMap<Reason, u64>,
    /// The earliest beginning that is known.
    pub earliest: Option<DateTime<Utc>>,
    /// The latest end; none while anybody still is.
    pub latest: Option<DateTime<Utc>>,
    /// Addresses of which it can no longer be told, because they were erased.
    pub erased: u64,
    /// Who, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<Exposed>,
}

/// One address that was listed without a basis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Exposed {
    /// The link: the address is not told.
    pub link: LinkId,
    /// The patients who have it, or had it, by the clinic's own ids; none of a stranger.
    pub patients: Vec<String>,
    /// From when to when, and why.
    pub stretches: Vec<Stretch>,
}

/// Assesses every list of a clinic.
pub async fn exposure(
    store: &Store,
    lists: &[KnownList],
    window: Window,
    with_people: bool,
    now: DateTime<Utc>,
) -> Result<Vec<Exposure>, StoreError> {
    let mut assessed = Vec::new();
    for list in lists {
        assessed.push(of_list(store, list, window, with_people, now).await?);
    }
    Ok(assessed)
}

async fn of_list(
    store: &Store,
    list: &KnownList,
    window: Window,
    with_people: bool,
    now: DateTime<Utc>,
) -> Result<Exposure, StoreError> {
    let mut exposure = Exposure {
        list: list.row.slug.clone(),
        exposed: 0,
        still: 0,
        by_policy: 0,
        reasons: BTreeMap::new(),
        earliest: None,
        latest: None,
        erased: 0,
        people: Vec::new(),
    };
    let mut after = -1;
    loop {
        let page = store.links_page(&list.row, after, PAGE, Which::All).await?;
        let Some(last) = page.last() else { return Ok(exposure) };
        after = last.ordinal;
        let past = Past::of(store, &list.row, &page).await?;
        for row in &page {
            let erased = row.facts.contact.as_ref().is_some_and(|c| c.address.is_none());
            exposure.erased += u64::from(erased);
            let (events, changes) = past.about(row);
            let stretches = replay(row, &events, &changes, &list.policy, now);
            let mut stretches: Vec<_> =
                stretches.into_iter().filter_map(|s| s.within(window.from, window.to)).collect();
            stretches.retain(|_| !erased);
            let stranger = row.facts.holders.is_empty() && row.facts.suppressed.is_none();
            let kept = stranger && list.policy.unknown == UnknownMembers::Keep;
            exposure.by_policy += u64::from(kept && !stretches.is_empty());
            exposure.take(row, stretches, with_people);
        }
    }
}

impl Exposure {
    fn take(&mut self, row: &LinkRow, stretches: Vec<Stretch>, with_people: bool) {
        if stretches.is_empty() {
            return;
        }
        self.exposed += 1;
        self.still += u64::from(stretches.iter().any(|stretch| stretch.until.is_none()));
        let reasons: BTreeSet<Reason> =
            stretches.iter().flat_map(|stretch| stretch.reasons.iter().copied()).collect();
        for reason in reasons {
            *self.reasons.entry(reason).or_default() += 1;
        }
        let begins = stretches.iter().filter_map(|stretch| stretch.from);
        self.earliest = begins.chain(self.earliest).min();
        let ends = stretches.iter().filter_map(|stretch| stretch.until);
        let latest = ends.chain(self.latest).max();
        self.latest = latest.filter(|_| self.still == 0);
        if with_people {
            let holders = row.facts.holders.iter();
            let patients = holders.map(|h| h.patient.record.source_id.clone()).collect();
            self.people.push(Exposed { link: row.link.id, patients, stretches });
        }
    }
}

/// What the ledger and the journal have of a page of links.
struct Past {
    of_contacts: BTreeMap<ContactId, Vec<Event>>,
    of_patients: BTreeMap<PatientId, Vec<Event>>,
    changes: BTreeMap<LinkId, Vec<LinkChange>>,
}

impl Past {
    async fn of(store: &Store, list: &ListRow, page: &[LinkRow]) -> Result<Self, StoreError> {
        let clinic: ClinicId = list.clinic;
        let contacts: BTreeSet<ContactId> =
            page.iter().filter_map(|row| row.facts.contact.as_ref()).map(|c| c.id).collect();
        let patients: BTreeSet<PatientId> =
            page.iter().flat_map(|row| &row.facts.holders).map(|h| h.patient.id).collect();
        let links: Vec<LinkId> = page.iter().map(|row| row.link.id).collect();
        let mut past = Self {
            of_contacts: BTreeMap::new(),
            of_patients: BTreeMap::new(),
            changes: BTreeMap::new(),
        };
        for (contact, event) in store.ledger_of_contacts(clinic, &contacts).await? {
            past.of_contacts.entry(contact).or_default().push(event);
        }
        for (patient, event) in store.ledger_of_patients(clinic, &patients).await? {
            past.of_patients.entry(patient).or_default().push(event);
        }
        for change in store.changes_made(clinic, &links).await? {
            past.changes.entry(change.link).or_default().push(change);
        }
        Ok(past)
    }

    /// Returns what concerns one link: every event once, in the order of writing, and its changes.
    fn about(&self, row: &LinkRow) -> (Vec<&Event>, Vec<&LinkChange>) {
        let contact = row.facts.contact.as_ref().and_then(|c| self.of_contacts.get(&c.id));
        let holders = row.facts.holders.iter();
        let theirs = holders.filter_map(|holder| self.of_patients.get(&holder.patient.id));
        let mut events: Vec<&Event> = contact.into_iter().chain(theirs).flatten().collect();
        events.sort_by_key(|event| (event.recorded_at, event.id));
        events.dedup_by_key(|event| event.id);
        (events, self.changes.get(&row.link.id).into_iter().flatten().collect())
    }
}
