//! Lists: what they are pinned to, how far they were read, and what policy they were planned by.

use chrono::{DateTime, Utc};

use super::Store;
use super::columns::{MaybeAt, args};
use super::db::again;
use super::error::{Result, StoreError};
use super::leases::Lease;
use super::sql::statements;
use crate::domain::{Channel, ClinicId, ListId};

/// One list of a clinic.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ListRow {
    /// Our id.
    pub id: ListId,
    /// Whose it is.
    #[sqlx(rename = "clinic_id")]
    pub clinic: ClinicId,
    /// Its name in configuration and addresses.
    pub slug: String,
    /// The channel it is on.
    pub channel: Channel,
    /// The provider's account it is pinned to (L20).
    pub account_pin: Option<String>,
    /// The audience it is pinned to (L20).
    pub audience_pin: Option<String>,
    /// The provider's region, where it has any.
    pub region: Option<String>,
    /// Whether the audience itself asks sign-ups for confirmation.
    pub audience_double_opt_in: bool,
    /// When account, region and settings were read.
    #[sqlx(try_from = "MaybeAt")]
    pub settings_read_at: Option<DateTime<Utc>>,
    /// When an admin first approved it (L20).
    #[sqlx(try_from = "MaybeAt")]
    pub approved_at: Option<DateTime<Utc>>,
    /// Since when it is being emptied, to be retired or moved (L20).
    #[sqlx(try_from = "MaybeAt")]
    pub retiring_at: Option<DateTime<Utc>>,
    /// When it was retired.
    #[sqlx(try_from = "MaybeAt")]
    pub retired_at: Option<DateTime<Utc>>,
    /// When it was last read from end to end.
    #[sqlx(try_from = "MaybeAt")]
    pub swept_at: Option<DateTime<Utc>>,
    /// From when on changes are to be read.
    #[sqlx(rename = "delta_cursor", try_from = "MaybeAt")]
    pub cursor: Option<DateTime<Utc>>,
    /// When it was last read completely, in whole or by its changes.
    #[sqlx(try_from = "MaybeAt")]
    pub observed_at: Option<DateTime<Utc>>,
    /// Digest of the policy its links were planned by.
    pub policy_digest: Option<String>,
    /// When every link was last judged anew, whatever had changed.
    #[sqlx(try_from = "MaybeAt")]
    pub judged_at: Option<DateTime<Utc>>,
    /// Since when it waits to be read anew, where the store was put back to an older state.
    #[sqlx(try_from = "MaybeAt")]
    pub restored_at: Option<DateTime<Utc>>,
    /// Since when its provider refuses the credential.
    #[sqlx(try_from = "MaybeAt")]
    pub credential_refused_at: Option<DateTime<Utc>>,
}

macro_rules! list_columns {
    () => {
        "SELECT id, clinic_id, slug, channel, account_pin, audience_pin, region,
            audience_double_opt_in, settings_read_at, approved_at, retiring_at, retired_at, swept_at,
            delta_cursor, observed_at, policy_digest, judged_at, restored_at,
            credential_refused_at
         FROM lists "
    };
}

