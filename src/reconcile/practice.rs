//! A practice and its lists, in the hand of a process that may write to them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::KnownList;
use crate::config::policy_digest;
use crate::domain::policy::OptOutScope;
use crate::domain::{ClinicId, NoteKind, Policy};
use crate::patients::PatientSource;
use crate::plan::ListFacts;
use crate::providers::{ListReader, ListWriter};
use crate::store::ListRow;

/// One practice in hand: its source and the lists it asked us to keep.
#[derive(Debug)]
pub struct Practice<L: ?Sized = dyn ListWriter> {
    /// Its id in the store.
    pub id: ClinicId,
    /// Its short name.
    pub slug: String,
    /// How far an opt-out by text reaches.
    pub opt_out_scope: OptOutScope,
    /// Where its patients are read from.
    pub source: Arc<dyn PatientSource>,
    /// What its records are told of beside opt-outs.
    pub notes: BTreeSet<NoteKind>,
    /// Its lists.
    pub lists: Vec<ManagedList<L>>,
}

impl<L: ?Sized> Clone for Practice<L> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            slug: self.slug.clone(),
            opt_out_scope: self.opt_out_scope,
            source: self.source.clone(),
            notes: self.notes.clone(),
            lists: self.lists.clone(),
        }
    }
}

/// One list in hand.
#[derive(Debug)]
pub struct ManagedList<L: ?Sized = dyn ListWriter> {
    /// The short name of its practice.
    pub clinic: String,
    /// What the store knows of it.
    pub row: ListRow,
    /// What the clinic decided about it.
    pub policy: Policy,
    /// Names the provider account, whose holder alone may call it.
    pub account: String,
    /// The provider's id of the list, by the configuration.
    pub audience: String,
    /// The sender of its texts, where it has one.
    pub sender: Option<String>,
    /// The lists that share the audience (L27).
    pub sharers: Vec<KnownList>,
    /// The provider.
    pub port: Arc<L>,
}

impl<L: ?Sized> Clone for ManagedList<L> {
    fn clone(&self) -> Self {
        Self {
            clinic: self.clinic.clone(),
            row: self.row.clone(),
            policy: self.policy.clone(),
            account: self.account.clone(),
            audience: self.audience.clone(),
            sender: self.sender.clone(),
            sharers: self.sharers.clone(),
            port: self.port.clone(),
        }
    }
}

impl<L: ListReader + ?Sized> ManagedList<L> {
    pub(super) fn facts(&self) -> ListFacts<'_> {
        facts(&self.row, &self.policy)
    }

    /// Digest of all that its links are planned by beside their own facts.
    pub(super) fn digest(&self) -> String {
        let sharers = self.sharers.iter().map(|list| policy_digest(&list.policy));
        let parts: Vec<String> =
            std::iter::once(policy_digest(&self.policy)).chain(sharers).collect();
        format!("{} {}", env!("CARGO_PKG_VERSION"), parts.join(" "))
    }
}

pub(super) fn facts<'a>(row: &'a ListRow, policy: &'a Policy) -> ListFacts<'a> {
    ListFacts { id: row.id, slug: &row.slug, policy, confirms_sign_ups: row.audience_double_opt_in }
}
