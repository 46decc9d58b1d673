//! The clinic's side: patients into the store, their consents into the ledger.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::try_join;
use tracing::{Instrument, info_span};

use super::tenure::Tenure;
use super::{Practice, ReconcileError, Reconciler, SourceOutcome, SourceState, seen};
use crate::domain::Draft;
use crate::domain::policy::Brake;
use crate::domain::{Channel, ClinicId, PatientId, Said, Standing};
use crate::keys::Digests;
use crate::patients::SourcePage;
use crate::plan::brake;
use crate::plan::consents::{changes, echoes, holds_no, withdraws_barely};
use crate::providers::ListReader;
use crate::store::{Acceptable, ClinicRow, Marks, Origin, Unapplied};

/// How far an incremental read reaches back: rows that a long transaction committed late.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// Patients worked at a time.
const PAGE: u32 = 1_000;

impl Reconciler {
    /// Reads the clinic's patients, whole or since the last time, and what they teach the ledger.
    pub(super) async fn collect(
        &self,
        practice: &Practice,
        full: bool,
    ) -> Result<SourceOutcome, ReconcileError> {
        let name = format!("source:{}", practice.id);
        let Some(tenure) = Tenure::take_in_turn(self, &name).await? else {
            return Ok(SourceOutcome::of(SourceState::Busy));
        };
        let outcome = self.collect_under(&tenure, practice, full).await;
        tenure.release().await?;
        outcome
    }

    /// Reads the patients and learns nothing from them: for a preview.
    pub(super) async fn observe_patients<L: ListReader + ?Sized>(
        &self,
        practice: &Practice<L>,
    ) -> Result<(), ReconcileError> {
        let name = format!("source:{}", practice.id);
        let Some(tenure) = Tenure::take_in_turn(self, &name).await? else { return Ok(()) };
        let read = self.read_due(&tenure, practice, false).await;
        tenure.release().await?;
        read.map(|_| ())
    }

    async fn collect_under(
        &self,
        tenure: &Tenure<'_>,
        practice: &Practice,
        full: bool,
    ) -> Result<SourceOutcome, ReconcileError> {
        let mut outcome = self.read_due(tenure, practice, full).await?;
        outcome.withdrawals_held = self.learn_from_records(tenure, practice.id).await?;
        Ok(outcome)
    }

