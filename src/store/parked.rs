//! Parked: operations that could not be made and are tried again later (L26).

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{Arg, At, args, count, id_rows, json, millis};
use super::db::again;
use super::error::{Result, StoreError};
use super::leases::Lease;
use super::lists::ListRow;
use super::sql::{Sql, statements};
use crate::domain::{Because, ClinicId, LinkId, ListId, Reason, Verb};

/// As good as never.
const NEVER: TimeDelta = TimeDelta::days(36_500);

/// An operation that could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// What was to be done.
    pub verb: Verb,
    /// Why it could not be.
    pub reason: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried again.
    pub next_try: DateTime<Utc>,
    /// Since when it waits.
    pub since: DateTime<Utc>,
}

/// An operation to be parked; the caller decides for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Park {
    /// Why it could not be made.
    pub reason: String,
    /// When to try again.
    pub next_try: DateTime<Utc>,
}

/// A parked operation with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRow {
    /// The list.
    pub list: ListId,
    /// The link.
    pub link: LinkId,
    /// What is parked.
    pub parked: Parked,
}

/// Why links of one list are parked, and how many for that reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParkedBecause {
    /// What could not be done; none where nothing was tried.
    pub verb: Option<Verb>,
    /// Why.
    pub why: String,
    /// How many.
    pub links: u64,
    /// When the first of them is tried again; none where that is no use.
    pub next_try: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct ParkedColumns {
    list_id: ListId,
    link_id: LinkId,
    verb: Verb,
    reason: String,
    tries: i64,
    #[sqlx(try_from = "At")]
    next_try: DateTime<Utc>,
    #[sqlx(try_from = "At")]
    since: DateTime<Utc>,
}

/// The columns of a parked operation to be written.
#[derive(Serialize)]
struct ParkPut<'a> {
    link: Uuid,
    verb: &'static str,
    reason: &'a str,
    next_try: i64,
}

impl<'a> ParkPut<'a> {
    fn new(link: LinkId, verb: Verb, park: &'a Park) -> Self {
        let next_try = millis(park.next_try);
        Self { link: link.0, verb: verb.word(), reason: &park.reason, next_try }
    }
}

/// The same after an operation, which knows link and verb.
#[derive(Serialize)]
pub(super) struct ParkAfter<'a> {
    id: Uuid,
    reason: &'a str,
    next_try: i64,
}

impl<'a> ParkAfter<'a> {
    pub(super) fn new(operation: Uuid, park: &'a Park) -> Self {
        Self { id: operation, reason: &park.reason, next_try: millis(park.next_try) }
    }
}

macro_rules! parked_again {
    () => {
        " ON CONFLICT (clinic_id, link_id) DO UPDATE SET
            tries = CASE WHEN parked.verb = excluded.verb THEN parked.tries + 1 ELSE 1 END,
            since = CASE WHEN parked.verb = excluded.verb THEN parked.since ELSE excluded.since END,
            verb = excluded.verb, reason = excluded.reason, next_try = excluded.next_try"
    };
}

statements! {
    PARKED_LIST = {
        "SELECT list_id, link_id, verb, reason, tries, next_try, since FROM parked
         WHERE clinic_id = $1 ORDER BY since, link_id"
    }
    PARKED_PAGE = {
        "SELECT list_id, link_id, verb, reason, tries, next_try, since FROM parked
         WHERE clinic_id = $1 AND link_id > $2 ORDER BY link_id LIMIT $3"
    }
    PARKED_RETRY = { "UPDATE parked SET next_try = $3 WHERE clinic_id = $1 AND link_id = $2" }
    // Nobody dismisses a removal (L26).
    PARKED_DISMISS = {
        "UPDATE parked SET next_try = $3, reason = $4
         WHERE clinic_id = $1 AND link_id = $2 AND verb IN ('update', 'invite', 'subscribe')"
    }
    LINK_STALE = {
        "UPDATE links SET stale = TRUE, version = links.version + 1 WHERE clinic_id = $1 AND id = $2"
    }
    PARKED_COUNTS = {
        "SELECT verb, reason, COUNT(*), MIN(next_try) FROM parked
         WHERE clinic_id = $1 AND list_id = $2 GROUP BY verb, reason ORDER BY verb, reason"
    }
    LINKS_PARKED_COUNTS = {
        "SELECT k.reason, COUNT(*) FROM links k
         WHERE k.clinic_id = $1 AND k.list_id = $2 AND k.class = 'parked'
            AND NOT EXISTS (SELECT 1 FROM parked p WHERE p.clinic_id = $1 AND p.link_id = k.id)
         GROUP BY k.reason ORDER BY k.reason"
    }
    PARKED_PUT (given: link uuid, verb text, reason text, next_try bigint) = {
        "INSERT INTO parked (clinic_id, link_id, list_id, verb, reason, tries, next_try, since)
         SELECT k.clinic_id, k.id, k.list_id, g.verb, g.reason, 1, g.next_try, $3
         FROM given g JOIN links k ON k.clinic_id = $2 AND k.id = g.link WHERE TRUE",
        parked_again!()
    }
    PARKED_AFTER (given: id uuid, reason text, next_try bigint) = {
        "INSERT INTO parked (clinic_id, link_id, list_id, verb, reason, tries, next_try, since)
         SELECT o.clinic_id, o.link_id, o.list_id, o.verb, g.reason, 1, g.next_try, $3
         FROM given g JOIN operations o ON o.clinic_id = $2 AND o.id = g.id WHERE TRUE",
        parked_again!()
    }
    PARKED_CLEAR (given: id uuid) = {
        "DELETE FROM parked WHERE clinic_id = $2 AND link_id IN (SELECT g.id FROM given g)"
    }
}

