//! Alerts: what an admin is told of, once each, as long as it is so.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{At, MaybeAt, args, count, json};
use super::error::Result;
use super::leases::Lease;
use super::sql::statements;
use super::words::AlertKind;
use crate::domain::{ClinicId, ListId};

/// Something that an admin is to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewAlert {
    /// The list.
    pub list: ListId,
    /// What it is.
    pub kind: AlertKind,
    /// How many links it concerns.
    pub links: u64,
}

/// An alert that stands, and how far it was told.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AlertRow {
    /// Its id.
    pub id: Uuid,
    /// The list's short name.
    pub list: String,
    /// What it is.
    pub kind: AlertKind,
    /// How many links it concerned when it was found.
    #[sqlx(try_from = "super::columns::Count")]
    pub links: u64,
    /// Since when.
    #[sqlx(try_from = "At")]
    pub since: DateTime<Utc>,
    /// Whether it was told by e-mail.
    pub mailed: bool,
    /// Whether it was told by webhook.
    pub hooked: bool,
    /// Until when no e-mail about it is tried again.
    #[sqlx(try_from = "MaybeAt")]
    pub mail_rests_until: Option<DateTime<Utc>>,
}

/// How an alert is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldBy {
    /// By e-mail.
    Mail,
    /// By webhook.
    Hook,
}

#[derive(Clone, Serialize)]
struct AlertPut {
    id: Uuid,
    list: Uuid,
    kind: &'static str,
    links: u64,
}

statements! {
    ALERTS_OPEN (given: id uuid, list uuid, kind text, links bigint) = {
        "INSERT INTO alerts (clinic_id, id, list_id, kind, links, since)
         SELECT $2, g.id, g.list, g.kind, g.links, $3 FROM given g WHERE TRUE
         ON CONFLICT (clinic_id, list_id, kind) WHERE ended_at IS NULL DO NOTHING"
    }
    ALERTS_END (given: id uuid, list uuid, kind text, links bigint) = {
        "UPDATE alerts SET ended_at = $3
         WHERE clinic_id = $2 AND ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM given g
            WHERE g.list = alerts.list_id AND g.kind = alerts.kind)"
    }
    ALERTS_STANDING = {
        "SELECT a.id, l.slug AS list, a.kind, a.links, a.since, a.mailed_at IS NOT NULL AS mailed,
            a.hooked_at IS NOT NULL AS hooked, a.mail_rests_until
         FROM alerts a JOIN lists l ON l.clinic_id = a.clinic_id AND l.id = a.list_id
         WHERE a.clinic_id = $1 AND a.ended_at IS NULL ORDER BY a.id"
    }
    ALERTS_OF = {
        "SELECT list_id, kind FROM alerts WHERE clinic_id = $1 AND ended_at IS NULL"
    }
    ALERT_MAILED = { "UPDATE alerts SET mailed_at = $3 WHERE clinic_id = $1 AND id = $2" }
    ALERT_HOOKED = { "UPDATE alerts SET hooked_at = $3 WHERE clinic_id = $1 AND id = $2" }
    ALERT_MAIL_RESTS = {
        "UPDATE alerts SET mail_rests_until = $3 WHERE clinic_id = $1 AND id = $2"
    }
    // A run that was killed never ends, and nobody holds its account for long after it.
    LISTS_UNDER_WAY = {
        "SELECT l.id FROM lists l
         WHERE l.clinic_id = $1 AND COALESCE((SELECT CASE WHEN r.ended_at IS NULL THEN 1 ELSE 0 END
            FROM runs r WHERE r.clinic_id = l.clinic_id AND r.list_id = l.id
            ORDER BY r.id DESC LIMIT 1), 0) = 1
            AND (l.account_pin IS NULL OR EXISTS (SELECT 1 FROM leases h
                WHERE h.name = 'account:' || l.account_pin AND h.expires_at > $2))"
    }
    STRANGERS = {
        "SELECT list_id, COUNT(*) FROM links
         WHERE clinic_id = $1 AND class IN ('unknown', 'held_without_basis')
            AND contact_id IS NULL GROUP BY list_id"
    }
}

impl Store {
    /// Opens the alerts that are new, and ends those that are no longer so. Those of a list that has a
    /// turn stay as they are: it holds back whatever it has not counted yet, and lets go what is planned
    /// anew. Fenced.
    pub async fn alerts_put(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        found: &[NewAlert],
    ) -> Result<()> {
        let under_way: Vec<(ListId,)> =
            self.db.rows(LISTS_UNDER_WAY, args![clinic, self.clock.now()]).await?;
        let under_way = |list: &ListId| under_way.iter().any(|(id,)| id == list);
        let put = |list: ListId, kind: AlertKind, links| AlertPut {
            id: self.clock.id(),
            list: list.0,
            kind: kind.word(),
            links,
        };
        let settled = found.iter().filter(|alert| !under_way(&alert.list));
        let open: Vec<_> = settled.map(|alert| put(alert.list, alert.kind, alert.links)).collect();
        let standing = self.alerts_of(clinic).await?;
        let left = standing.into_iter().filter(|(list, _)| under_way(list));
        let left = left.map(|(list, kind)| put(list, kind, 0));
        let stay: Vec<_> = open.iter().cloned().chain(left).collect();
        let now = self.clock.now();
        self.execute_under(lease, ALERTS_END, args![json(&stay)?, clinic, now]).await?;
        self.execute_under(lease, ALERTS_OPEN, args![json(&open)?, clinic, now]).await.map(drop)
    }

    async fn alerts_of(&self, clinic: ClinicId) -> Result<Vec<(ListId, AlertKind)>> {
        self.db.rows(ALERTS_OF, args![clinic]).await
    }

    /// Records that no e-mail about an alert is to be tried before `until`. Fenced.
    pub async fn alert_mail_rests(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        alert: Uuid,
        until: DateTime<Utc>,
    ) -> Result<()> {
        let args = args![clinic, alert, until];
        self.execute_under(lease, ALERT_MAIL_RESTS, args).await.map(drop)
    }

    /// Returns the alerts that stand, the oldest first.
    pub async fn alerts_standing(&self, clinic: ClinicId) -> Result<Vec<AlertRow>> {
        self.db.rows(ALERTS_STANDING, args![clinic]).await
    }

    /// Records that an alert was told. Fenced.
    pub async fn alert_told(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        alert: Uuid,
        by: ToldBy,
    ) -> Result<()> {
        let told = match by {
            ToldBy::Mail => ALERT_MAILED,
            ToldBy::Hook => ALERT_HOOKED,
        };
        let args = args![clinic, alert, self.clock.now()];
        self.execute_under(lease, told, args).await.map(drop)
    }

    /// Counts the members of each list whom the clinic never knew.
    pub async fn strangers(&self, clinic: ClinicId) -> Result<BTreeMap<ListId, u64>> {
        let rows: Vec<(ListId, i64)> = self.db.rows(STRANGERS, args![clinic]).await?;
        Ok(rows.into_iter().map(|(list, links)| (list, count(links))).collect())
    }
}