statements! {
    LIST_ADD = {
        "INSERT INTO lists (clinic_id, id, slug, channel) VALUES ($1, $2, $3, $4)
         ON CONFLICT (clinic_id, slug) DO NOTHING"
    }
    LIST_BY_SLUG = { list_columns!(), "WHERE clinic_id = $1 AND slug = $2" }
    LIST = { list_columns!(), "WHERE clinic_id = $1 AND id = $2" }
    LISTS = { list_columns!(), "WHERE clinic_id = $1 ORDER BY slug" }
    LIST_PIN = {
        "UPDATE lists SET account_pin = $3, audience_pin = $4, region = $5,
            audience_double_opt_in = $6, settings_read_at = $7
         WHERE clinic_id = $1 AND id = $2
            AND COALESCE(account_pin, $3) = $3 AND COALESCE(audience_pin, $4) = $4"
    }
    LIST_RESET = {
        "UPDATE lists SET account_pin = NULL, audience_pin = NULL, region = NULL,
            settings_read_at = NULL, approved_at = NULL, retiring_at = NULL, swept_at = NULL,
            delta_cursor = NULL, observed_at = NULL, policy_digest = NULL, restored_at = NULL
         WHERE clinic_id = $1 AND id = $2"
    }
    // Base and invitation stay: who had confirmed comes back as one who returned (L13).
    LIST_RESET_LINKS = {
        "UPDATE links SET status = NULL, member_key = NULL, seen_at = NULL, seen = NULL, last_changed = NULL,
            signed_up_at = NULL, opted_in_at = NULL, entry = NULL, digest = 0, intent_verb = NULL,
            intent_from = NULL, intent_at = NULL, moved_there = NULL, moved_hash = NULL,
            moved_told = NULL, stale = TRUE, version = links.version + 1
         WHERE clinic_id = $1 AND list_id = $2"
    }
    // What an admin approved was about the audience that was left.
    LIST_RESET_APPROVALS = {
        "UPDATE approvals SET valid_until = $3
         WHERE clinic_id = $1 AND valid_until > $3
            AND run_id IN (SELECT id FROM runs WHERE clinic_id = $1 AND list_id = $2)"
    }
    LIST_RESET_ACCEPTANCES = {
        "UPDATE acceptances SET valid_until = $3
         WHERE clinic_id = $1 AND list_id = $2 AND valid_until > $3"
    }
    LIST_RETIRING = {
        "UPDATE lists SET retiring_at = COALESCE(retiring_at, $3) WHERE clinic_id = $1 AND id = $2"
    }
    LIST_OBSERVED = {
        "UPDATE lists SET delta_cursor = $3, observed_at = $3,
            swept_at = COALESCE($4, swept_at)
         WHERE clinic_id = $1 AND id = $2"
    }
    LIST_HOLDS = {
        "SELECT ordinal FROM links WHERE clinic_id = $1 AND list_id = $2
            AND contact_id IS NOT NULL AND status NOT IN ('absent', 'forgotten')
         ORDER BY ordinal LIMIT 1"
    }
    LIST_RETIRE = { "UPDATE lists SET retired_at = $3 WHERE clinic_id = $1 AND id = $2" }
    LIST_POLICY = { "UPDATE lists SET policy_digest = $3 WHERE clinic_id = $1 AND id = $2" }
    LIST_CREDENTIAL = {
        "UPDATE lists SET credential_refused_at = $3 WHERE clinic_id = $1 AND id = $2"
    }
    LIST_JUDGED = { "UPDATE lists SET judged_at = $3 WHERE clinic_id = $1 AND id = $2" }
    LIST_POLICY_STALES = {
        "UPDATE links SET stale = TRUE, version = links.version + 1
         WHERE clinic_id = $1 AND list_id = $2 AND ordinal > $3 AND ordinal <= $4"
    }
}

impl ListRow {
    /// Tells whether nothing may be written yet: no admin approved the list, or its store was put back
    /// and it was not read anew since (L20).
    #[must_use]
    pub const fn is_first_run(&self) -> bool {
        self.approved_at.is_none() || self.restored_at.is_some()
    }
}

impl Store {
    /// Returns the clinic's list called `slug`, adding it where it is new.
    pub async fn list_ensure(
        &self,
        clinic: ClinicId,
        slug: &str,
        channel: Channel,
    ) -> Result<ListRow> {
        if let Some(list) = self.db.row(LIST_BY_SLUG, args![clinic, slug]).await? {
            return Ok(list);
        }
        self.db.execute(LIST_ADD, args![clinic, self.clock.id(), slug, channel]).await?;
        let list = self.db.row(LIST_BY_SLUG, args![clinic, slug]).await?;
        list.ok_or(StoreError::Missing { what: "list" })
    }

    /// Returns the list.
    pub async fn list(&self, clinic: ClinicId, list: ListId) -> Result<ListRow> {
        let found = self.db.row(LIST, args![clinic, list]).await?;
        found.ok_or(StoreError::Missing { what: "list" })
    }

    /// Returns the clinic's lists by name, the retired too.
    pub async fn lists(&self, clinic: ClinicId) -> Result<Vec<ListRow>> {
        self.db.rows(LISTS, args![clinic]).await
    }

