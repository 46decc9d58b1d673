//! What the provider's state teaches: drafts into the ledger, bases moved, before anything is
//! planned. An opt-out seen on the way is recorded first, whatever happens next.

use super::tenure::Tenure;
use super::{ManagedList, ReconcileError, Reconciler};
use crate::domain::LinkId;
use crate::plan::{Adoption, decide};
use crate::providers::ListReader;
use crate::store::{Adopted, Which};

/// How many links are worked at a time.
pub(super) const fn at_once(which: Which) -> u32 {
    match which {
        // Whoever takes deliveries waits for the page's writes, and keeps little memory.
        Which::Urgent => 200,
        Which::All | Which::Stale { .. } => 1_000,
    }
}

impl Reconciler {
    /// Records what is new in the provider's state, for every link or for some.
    pub(super) async fn learn<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList<L>,
        which: Which,
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let facts = list.facts();
        let mut after = -1;
        loop {
            let page = self.store.links_page(&list.row, after, at_once(which), which).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.ordinal;
            tenure.renew().await?;
            let mut drafts = Vec::new();
            let mut adopted = Vec::new();
            for row in &page {
                let decision = decide(&row.facts, &row.link, &facts, now);
                if !decision.adoption.is_empty() {
                    adopted.push(adopted_link(row.link.id, decision.adoption));
                }
                drafts.extend(decision.drafts);
            }
            self.append(Some(tenure), list.row.clinic, drafts).await?;
            self.tell_sharers(tenure, list, &page).await?;
            self.store.links_adopt(&tenure.lease, list.row.clinic, &adopted).await?;
            self.store.upkeep().await;
        }
    }
}

fn adopted_link(link: LinkId, adoption: Adoption) -> Adopted {
    Adopted {
        link,
        base: adoption.base,
        removed_there: adoption.removed_there,
        invitation: adoption.invitation,
        settles_intent: adoption.settles_intent,
        moved_told: adoption.moved_told,
    }
}
