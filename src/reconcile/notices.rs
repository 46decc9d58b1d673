//! What accounts were told since: read from the provider's own log, so that a lost webhook heals.

use chrono::TimeDelta;

use super::roster::ManagedAccount;
use super::tenure::Tenure;
use super::{ManagedList, ReconcileError, Reconciler};

/// How far a reading reaches back before the last one: a log may lag behind.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// A log read as lately as this is not read again for another list of the account.
const LATELY: TimeDelta = TimeDelta::minutes(1);

impl Reconciler {
    /// Reads the logs of the account that a list is in, unless that was done just now.
    pub(super) async fn read_notices_for(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
    ) -> Result<(), ReconcileError> {
        let roster = self.roster.clone();
        for account in roster.accounts.iter().filter(|account| account.account == list.account) {
            let until = self.store.notices_read_until(account.clinic, &named(account)).await?;
            if until.is_none_or(|until| self.clock.now() - until >= LATELY) {
                self.read_notices(tenure, account).await?;
            }
        }
        Ok(())
    }

    /// Reads the logs of a list's account once more: they may say by whose act the provider holds an
    /// opt-out. What fails is read by the next run.
    pub(super) async fn read_notices_again(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
    ) -> Result<(), ReconcileError> {
        let roster = self.roster.clone();
        for account in roster.accounts.iter().filter(|account| account.account == list.account) {
            match self.read_notices(tenure, account).await {
                Err(error) if !error.is_lost_lease() => {
                    tracing::warn!(
                        account = account.name,
                        error = error.chain(),
                        "the log could not be read"
                    );
                }
                read => read?,
            }
        }
        Ok(())
    }

    /// Reads what one account was told since the last time, and heeds it.
    pub(super) async fn read_notices(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
    ) -> Result<(), ReconcileError> {
        let Some(log) = account.port.notices() else { return Ok(()) };
        // Without a list nobody could be told; the log is read from here on once there is one.
        if !self.roster.lists().any(|(_, list)| list.account == account.account) {
            return Ok(());
        }
        let (begun, name) = (self.clock.now(), named(account));
        let until = self.store.notices_read_until(account.clinic, &name).await?;
        let since = until.map(|until| until - OVERLAP);
        let mut cursor = None;
        let mut early = false;
        loop {
            let page = log.notices(since, cursor.as_ref()).await?;
            tenure.prolong().await?;
            early |= self.heed(tenure, account, &page.notices).await?;
            match page.next {
                None => break,
                Some(_) if self.stop.is_asked() => return Ok(()),
                next => cursor = next,
            }
        }
        if early {
            return Ok(());
        }
        if log.lists_opt_outs() {
            self.held_read(tenure, account, begun).await?;
        }
        Ok(self.store.notices_read(&tenure.lease, account.clinic, &name, begun).await?)
    }
}

/// Each sender of an account is read from its own beginning.
fn named(account: &ManagedAccount) -> String {
    format!("{}/{}", account.name, account.port.sender().unwrap_or_default())
}
