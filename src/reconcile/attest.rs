//! The attestation: classes that add up to the total, and *unknown* where nothing proves a count
//! (L26).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{KnownList, ReconcileError, Reconciler};
use crate::domain::{Class, ClinicId};
use crate::store::ListReport;

/// One list's attestation.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Attestation {
    /// The list's short name.
    pub list: String,
    /// Where the provider keeps the data, as it says.
    pub region: Option<String>,
    /// Links by class; none where a complete reading of either side is missing or too old.
    pub classes: Option<BTreeMap<Class, u64>>,
    /// Links in all: everybody whose address the clinic has or had, and every member.
    pub total: u64,
    /// Members: who is on the list at the provider, subscribed or pending; none where that is unknown.
    pub members: Option<u64>,
    /// Whether both sides were read whole lately, nobody is on the list who should not be, nothing is to
    /// be done, and no removal is parked (docs/report.md).
    pub clean: bool,
    /// How many links are not as they should be; none where that is unknown.
    pub drift: Option<u64>,
    /// Parked changes that would take somebody off.
    pub parked_removals: u64,
    /// When the list was last read whole.
    pub list_read_at: Option<DateTime<Utc>>,
    /// When the patients were last read whole.
    pub patients_read_at: Option<DateTime<Utc>>,
}

/// Classes of links that are as they should be, that an admin has decided about, or whom nobody could
/// list; a removal that could not be made is counted apart.
const SETTLED: &[Class] = &[
    Class::InStep,
    Class::Pending,
    Class::Unproven,
    Class::Unknown,
    Class::CannotLeave,
    Class::Parked,
];

/// Counts the links that are not as they should be.
#[must_use]
pub fn drift(classes: &BTreeMap<Class, u64>) -> u64 {
    let open = classes.iter().filter(|(class, _)| !SETTLED.contains(class));
    open.map(|(_, links)| links).sum()
}

impl Attestation {
    /// Returns how many stand in `class`; none if that is unknown.
    #[must_use]
    pub fn count(&self, class: Class) -> Option<u64> {
        self.classes.as_ref().map(|classes| classes.get(&class).copied().unwrap_or_default())
    }
}

impl Reconciler {
    /// Attests where the lists of a clinic stand.
    pub async fn attest(
        &self,
        clinic: ClinicId,
        lists: &[KnownList],
    ) -> Result<Vec<Attestation>, ReconcileError> {
        let reports = self.store.report(clinic).await?;
        self.attest_by(clinic, lists, &reports).await
    }

    /// Attests by what was counted of the clinic.
    pub async fn attest_by(
        &self,
        clinic: ClinicId,
        lists: &[KnownList],
        reports: &[ListReport],
    ) -> Result<Vec<Attestation>, ReconcileError> {
        let patients_read_at = self.store.clinic(clinic).await?.source_swept_at;
        let now = self.clock.now();
        let mut attested = Vec::new();
        for list in lists {
            let Some(report) = reports.iter().find(|report| report.list.id == list.row.id) else {
                continue;
            };
            let known = list.is_fresh(patients_read_at, now);
            let classes = known.then(|| report.classes.clone());
            let drift = classes.as_ref().map(drift);
            attested.push(Attestation {
                list: list.row.slug.clone(),
                region: list.row.region.clone(),
                total: report.total,
                members: known.then_some(report.members),
                clean: drift == Some(0) && report.parked_removals == 0,
                drift,
                classes,
                parked_removals: report.parked_removals,
                list_read_at: list.row.swept_at,
                patients_read_at,
            });
        }
        Ok(attested)
    }
}
