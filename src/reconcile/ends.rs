//! The ends of the chains of codes, which the register remembers: whoever has the database alone could
//! take lines off an end, and call the line before it the last one.

use super::{ReconcileError, Reconciler};
use crate::domain::ClinicId;
use crate::register::ChainEnd;
use crate::store::Verified;

/// What the register calls the audit log's chain; no clinic is called so.
const AUDIT: &str = "+audit";

/// A chain of codes.
#[derive(Debug, Clone, Copy)]
pub enum Chain<'a> {
    /// The audit log of the deployment.
    Audit,
    /// The ledger of a clinic, by its id and its short name.
    Ledger(ClinicId, &'a str),
}

impl Chain<'_> {
    const fn name(&self) -> &str {
        match self {
            Self::Audit => AUDIT,
            Self::Ledger(_, slug) => slug,
        }
    }
}

impl Reconciler {
    /// Verifies a chain from its first line to the last one that anybody remembers, and keeps what came
    /// of it.
    pub async fn verify(&self, chain: Chain<'_>) -> Result<Verified, ReconcileError> {
        let mut verified = match chain {
            Chain::Audit => self.store.audit_verify().await?,
            Chain::Ledger(clinic, _) => self.store.ledger_verify(clinic).await?,
        };
        if verified.first_bad.is_none() {
            verified.first_bad = self.compare_end(chain).await?;
        }
        match chain {
            Chain::Audit => self.store.audit_bad_from(verified.first_bad).await?,
            Chain::Ledger(clinic, _) => self.store.ledger_verified(clinic, verified).await?,
        }
        Ok(verified)
    }

    /// Has the register remember where a chain ends now; returns the first line that is gone of what it
    /// remembered, which it remembers on, and keeps that.
    pub async fn remember_end(&self, chain: Chain<'_>) -> Result<Option<i64>, ReconcileError> {
        let gone = self.compare_end(chain).await?;
        match (chain, gone) {
            (_, None) => {}
            (Chain::Audit, gone) => self.store.audit_bad_from(gone).await?,
            (Chain::Ledger(clinic, _), Some(line)) => {
                self.store.ledger_bad_from(clinic, line).await?;
            }
        }
        Ok(gone)
    }

    async fn compare_end(&self, chain: Chain<'_>) -> Result<Option<i64>, ReconcileError> {
        let Some(register) = &self.settings.register else { return Ok(None) };
        let (line, code) = self.end_of(chain).await?;
        let now = ChainEnd { line, code };
        match register.end(chain.name())? {
            Some(before) if before == now => Ok(None),
            Some(before)
                if self.code_of(chain, before.line).await?.as_ref() != Some(&before.code) =>
            {
                Ok(Some(before.line.min(now.line + 1)))
            }
            _ => Ok(register.ends(chain.name(), &now).map(|()| None)?),
        }
    }

    /// Forgets the ends of the clinic's ledger and of the audit log: an admin says that an older store
    /// was put back.
    pub(super) fn ends_anew(&self, clinic: &str) -> Result<(), ReconcileError> {
        let Some(register) = &self.settings.register else { return Ok(()) };
        register.ends_anew(clinic)?;
        Ok(register.ends_anew(AUDIT)?)
    }

    async fn end_of(&self, chain: Chain<'_>) -> Result<(i64, String), ReconcileError> {
        Ok(match chain {
            Chain::Audit => self.store.audit_end().await?,
            Chain::Ledger(clinic, _) => self.store.ledger_end(clinic).await?,
        })
    }

    async fn code_of(&self, chain: Chain<'_>, line: i64) -> Result<Option<String>, ReconcileError> {
        Ok(match chain {
            Chain::Audit => self.store.audit_code_of(line).await?,
            Chain::Ledger(clinic, _) => self.store.ledger_code_of(clinic, line).await?,
        })
    }
}
