//! Clinics: the tenants, and how far their records were read.

use chrono::{DateTime, Utc};

use super::Store;
use super::columns::{MaybeAt, args, id_rows};
use super::error::{Result, StoreError};
use super::leases::Lease;
use super::sql::statements;
use crate::domain::{ClinicId, Clinics};

/// One clinic, and how far its source was read.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ClinicRow {
    /// Our id.
    #[sqlx(rename = "clinic_id")]
    pub id: ClinicId,
    /// Its name in configuration and addresses.
    pub slug: String,
    /// When the source was last read from end to end.
    #[sqlx(try_from = "MaybeAt")]
    pub source_swept_at: Option<DateTime<Utc>>,
    /// The newest change read so far, by the clinic's clock.
    #[sqlx(try_from = "MaybeAt")]
    pub source_cursor: Option<DateTime<Utc>>,
    /// The number of the last sweep begun.
    pub sweep_no: i64,
}

statements! {
    CLINIC_ADD = {
        "INSERT INTO clinics (clinic_id, slug) VALUES ($1, $2) ON CONFLICT (slug) DO NOTHING"
    }
    CLINIC_HEAD_ADD = {
        "INSERT INTO ledger_heads (clinic_id, seq, mac)
         SELECT clinic_id, 0, '' FROM clinics WHERE slug = $1 ON CONFLICT (clinic_id) DO NOTHING"
    }
    CLINIC_BY_SLUG = { "SELECT clinic_id FROM clinics WHERE slug = $1" }
    CLINIC = {
        "SELECT clinic_id, slug, source_swept_at, source_cursor, sweep_no
         FROM clinics WHERE clinic_id = $1"
    }
    CLINICS = {
        "SELECT clinic_id, slug, source_swept_at, source_cursor, sweep_no FROM clinics ORDER BY slug"
    }
    CLINICS_AFTER = {
        "SELECT clinic_id, slug, source_swept_at, source_cursor, sweep_no
         FROM clinics WHERE slug > $1 ORDER BY slug LIMIT $2"
    }
    CLINICS_AMONG (given: id uuid) = {
        "SELECT clinic_id, slug, source_swept_at, source_cursor, sweep_no
         FROM given g CROSS JOIN clinics
         WHERE clinic_id = g.id AND slug > $2 ORDER BY slug LIMIT $3"
    }
    CLINIC_OWES = {
        "SELECT clinic_id FROM clinics c
         WHERE c.clinic_id = $1
            AND (EXISTS (SELECT 1 FROM feedback f WHERE f.clinic_id = $1 AND f.done_at IS NULL)
                OR EXISTS (SELECT 1 FROM invited i WHERE i.clinic_id = $1 AND i.done_at IS NULL)
                OR EXISTS (SELECT 1 FROM patients p WHERE p.clinic_id = $1
                    AND p.status = 'deleted' AND p.erased_at IS NULL))"
    }
    CLINIC_SOURCE_RECORDED = {
        "UPDATE clinics SET source_cursor = COALESCE($2, source_cursor),
            source_swept_at = COALESCE($3, source_swept_at)
         WHERE clinic_id = $1"
    }
}

impl Store {
    /// Returns the clinic called `slug`, adding it where it is new.
    pub async fn clinic_ensure(&self, slug: &str) -> Result<ClinicId> {
        if let Some((id,)) = self.db.row(CLINIC_BY_SLUG, args![slug]).await? {
            return Ok(id);
        }
        let mut tx = self.db.begin().await?;
        tx.execute(CLINIC_ADD, args![self.clock.id(), slug]).await?;
        tx.execute(CLINIC_HEAD_ADD, args![slug]).await?;
        let added: Option<(ClinicId,)> = tx.row(CLINIC_BY_SLUG, args![slug]).await?;
        tx.commit().await?;
        added.map(|(id,)| id).ok_or(StoreError::Missing { what: "clinic" })
    }

    /// Returns the clinic.
    pub async fn clinic(&self, id: ClinicId) -> Result<ClinicRow> {
        self.db.row(CLINIC, args![id]).await?.ok_or(StoreError::Missing { what: "clinic" })
    }

    /// Finds the clinic called `slug`.
    pub async fn clinic_find(&self, slug: &str) -> Result<Option<ClinicId>> {
        let found: Option<(ClinicId,)> = self.db.row(CLINIC_BY_SLUG, args![slug]).await?;
        Ok(found.map(|(id,)| id))
    }

    /// Returns a page of those clinics by name.
    pub async fn clinics_page(
        &self,
        clinics: &Clinics,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ClinicRow>> {
        match clinics {
            Clinics::All => self.db.rows(CLINICS_AFTER, args![after, limit]).await,
            Clinics::Some(ids) => {
                let rows = id_rows(ids.iter().map(|id| id.0))?;
                self.db.rows(CLINICS_AMONG, args![rows, after, limit]).await
            }
        }
    }

    /// Returns all clinics by name.
    pub async fn clinics(&self) -> Result<Vec<ClinicRow>> {
        self.db.rows(CLINICS, args![]).await
    }

    /// Tells whether the clinic's record is to be told something, or somebody deleted to be erased.
    pub async fn clinic_owes(&self, clinic: ClinicId) -> Result<bool> {
        let owes: Option<(ClinicId,)> = self.db.row(CLINIC_OWES, args![clinic]).await?;
        Ok(owes.is_some())
    }

    /// Records how far the clinic's source was read; what is not given stays. Fenced.
    pub async fn clinic_source_recorded(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        cursor: Option<DateTime<Utc>>,
        swept_at: Option<DateTime<Utc>>,
    ) -> Result<()> {
        let args = args![clinic, cursor, swept_at];
        self.execute_under(lease, CLINIC_SOURCE_RECORDED, args).await.map(drop)
    }
}