    /// Reads every patient where a sweep is due, else those that changed.
    async fn read_due<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        practice: &Practice<L>,
        full: bool,
    ) -> Result<SourceOutcome, ReconcileError> {
        let clinic = self.store.clinic(practice.id).await?;
        let now = self.clock.now();
        let due =
            clinic.source_swept_at.is_none_or(|at| now - at >= self.settings.full_sweep_every);
        if full || due {
            return self.sweep_patients(tenure, practice, &clinic).await;
        }
        let since = clinic.source_cursor.map(|cursor| cursor - OVERLAP);
        let read = self.read_patients(tenure, practice, &clinic, since).await?;
        self.source_recorded(tenure, &clinic, read.newest, None).await?;
        Ok(read.outcome(SourceState::Read))
    }

    /// Reads every patient; who is missing twice in a row has vanished (L9), unless so many are
    /// missing that the source itself is in doubt (L23).
    async fn sweep_patients<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        practice: &Practice<L>,
        clinic: &ClinicRow,
    ) -> Result<SourceOutcome, ReconcileError> {
        let sweep = self.store.sweep_begin(practice.id).await?;
        let read = self.read_patients(tenure, practice, clinic, None).await?;
        let expected = practice.source.count().await?;
        let (missing, total) = self.store.sweep_missing(practice.id, &read.present).await?;
        let empty = read.rows == 0 && total > 0;
        let cut_short = read.rows + read.unreadable < expected || read.nameless;
        let short = empty || cut_short || brake::shrank(total, missing, &Brake::default());
        if short && !self.accepted(practice.id, Acceptable::Source).await? {
            self.progress.note(&format!(
                "clinic `{}`: the patient source is short: {missing} of {total} known patients are missing, so nobody is dropped. Check the source; if it is right, run `listwarden approve source:{}`",
                practice.slug, practice.slug
            ));
            self.source_recorded(tenure, clinic, read.newest, None).await?;
            return Ok(read.outcome(SourceState::Short { missing, total }));
        }
        let finished =
            self.store.sweep_finish(&tenure.lease, practice.id, sweep, &read.present).await?;
        let swept = Some(self.clock.now());
        self.source_recorded(tenure, clinic, read.newest, swept).await?;
        let mut outcome = read.outcome(SourceState::Swept);
        outcome.vanished = finished;
        Ok(outcome)
    }

    async fn source_recorded(
        &self,
        tenure: &Tenure<'_>,
        clinic: &ClinicRow,
        newest: Option<DateTime<Utc>>,
        swept: Option<DateTime<Utc>>,
    ) -> Result<(), ReconcileError> {
        // A clinic's clock set forward must not make us skip rows stamped by a right one (L2).
        let cursor = newest.map(|newest| newest.min(self.clock.now()));
        if cursor == clinic.source_cursor && swept.is_none() {
            return Ok(());
        }
        Ok(self.store.clinic_source_recorded(&tenure.lease, clinic.id, cursor, swept).await?)
    }

    /// Reads pages, storing each while the next is fetched.
    async fn read_patients<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        practice: &Practice<L>,
        clinic: &ClinicRow,
        since: Option<DateTime<Utc>>,
    ) -> Result<Read, ReconcileError> {
        let digests = seen::of_rows(&self.store, practice);
        // Rows that are not read do not say when they changed: no later than was read so far.
        let mut read = Read { newest: clinic.source_cursor, ..Read::default() };
        let of_patients = || info_span!("page of patients");
        let first = practice.source.rows(since, None).instrument(of_patients());
        let mut page = Some(first.await?);
        while let Some(rows) = page {
            tenure.renew().await?;
            let next = rows.next.clone().filter(|_| !self.stop.is_asked());
            let fetch = async {
                let Some(after) = &next else { return Ok(None) };
                let rows = practice.source.rows(since, Some(after)).instrument(of_patients());
                Ok(Some(rows.await?))
            };
            let take = self.take_rows(tenure, practice.id, rows, &digests, &mut read);
            (page, ()) = try_join(fetch, take).await?;
            self.store.upkeep().await;
            self.progress.at(&practice.slug, "patients read", read.rows, None);
        }
        Ok(read)
    }

    /// Stores the records of rows; those that are as they were are known by their digests alone.
    async fn take_rows(
        &self,
        tenure: &Tenure<'_>,
        clinic: ClinicId,
        page: SourcePage,
        digests: &Digests,
        read: &mut Read,
    ) -> Result<(), ReconcileError> {
        let digests = seen::row_digests(digests, &page);
        let same = if read.newest.is_none() {
            HashMap::new()
        } else {
            let digests: Vec<i64> = digests.iter().copied().flatten().collect();
            self.store.patients_same(clinic, &digests).await?
        };
        let known = |place: usize| digests[place].and_then(|digest| same.get(&digest));
        let ids: Vec<String> = page.rows.iter().map(|row| row.id.clone()).collect();
        let known_rows = (0..ids.len()).filter_map(known).copied();
        read.present.extend(known_rows.clone());
        read.rows += known_rows.count() as u64;
        let page = page.read(|place| known(place).is_none());
        let sound = page.sound.iter();
        let digests: HashMap<String, i64> =
            sound.filter_map(|place| Some((ids[*place].clone(), digests[*place]?))).collect();
        let (store, lease, present) = (&self.store, &tenure.lease, &mut read.present);
        let stored = store
            .patients_upsert(lease, clinic, Origin::Source, &page.records, &digests, present)
            .await?;
        let unreadable = page.problems.iter().filter(|problem| problem.unreadable);
        let ids: Vec<&str> =
            unreadable.filter_map(|problem| problem.source_id.as_deref()).collect();
        store.patients_present(lease, clinic, &ids, present).await?;
        read.take(&page, stored.new + stored.changed);
        Ok(())
    }

    /// Turns what changed in the records into ledger lines; withdrawals by bare flags in bulk wait
    /// for an admin (L23). Returns how many wait.
    async fn learn_from_records(
        &self,
        tenure: &Tenure<'_>,
        clinic: ClinicId,
    ) -> Result<u64, ReconcileError> {
        let bare = self.count_bare_withdrawals(clinic).await?;
        let hold = bare > 0
            && bare > Brake::default().removals(self.store.patients_active(clinic).await?)
            && !self.accepted(clinic, Acceptable::Withdrawals).await?;
        let mut after = None;
        loop {
            let page = self.store.patients_unapplied(clinic, after, PAGE).await?;
            let Some(last) = page.last().map(|row| row.patient.id) else { break };
            self.apply_records(tenure, clinic, page, hold).await?;
            tenure.renew().await?;
            after = Some(last);
        }
        Ok(if hold { bare } else { 0 })
    }

    /// Tells whether an admin accepts what is not believed otherwise.
    pub(super) async fn accepted(
        &self,
        clinic: ClinicId,
        what: Acceptable,
    ) -> Result<bool, ReconcileError> {
        Ok(self.store.acceptance_is_open(clinic, what, self.clock.now()).await?)
    }

    async fn count_bare_withdrawals(&self, clinic: ClinicId) -> Result<u64, ReconcileError> {
        let mut count = 0;
        let mut after = None;
        loop {
            let page = self.store.patients_unapplied(clinic, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.patient.id);
            count += page.iter().filter(|row| is_bare_withdrawal(row)).count() as u64;
        }
    }

    async fn apply_records(
        &self,
        tenure: &Tenure<'_>,
        clinic: ClinicId,
        page: Vec<Unapplied>,
        hold: bool,
    ) -> Result<(), ReconcileError> {
        let free: Vec<Unapplied> =
            page.into_iter().filter(|row| !(hold && is_bare_withdrawal(row))).collect();
        let told = free.iter().filter(|row| echoes(row.said.as_ref(), &row.patient.record));
        let told: Vec<PatientId> = told.map(|row| row.patient.id).collect();
        let standings = self.store.standings_of_patients(clinic, &told).await?;
        let drafts: Vec<Draft> = free.iter().flat_map(|row| drafts_of(row, &standings)).collect();
        let said: Vec<(PatientId, Said)> =
            free.iter().map(|row| (row.patient.id, Said::by(&row.patient.record))).collect();
        self.append(Some(tenure), clinic, drafts).await?;
        self.store.patients_applied(&tenure.lease, clinic, &said).await?;
        self.store.upkeep().await;
        Ok(())
    }

    /// Gives drafts their ids and appends them to the ledger.
    pub(super) async fn append(
        &self,
        tenure: Option<&Tenure<'_>>,
        clinic: ClinicId,
        drafts: Vec<Draft>,
    ) -> Result<u64, ReconcileError> {
        if drafts.is_empty() {
            return Ok(0);
        }
        let now = self.clock.now();
        let events = drafts
            .into_iter()
            .map(|draft| draft.into_event(crate::domain::EventId(self.clock.id()), now))
            .collect();
        let lease = tenure.map(|tenure| &tenure.lease);
        Ok(self.store.ledger_append(lease, clinic, events).await?.new)
    }
}