impl Store {
    /// Returns what is parked in the clinic, the longest waiting first.
    pub async fn parked_list(&self, clinic: ClinicId) -> Result<Vec<ParkedRow>> {
        let rows: Vec<ParkedColumns> = self.db.rows(PARKED_LIST, args![clinic]).await?;
        Ok(rows.into_iter().map(ParkedColumns::row).collect())
    }

    /// Returns a page of what is parked in the clinic, by link.
    pub async fn parked_page(
        &self,
        clinic: ClinicId,
        after: LinkId,
        limit: u32,
    ) -> Result<Vec<ParkedRow>> {
        let rows: Vec<ParkedColumns> =
            self.db.rows(PARKED_PAGE, args![clinic, after, limit]).await?;
        Ok(rows.into_iter().map(ParkedColumns::row).collect())
    }

    /// Has what is parked for the link tried again by the next run.
    pub async fn parked_retry(&self, clinic: ClinicId, link: LinkId) -> Result<()> {
        let args = args![clinic, link, self.clock.now()];
        self.parked_change(clinic, link, PARKED_RETRY, args).await
    }

    /// Has what is parked for the link not tried again; a removal is always tried (L26).
    pub async fn parked_dismiss(
        &self,
        clinic: ClinicId,
        link: LinkId,
        because: &Because,
    ) -> Result<()> {
        let why = format!("dismissed by an admin: {}", because.text());
        let args = args![clinic, link, self.clock.now() + NEVER, why];
        self.parked_change(clinic, link, PARKED_DISMISS, args).await
    }

    async fn parked_change(
        &self,
        clinic: ClinicId,
        link: LinkId,
        change: &'static Sql,
        args: Vec<Arg>,
    ) -> Result<()> {
        again!(self, {
            let mut tx = self.db.begin().await?;
            if tx.execute(change, args.clone()).await? == 0 {
                return Err(StoreError::Missing { what: "parked change that this can be said of" });
            }
            tx.execute(LINK_STALE, args![clinic, link]).await?;
            tx.commit().await
        })
    }

    /// Counts what is parked on the list by why: changes that were tried, then people about whom an
    /// admin must decide.
    pub async fn parked_because(&self, list: &ListRow) -> Result<Vec<ParkedBecause>> {
        let args = args![list.clinic, list.id];
        let tried: Vec<(Verb, String, i64, At)> = self.db.rows(PARKED_COUNTS, args.clone()).await?;
        let kept: Vec<(Reason, i64)> = self.db.rows(LINKS_PARKED_COUNTS, args).await?;
        let tried = tried.into_iter().map(|(verb, why, links, next_try)| ParkedBecause {
            verb: Some(verb),
            why,
            links: count(links),
            next_try: Some(next_try.into()),
        });
        let kept = kept.into_iter().map(|(reason, links)| ParkedBecause {
            verb: None,
            why: reason.sentence().to_owned(),
            links: count(links),
            next_try: None,
        });
        Ok(tried.chain(kept).collect())
    }

    /// Parks operations; one parked again counts a try more. Fenced.
    pub async fn parked_put(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        parks: &[(LinkId, Verb, Park)],
    ) -> Result<()> {
        let puts: Vec<_> =
            parks.iter().map(|(link, verb, park)| ParkPut::new(*link, *verb, park)).collect();
        let args = args![json(&puts)?, clinic, self.clock.now()];
        self.execute_under(lease, PARKED_PUT, args).await.map(drop)
    }

    /// Forgets what was parked for the links. Fenced.
    pub async fn parked_clear(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        links: &[LinkId],
    ) -> Result<()> {
        let rows = id_rows(links.iter().map(|id| id.0))?;
        self.execute_under(lease, PARKED_CLEAR, args![rows, clinic]).await.map(drop)
    }
}

impl ParkedColumns {
    fn row(self) -> ParkedRow {
        let parked = Parked {
            verb: self.verb,
            reason: self.reason,
            tries: u32::try_from(self.tries).unwrap_or(u32::MAX),
            next_try: self.next_try,
            since: self.since,
        };
        ParkedRow { list: self.list_id, link: self.link_id, parked }
    }
}
