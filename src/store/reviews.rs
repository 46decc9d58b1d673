//! Reviews: what a rule decided and an admin should look at.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Store;
use super::columns::{At, args};
use super::error::Result;
use super::leases::Lease;
use super::sql::statements;
use super::words::ReviewKind;
use crate::domain::{ClinicId, ContactId, ListId};

/// Something an admin should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReview {
    /// What it is; the same contact and evidence are shown once.
    pub kind: ReviewKind,
    /// Whom it is about.
    pub contact: ContactId,
    /// The list, where it is about one.
    pub list: Option<ListId>,
    /// What names the message at the provider.
    pub evidence: String,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// One review that is open.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct ReviewRow {
    /// Its id.
    pub id: Uuid,
    /// What it is.
    pub kind: ReviewKind,
    /// Whom it is about.
    #[sqlx(rename = "contact_id")]
    pub contact: ContactId,
    /// The list's short name, where it is about one.
    pub list: Option<String>,
    /// What names the message at the provider.
    pub evidence: String,
    /// When it happened.
    #[sqlx(try_from = "At")]
    pub at: DateTime<Utc>,
}

statements! {
    REVIEW_ADD = {
        "INSERT INTO reviews (clinic_id, id, kind, contact_id, list_id, evidence, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (clinic_id, kind, contact_id, evidence) DO NOTHING"
    }
    REVIEWS_OPEN = {
        "SELECT r.id, r.kind, r.contact_id, l.slug AS list, r.evidence, r.at FROM reviews r
         LEFT JOIN lists l ON l.clinic_id = r.clinic_id AND l.id = r.list_id
         WHERE r.clinic_id = $1 AND r.closed_at IS NULL ORDER BY r.id"
    }
    REVIEWS_PAGE = {
        "SELECT r.id, r.kind, r.contact_id, l.slug AS list, r.evidence, r.at FROM reviews r
         LEFT JOIN lists l ON l.clinic_id = r.clinic_id AND l.id = r.list_id
         WHERE r.clinic_id = $1 AND r.closed_at IS NULL AND r.id > $2 ORDER BY r.id LIMIT $3"
    }
    REVIEW_CLOSE = {
        "UPDATE reviews SET closed_at = $3, closed_because = $4
         WHERE clinic_id = $1 AND id = $2 AND closed_at IS NULL"
    }
}

impl Store {
    /// Shows something to an admin. Fenced.
    pub async fn review_add(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        review: &NewReview,
    ) -> Result<()> {
        let NewReview { kind, contact, list, evidence, at } = review;
        let id = self.clock.id();
        let args = args![clinic, id, *kind, *contact, *list, evidence.as_str(), *at];
        self.execute_under(lease, REVIEW_ADD, args).await.map(drop)
    }

    /// Returns what nobody has looked at yet, oldest first.
    pub async fn reviews_open(&self, clinic: ClinicId) -> Result<Vec<ReviewRow>> {
        self.db.rows(REVIEWS_OPEN, args![clinic]).await
    }

    /// Returns a page of the same, after that one.
    pub async fn reviews_page(
        &self,
        clinic: ClinicId,
        after: Uuid,
        limit: u32,
    ) -> Result<Vec<ReviewRow>> {
        self.db.rows(REVIEWS_PAGE, args![clinic, after, limit]).await
    }

    /// Records that an admin looked, and what came of it; tells whether it was open.
    pub async fn review_close(&self, clinic: ClinicId, id: Uuid, because: &str) -> Result<bool> {
        let args = args![clinic, id, self.clock.now(), because];
        Ok(self.db.execute(REVIEW_CLOSE, args).await? > 0)
    }
}
