//! Lists as the store and the configuration know them, without their providers.

use chrono::{DateTime, Utc};

use super::practice::facts;
use crate::config::{ClinicConfig, Config, ListConfig};
use crate::domain::{ClinicId, Policy};
use crate::plan::ListFacts;
use crate::providers;
use crate::store::{ListRow, Result, Store, StoreError};

/// One list as the store and the configuration know it, without its provider.
#[derive(Debug, Clone)]
pub struct KnownList {
    /// What the store knows of it.
    pub row: ListRow,
    /// What the clinic decided about it.
    pub policy: Policy,
    /// The lists that share the audience (L27); theirs are not followed.
    pub sharers: Vec<KnownList>,
    /// Whether the provider keeps who is on it; else it lives with us.
    pub kept_there: bool,
}

impl KnownList {
    /// Returns the lists that share its members: none where it lives with us, as then each list has
    /// its own word.
    pub(super) fn sharing(&self) -> &[KnownList] {
        if self.kept_there { &self.sharers } else { &[] }
    }

    pub(super) fn facts(&self) -> ListFacts<'_> {
        facts(&self.row, &self.policy)
    }

    /// Tells whether both sides were read whole lately enough to answer by (L26).
    pub(super) fn is_fresh(
        &self,
        patients_read_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> bool {
        let lately =
            |at: Option<DateTime<Utc>>| at.is_some_and(|at| now - at <= self.policy.freshness);
        lately(self.row.swept_at) && lately(patients_read_at)
    }

    /// Returns a clinic's id and its lists that have not ended.
    pub async fn of_clinic(
        store: &Store,
        config: &Config,
        clinic: &ClinicConfig,
    ) -> Result<(ClinicId, Vec<Self>)> {
        let id = store.clinic_ensure(&clinic.slug).await?;
        let mut lists = Vec::new();
        for list in &clinic.lists {
            let sharers = Self::sharers_of(store, config, list).await?;
            lists.push(Self { sharers, ..Self::find(store, clinic, id, list).await? });
        }
        lists.retain(|list| list.row.retired_at.is_none());
        Ok((id, lists))
    }

    /// Finds one list; its sharers are not looked for.
    pub async fn find(
        store: &Store,
        clinic: &ClinicConfig,
        id: ClinicId,
        list: &ListConfig,
    ) -> Result<Self> {
        let row = store.list_ensure(id, &list.slug, list.policy.channel).await?;
        let account = clinic.accounts.get(&list.account);
        let provider = account.and_then(|account| providers::provider(&account.provider));
        let kept_there = provider.is_some_and(|provider| provider.keeps_list);
        let mut policy = list.policy.clone();
        policy.retiring = row.retiring_at.is_some();
        Ok(Self { row, policy, sharers: Vec::new(), kept_there })
    }

    /// Finds the lists that share a list's audience.
    pub async fn sharers_of(
        store: &Store,
        config: &Config,
        list: &ListConfig,
    ) -> Result<Vec<Self>> {
        let mut sharers = Vec::new();
        for shared in &list.shared_with {
            let clinic = config.clinic(&shared.clinic);
            let found = clinic.and_then(|clinic| Some((clinic, clinic.list(&shared.list)?)));
            let missing = StoreError::Missing { what: "list that shares the audience" };
            let (clinic, list) = found.ok_or(missing)?;
            let id = store.clinic_ensure(&shared.clinic).await?;
            sharers.push(Self::find(store, clinic, id, list).await?);
        }
        // A list that has ended wants nobody.
        sharers.retain(|list| list.row.retired_at.is_none());
        Ok(sharers)
    }
}
