//! A store that was put back to an older state, from a backup say: recognised by the register beside
//! it. Every list's next run is a first run then (L20), and whoever was erased since is erased again.

use futures::future::try_join_all;

use super::learn::at_once;
use super::tenure::Tenure;
use super::{ManagedList, Practice, ReconcileError, Reconciler};
use crate::domain::{
    Address, ClinicId, ContactId, MemberStatus, OptOutKind, PatientId, RunId, TimeSource,
};
use crate::keys::AddressHash;
use crate::plan::decide;
use crate::register::Erasure;
use crate::store::{AskedBy, LinkRow, Which};

impl Reconciler {
    /// Begins a list's run, and has the register remember that the store did.
    pub(super) async fn run_begins(
        &self,
        list: &ManagedList,
        woken_by: &str,
    ) -> Result<RunId, ReconcileError> {
        let run = self.store.run_begin(&list.row, woken_by).await?;
        if let Some(register) = &self.settings.register {
            register.run_began(&list.clinic, run)?;
        }
        Ok(run)
    }

    /// Recognises a store that was put back, before anything is believed of the practice in hand.
    pub(super) async fn recognise(&self, practice: &mut Practice) -> Result<(), ReconcileError> {
        if self.recognise_store(practice.id, &practice.slug).await? {
            for list in &mut practice.lists {
                list.row = self.store.list(practice.id, list.row.id).await?;
            }
        }
        Ok(())
    }

    /// Tells whether the store was put back: it does not hold the run that the clinic's began last.
    pub(super) async fn recognise_store(
        &self,
        clinic: ClinicId,
        slug: &str,
    ) -> Result<bool, ReconcileError> {
        let Some(register) = &self.settings.register else { return Ok(false) };
        let Some(run) = register.last_run(slug)? else { return Ok(false) };
        if self.store.run_is_known(clinic, run).await? {
            return Ok(false);
        }
        tracing::warn!(
            clinic = slug,
            "the store is older than what was done: it was put back. Every list's next run is a first run, and waits for an admin. If you put it back, say `listwarden restored`; if nobody did, see `listwarden ledger verify`"
        );
        self.take_back(clinic, slug).await?;
        Ok(true)
    }

    /// Takes the clinic's store as put back to an older state because an admin says so, with its chains
    /// as they end there; returns how many erasures were replayed. Done twice it does no more than once.
    pub async fn restored(&self, clinic: ClinicId, slug: &str) -> Result<usize, ReconcileError> {
        let replayed = self.take_back(clinic, slug).await?;
        self.ends_anew(slug)?;
        Ok(replayed)
    }

    /// What the register remembers of the chains' ends stays: who has the database alone may have made
    /// the store look put back. So does the last run: a store that is put back once more before the next
    /// one begins does not know that it was taken back.
    async fn take_back(&self, clinic: ClinicId, slug: &str) -> Result<usize, ReconcileError> {
        self.store.clinic_restored(clinic).await?;
        let Some(register) = &self.settings.register else { return Ok(0) };
        let erasures = register.erasures(slug)?;
        for erasure in &erasures {
            self.erase_again(clinic, erasure).await?;
        }
        if let Some(run) = register.last_run(slug)? {
            self.store.clinic_taken_without(clinic, run).await?;
        }
        Ok(erasures.len())
    }

    async fn erase_again(&self, clinic: ClinicId, erasure: &Erasure) -> Result<(), ReconcileError> {
        let store = &self.store;
        match erasure {
            Erasure::Patient(patient) => store.patient_deleted_again(clinic, *patient).await?,
            Erasure::Asked { patient, at } => {
                store.erasure_ask_again(clinic, *patient, *at).await?;
            }
            Erasure::Address { hashes, at } => {
                let hashes = hashes.iter().cloned();
                let hashes: Vec<_> =
                    hashes.map(|(key_id, hash)| AddressHash { key_id, hash }).collect();
                let (kind, clock) = (OptOutKind::Erased, TimeSource::Listwarden);
                store.suppress(clinic, &hashes, kind, *at, clock).await?;
            }
        }
        Ok(())
    }