fn is_bare_withdrawal(row: &Unapplied) -> bool {
    withdraws_barely(row.said.as_ref(), &row.patient.record)
}

fn drafts_of(row: &Unapplied, standings: &BTreeMap<(PatientId, Channel), Standing>) -> Vec<Draft> {
    let stands = |channel| standings.get(&(row.patient.id, channel));
    changes(row.said.as_ref(), &row.patient, &row.contacts, |channel, no| {
        stands(channel).is_some_and(|standing| holds_no(standing, no))
    })
}

/// What reading the source came to.
#[derive(Debug, Default)]
struct Read {
    /// Who is in the source, by ordinal.
    present: Marks,
    rows: u64,
    changed: u64,
    unreadable: u64,
    problems: u64,
    /// Whether a row had no id, so that nobody can be said to be missing.
    nameless: bool,
    newest: Option<DateTime<Utc>>,
}

impl Read {
    fn take(&mut self, page: &crate::patients::PatientPage, changed: u64) {
        self.rows += page.records.len() as u64;
        self.changed += changed;
        self.problems += page.problems.len() as u64;
        self.unreadable += page.problems.iter().filter(|problem| problem.unreadable).count() as u64;
        self.nameless |= !page.names_everyone();
        self.newest = self.newest.max(page.records.iter().map(|r| r.updated_at).max());
    }

    fn outcome(&self, state: SourceState) -> SourceOutcome {
        SourceOutcome {
            rows: self.rows,
            changed: self.changed,
            problems: self.problems,
            ..SourceOutcome::of(state)
        }
    }
}
