//! Why a run failed, for whoever must act.

use crate::patients::SourceError;
use crate::providers::ProviderError;
use crate::register::RegisterError;
use crate::store::StoreError;

/// Why a run, or one list's turn, failed.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The store.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The clinic's patients.
    #[error("the clinic's patients could not be read or written")]
    Source(#[from] SourceError),
    /// The provider.
    #[error("the list provider failed")]
    Provider(#[from] ProviderError),
    /// The register beside the store.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// A safety refused to go on.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl ReconcileError {
    /// Tells whether another worker took the lease over: whoever lost it stops.
    #[must_use]
    pub const fn is_lost_lease(&self) -> bool {
        matches!(self, Self::Store(StoreError::LeaseLost { .. }))
    }
}

/// What a safety refuses, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another worker reads the same patients.
    #[error("a run is reading this clinic's patients: try again when it is through")]
    Busy,
    /// Nobody is judged by records that could not be read.
    #[error(
        "the records of clinic `{clinic}` could not be read, so nothing was changed on this list"
    )]
    NoRecords {
        /// The clinic.
        clinic: String,
    },
    /// The API key belongs to another account than at the first run (L20).
    #[error(
        "list `{list}` was first run with another provider account: put back that account's API key, or end the list with `listwarden list retire {list}`"
    )]
    OtherAccount {
        /// The list.
        list: String,
    },
    /// The configuration names another audience than at the first run (L20).
    #[error(
        "list `{list}` was first run on another audience: put the audience back, or move it with `listwarden list move {list}`, which empties the old one first"
    )]
    OtherAudience {
        /// The list.
        list: String,
    },
}

impl ReconcileError {
    /// Tells whether the provider refuses the credential, or the account it is of.
    #[must_use]
    pub const fn is_credential_refused(&self) -> bool {
        use ProviderError::{AccountDisabled, Unauthorized};
        matches!(self, Self::Provider(Unauthorized | AccountDisabled { .. }))
    }

    /// Tells whether the next run may succeed without anybody doing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Provider(error) if error.is_transient())
    }

    /// Returns the error and its causes as one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}
