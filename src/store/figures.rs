//! Figures: where lists, inbox and ledgers stand, for whoever watches over all of them.

use chrono::{DateTime, Utc};

use super::Store;
use super::columns::{MaybeAt, args, count};
use super::error::Result;
use super::sql::statements;
use crate::domain::{Class, ClinicId, ListId, MemberStatus};

/// One list that has not ended, and what is known of its turns.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ListFigures {
    /// Its clinic.
    pub clinic_id: ClinicId,
    /// The clinic's name in the configuration.
    pub clinic: String,
    /// The list.
    pub list_id: ListId,
    /// Its name in the configuration.
    pub list: String,
    /// When a turn of it last ended.
    #[sqlx(try_from = "MaybeAt")]
    pub turned_at: Option<DateTime<Utc>>,
    /// When a run last brought it in step.
    #[sqlx(try_from = "MaybeAt")]
    pub in_step_at: Option<DateTime<Utc>>,
    /// Whether its first plan waits for an admin: until then nothing brings it in step.
    pub awaits_approval: bool,
    /// Since when its provider refuses the credential.
    #[sqlx(try_from = "MaybeAt")]
    pub credential_refused_at: Option<DateTime<Utc>>,
    /// When it was last read from end to end.
    #[sqlx(try_from = "MaybeAt")]
    pub swept_at: Option<DateTime<Utc>>,
    /// When its clinic's patients were.
    #[sqlx(try_from = "MaybeAt")]
    pub source_swept_at: Option<DateTime<Utc>>,
}

/// How many links of one list stand where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Links by class and by what the provider showed; a link never planned yet is due.
    pub links: Vec<(Class, Option<MemberStatus>, u64)>,
    /// Changes that wait for an admin.
    pub held: u64,
    /// Changes that could not be made yet.
    pub parked: u64,
}

/// When one clinic's ledger was verified.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LedgerFigures {
    /// The clinic's name in the configuration.
    pub clinic: String,
    /// When it was last verified.
    #[sqlx(try_from = "MaybeAt")]
    pub verified_at: Option<DateTime<Utc>>,
    /// The first line that did not fit then.
    pub bad_line: Option<i64>,
}

statements! {
    FIGURES_LISTS = {
        "SELECT c.clinic_id, c.slug AS clinic, l.id AS list_id, l.slug AS list, l.turned_at,
            l.in_step_at, l.credential_refused_at, l.swept_at, c.source_swept_at,
            l.approved_at IS NULL AND COALESCE((SELECT r.outcome FROM runs r
                WHERE r.clinic_id = l.clinic_id AND r.list_id = l.id AND r.ended_at IS NOT NULL
                    AND r.woken_by <> 'webhook'
                ORDER BY r.id DESC LIMIT 1), '') = 'waiting' AS awaits_approval
         FROM clinics c JOIN lists l ON l.clinic_id = c.clinic_id
         WHERE l.retired_at IS NULL ORDER BY c.slug, l.slug"
    }
    FIGURES_LINKS = {
        "SELECT class, status, COUNT(*) FROM links WHERE clinic_id = $1 AND list_id = $2
         GROUP BY class, status ORDER BY class, status"
    }
    FIGURES_HELD = {
        "SELECT COUNT(CASE WHEN state IN ('waiting', 'braked') THEN 1 END) FROM operations
         WHERE clinic_id = $1 AND list_id = $2
            AND state IN ('planned', 'waiting', 'braked', 'submitted')"
    }
    FIGURES_PARKED = { "SELECT COUNT(*) FROM parked WHERE clinic_id = $1 AND list_id = $2" }
    FIGURES_INBOX = { "SELECT COUNT(*) FROM deliveries WHERE attended_at IS NULL" }
    FIGURES_LEDGERS = {
        "SELECT slug AS clinic, ledger_verified_at AS verified_at, ledger_bad_line AS bad_line
         FROM clinics"
    }
}

impl Store {
    /// Returns every list that has not ended, by name.
    pub async fn figures_of_lists(&self) -> Result<Vec<ListFigures>> {
        self.db.rows(FIGURES_LISTS, args![]).await
    }

    /// Counts the links of a list. They change with its turns only.
    pub async fn figures_of_links(&self, clinic: ClinicId, list: ListId) -> Result<Links> {
        let of = args![clinic, list];
        let links: Vec<(Option<Class>, Option<MemberStatus>, i64)> =
            self.db.rows(FIGURES_LINKS, of.clone()).await?;
        let held: Option<(i64,)> = self.db.row(FIGURES_HELD, of.clone()).await?;
        let parked: Option<(i64,)> = self.db.row(FIGURES_PARKED, of).await?;
        let due = |class: Option<Class>| class.unwrap_or(Class::Due);
        let links = links.into_iter().map(|(class, status, n)| (due(class), status, count(n)));
        let links = links.collect();
        let [held, parked] = [held, parked].map(|row| row.map_or(0, |(n,)| count(n)));
        Ok(Links { links, held, parked })
    }

    /// Counts the deliveries that nobody attended to yet.
    pub async fn figures_of_inbox(&self) -> Result<u64> {
        let waiting: Option<(i64,)> = self.db.row(FIGURES_INBOX, args![]).await?;
        Ok(waiting.map_or(0, |(n,)| count(n)))
    }

    /// Returns when each clinic's ledger was verified.
    pub async fn figures_of_ledgers(&self) -> Result<Vec<LedgerFigures>> {
        self.db.rows(FIGURES_LEDGERS, args![]).await
    }
}
