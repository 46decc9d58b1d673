//! Whether the list is still the one we began with (L20).

use futures::future::join;

use super::tenure::Tenure;
use super::{ManagedList, ReconcileError, Reconciler, Refused};
use crate::providers::ListReader;

impl Reconciler {
    /// Reads account and settings where they are due, and pins both at first sight.
    pub(super) async fn check_settings<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &mut ManagedList<L>,
        full: bool,
    ) -> Result<(), ReconcileError> {
        let slug = &list.row.slug;
        if list.row.audience_pin.as_ref().is_some_and(|pin| *pin != list.audience) {
            return Err(Refused::OtherAudience { list: slug.clone() }.into());
        }
        let now = self.clock.now();
        let fresh =
            list.row.settings_read_at.is_some_and(|at| now - at < self.settings.settings_every);
        if fresh && !full {
            return Ok(());
        }
        let (account, audience) = join(list.port.account(), list.port.audience()).await;
        let account = account?;
        if list.row.account_pin.as_ref().is_some_and(|pin| *pin != account.id) {
            return Err(Refused::OtherAccount { list: slug.clone() }.into());
        }
        let audience = audience?;
        if audience.id != list.audience {
            return Err(Refused::OtherAudience { list: slug.clone() }.into());
        }
        list.row = self
            .store
            .list_pin(
                &tenure.lease,
                &list.row,
                &account.id,
                &audience.id,
                account.region.as_deref(),
                audience.double_opt_in,
                now,
            )
            .await?;
        Ok(())
    }

    /// Has every link planned again where the clinic's policy, or that of a list that shares the
    /// audience, is not the one it was planned by; or the program is another.
    pub(super) async fn policy_followed<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &mut ManagedList<L>,
    ) -> Result<(), ReconcileError> {
        let digest = list.digest();
        if list.row.policy_digest.as_ref() != Some(&digest) {
            self.store.list_policy_applied(&tenure.lease, &list.row, &digest).await?;
            list.row.policy_digest = Some(digest);
        }
        Ok(())
    }
}
