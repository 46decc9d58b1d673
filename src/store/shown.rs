//! What the page shows beside the API: whom links are about, and what was changed for somebody.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::Store;
use super::columns::{At, Count, MaybeAt, args, id_rows};
use super::error::Result;
use super::lists::ListRow;
use super::sql::statements;
use super::words::OpState;
use crate::domain::{
    Address, Channel, Class, ClinicId, ContactId, LinkId, ListId, MemberStatus, Reason, RunId, Verb,
};

/// How many operations of a plan do the same for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PlanReason {
    /// What is done.
    pub verb: Verb,
    /// Why.
    pub reason: Reason,
    /// How many.
    #[sqlx(try_from = "Count")]
    pub count: u64,
}

/// Whom a link is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownLink {
    /// The contact; none for a member whom the clinic never knew.
    pub contact: Option<ContactId>,
    /// Its address, which prints redacted; none once it was erased.
    pub address: Option<Address>,
    /// Since when it is a member, as its provider says; none where it does not.
    pub joined_at: Option<DateTime<Utc>>,
}

/// Somebody who is on a list and should not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLink {
    /// The link.
    pub link: LinkId,
    /// Its number on the list.
    pub ordinal: i64,
    /// Whom it is about.
    pub shown: ShownLink,
    /// How they are held.
    pub class: Class,
    /// The reason that decided.
    pub reason: Option<Reason>,
    /// What the provider showed last.
    pub status: Option<MemberStatus>,
}

/// One change that was made, or was to be.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ChangeRow {
    /// The run that planned it.
    #[sqlx(rename = "run_id")]
    pub run: RunId,
    /// The list.
    #[sqlx(rename = "list_id")]
    pub list: ListId,
    /// What was to be done.
    pub verb: Verb,
    /// Why.
    pub reason: Reason,
    /// How far it got.
    pub state: OpState,
    /// When it got there.
    #[sqlx(try_from = "At")]
    pub at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct ShownColumns {
    id: LinkId,
    contact_id: Option<ContactId>,
    channel: Option<Channel>,
    address: Option<String>,
    #[sqlx(try_from = "MaybeAt")]
    joined_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct HeldColumns {
    #[sqlx(flatten)]
    shown: ShownColumns,
    ordinal: i64,
    class: Class,
    reason: Option<Reason>,
    status: Option<MemberStatus>,
}

impl From<ShownColumns> for ShownLink {
    fn from(row: ShownColumns) -> Self {
        let stored = row.channel.zip(row.address);
        let address = stored.map(|(channel, text)| Address::stored(channel, text));
        Self { contact: row.contact_id, address, joined_at: row.joined_at }
    }
}

statements! {
    PLAN_REASONS = {
        "SELECT verb, reason, COUNT(*) AS count FROM operations
         WHERE clinic_id = $1 AND run_id = $2 GROUP BY verb, reason ORDER BY verb, reason"
    }
    LINKS_SHOWN (given: id uuid) = {
        "SELECT k.id, k.contact_id, c.channel, c.address,
            COALESCE(k.opted_in_at, k.signed_up_at) AS joined_at
         FROM given g CROSS JOIN links k
         LEFT JOIN contacts c ON c.clinic_id = k.clinic_id AND c.id = k.contact_id
         WHERE k.clinic_id = $2 AND k.id = g.id"
    }
    // The two classes are neighbours in the alphabet, and so in the index.
    LINKS_HELD = {
        "SELECT k.id, k.contact_id, c.channel, c.address,
            COALESCE(k.opted_in_at, k.signed_up_at) AS joined_at,
            k.ordinal, k.class, k.reason, k.status
         FROM links k
         LEFT JOIN contacts c ON c.clinic_id = k.clinic_id AND c.id = k.contact_id
         WHERE k.clinic_id = $1 AND k.list_id = $2 AND k.class <= 'held_without_basis'
            AND (k.class, k.ordinal) > ($3, $4)
         ORDER BY k.class, k.ordinal LIMIT $5"
    }
    CHANGES_OF_LINKS (given: id uuid) = {
        "SELECT o.run_id, o.list_id, o.verb, o.reason, o.state,
            COALESCE(o.settled_at, o.submitted_at, o.planned_at) AS at
         FROM given g CROSS JOIN operations o
         WHERE o.clinic_id = $2 AND o.link_id = g.id ORDER BY o.run_id DESC LIMIT $3"
    }
}

impl Store {
    /// Counts what a run's plan does, by what and why.
    pub async fn plan_reasons(&self, clinic: ClinicId, run: RunId) -> Result<Vec<PlanReason>> {
        self.db.rows(PLAN_REASONS, args![clinic, run]).await
    }

    /// Returns whom those of the clinic's links are about.
    pub async fn links_shown(
        &self,
        clinic: ClinicId,
        links: &[LinkId],
    ) -> Result<BTreeMap<LinkId, ShownLink>> {
        let given = id_rows(links.iter().map(|link| link.0))?;
        let rows: Vec<ShownColumns> = self.db.rows(LINKS_SHOWN, args![given, clinic]).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }

    /// Returns a page of those who are on a list and should not be, after that class and number.
    pub async fn links_held(
        &self,
        list: &ListRow,
        after: (Class, i64),
        limit: u32,
    ) -> Result<Vec<HeldLink>> {
        let args = args![list.clinic, list.id, after.0, after.1, limit];
        let rows: Vec<HeldColumns> = self.db.rows(LINKS_HELD, args).await?;
        let held = rows.into_iter().map(|row| HeldLink {
            link: row.shown.id,
            ordinal: row.ordinal,
            class: row.class,
            reason: row.reason,
            status: row.status,
            shown: row.shown.into(),
        });
        Ok(held.collect())
    }

    /// Returns what was changed on those links, the newest first.
    pub async fn changes_of_links(
        &self,
        clinic: ClinicId,
        links: &[LinkId],
        limit: u32,
    ) -> Result<Vec<ChangeRow>> {
        let given = id_rows(links.iter().map(|link| link.0))?;
        self.db.rows(CHANGES_OF_LINKS, args![given, clinic, limit]).await
    }
}