    /// Pins the list to account and audience and records their settings (L20). Fenced.
    ///
    /// A list that is pinned elsewhere is refused: see [`Store::list_reset`].
    #[expect(clippy::too_many_arguments, reason = "one argument a column")]
    pub async fn list_pin(
        &self,
        lease: &Lease,
        list: &ListRow,
        account: &str,
        audience: &str,
        region: Option<&str>,
        double_opt_in: bool,
        now: DateTime<Utc>,
    ) -> Result<ListRow> {
        let args = args![list.clinic, list.id, account, audience, region, double_opt_in, now];
        match self.execute_under(lease, LIST_PIN, args).await? {
            0 => Err(StoreError::Pinned { list: list.slug.clone() }),
            _ => self.list(list.clinic, list.id).await,
        }
    }

    /// Begins to empty the list, to be retired or moved (L20).
    pub async fn list_retiring(&self, list: &ListRow, at: DateTime<Utc>) -> Result<()> {
        self.db.execute(LIST_RETIRING, args![list.clinic, list.id, at]).await.map(drop)
    }

    /// Lets go of an emptied list's account and audience: its next run is a first run (L20), for
    /// which nothing is approved yet.
    pub async fn list_reset(&self, list: &ListRow) -> Result<()> {
        again!(self, {
            let mut tx = self.db.begin().await?;
            tx.execute(LIST_RESET, args![list.clinic, list.id]).await?;
            tx.execute(LIST_RESET_LINKS, args![list.clinic, list.id]).await?;
            let until = args![list.clinic, list.id, self.clock.now()];
            tx.execute(LIST_RESET_APPROVALS, until.clone()).await?;
            tx.execute(LIST_RESET_ACCEPTANCES, until).await?;
            tx.commit().await
        })
    }

    /// Records a complete observation as of `cursor`, by changes or (`swept_at`) from end to end.
    /// Fenced.
    pub async fn list_observed(
        &self,
        lease: &Lease,
        list: &ListRow,
        cursor: DateTime<Utc>,
        swept_at: Option<DateTime<Utc>>,
    ) -> Result<ListRow> {
        let args = args![list.clinic, list.id, cursor, swept_at];
        self.execute_under(lease, LIST_OBSERVED, args).await?;
        self.list(list.clinic, list.id).await
    }

    /// Records that every link was judged anew. Fenced.
    pub async fn list_judged(&self, lease: &Lease, list: &ListRow) -> Result<()> {
        let args = args![list.clinic, list.id, self.clock.now()];
        self.execute_under(lease, LIST_JUDGED, args).await.map(drop)
    }

    /// Records that the provider refuses the list's credential since `at`, or takes it.
    pub async fn list_credential(&self, list: &ListRow, at: Option<DateTime<Utc>>) -> Result<()> {
        self.db.execute(LIST_CREDENTIAL, args![list.clinic, list.id, at]).await.map(drop)
    }

    /// Tells whether the list's audience, as it was last seen, has anybody whom the clinic knows.
    pub async fn list_holds_anybody(&self, list: &ListRow) -> Result<bool> {
        let found: Option<(i64,)> = self.db.row(LIST_HOLDS, args![list.clinic, list.id]).await?;
        Ok(found.is_some())
    }

    /// Ends the list.
    pub async fn list_retire(&self, list: &ListRow, at: DateTime<Utc>) -> Result<()> {
        self.db.execute(LIST_RETIRE, args![list.clinic, list.id, at]).await.map(drop)
    }

    /// Records the digest of the policy in force; when it changed, every link is planned again.
    /// Fenced.
    pub async fn list_policy_applied(
        &self,
        lease: &Lease,
        list: &ListRow,
        digest: &str,
    ) -> Result<()> {
        let now = self.list(list.clinic, list.id).await?;
        if now.policy_digest.as_deref() == Some(digest) {
            return Ok(());
        }
        let end = self.ordinals_end(list).await?;
        let which = args![list.clinic, list.id];
        self.execute_in_stretches(lease, LIST_POLICY_STALES, &which, end).await?;
        self.execute_under(lease, LIST_POLICY, args![list.clinic, list.id, digest]).await.map(drop)
    }
}