    /// Takes what a list shows for what happened after our last word, once it was read whole, and the
    /// clinic's patients too: else nobody knows whom it shows.
    pub(super) async fn read_anew(
        &self,
        tenure: &Tenure<'_>,
        list: &mut ManagedList,
    ) -> Result<(), ReconcileError> {
        let Some(since) = list.row.restored_at else { return Ok(()) };
        let patients = self.store.clinic(list.row.clinic).await?.source_swept_at;
        if [list.row.swept_at, patients].iter().all(|swept| swept.is_some_and(|at| at >= since)) {
            self.read_whom_it_would_ask(tenure, list).await?;
            self.store.list_read_anew(&tenure.lease, &list.row).await?;
            list.row.restored_at = None;
            list.row.approved_at = None;
        }
        Ok(())
    }

    /// Reads singly whom no page showed and the plan would ask: a store that was put back does not know
    /// whom it asked, nor by which key to miss them, and to be in no page is a hint (L3).
    async fn read_whom_it_would_ask(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
    ) -> Result<(), ReconcileError> {
        // Where the list lives with us nothing shows who was asked.
        if !list.port.capabilities().shows.contains(&MemberStatus::Pending) {
            return Ok(());
        }
        let facts = list.facts();
        let mut after = -1;
        loop {
            let which = Which::All;
            let page = self.store.links_page(&list.row, after, at_once(which), which).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.ordinal;
            tenure.renew().await?;
            let asked_at = self.clock.now();
            let enters = |row: &&LinkRow| {
                let operation = decide(&row.facts, &row.link, &facts, asked_at).operation;
                operation.is_some_and(|op| {
                    op.from == MemberStatus::Absent
                        && op.verb.leads_to().is_some_and(MemberStatus::is_listed)
                })
            };
            let contacts = page.iter().filter(enters).filter_map(|row| row.facts.contact.as_ref());
            let unseen: Vec<&Address> =
                contacts.filter_map(|contact| contact.address.as_ref()).collect();
            let reads = unseen.into_iter().map(|address| list.port.member_by_address(address));
            let members = tenure.beside(try_join_all(reads)).await?;
            let found = members.into_iter().flatten().collect();
            self.store_members(tenure, list, found, asked_at).await?;
        }
    }

    /// Has the register remember addresses that are about to be erased.
    pub(super) async fn register_addresses(
        &self,
        practice: &Practice,
        contacts: &[ContactId],
    ) -> Result<(), ReconcileError> {
        let Some(register) = &self.settings.register else { return Ok(()) };
        let now = self.clock.now();
        let mut erasures = Vec::with_capacity(contacts.len());
        for contact in contacts {
            let hashes = self.store.contact_hashes(practice.id, *contact).await?;
            erasures.push(Erasure::of_address(hashes, now));
        }
        Ok(register.erased(&practice.slug, &erasures)?)
    }

    /// Has a patient erased whatever the clinic's own records go on to say, and the register remember
    /// it; tells whether it was not asked for before.
    pub async fn erasure_ask(
        &self,
        clinic: ClinicId,
        slug: &str,
        patient: PatientId,
        asked: AskedBy<'_>,
    ) -> Result<bool, ReconcileError> {
        if let Some(register) = &self.settings.register {
            let at = self.clock.now();
            register.erased(slug, &[Erasure::Asked { patient, at }])?;
        }
        Ok(self.store.erasure_ask(clinic, patient, asked).await?)
    }

    /// Has the register remember patients who are about to be erased.
    pub(super) fn register_patients(
        &self,
        practice: &Practice,
        patients: &[PatientId],
    ) -> Result<(), ReconcileError> {
        let Some(register) = &self.settings.register else { return Ok(()) };
        let erasures: Vec<_> = patients.iter().copied().map(Erasure::Patient).collect();
        Ok(register.erased(&practice.slug, &erasures)?)
    }
}
