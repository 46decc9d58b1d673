//! Reports: how many links stand where, list by list (L26), and one contact on all lists (L29).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::Store;
use super::columns::{MaybeAt, args, count};
use super::error::{Result, StoreError};
use super::facts::LinkRow;
use super::lists::ListRow;
use super::sql::statements;
use crate::domain::{Class, ClinicId, ContactId, ListId};

/// Where the links of one list stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListReport {
    /// The list.
    pub list: ListRow,
    /// How many links are in each class; a link never planned yet is due.
    pub classes: BTreeMap<Class, u64>,
    /// All of them.
    pub total: u64,
    /// Those that are on the list at the provider: subscribed or pending.
    pub members: u64,
    /// Removals that could not be made.
    pub parked_removals: u64,
    /// Operations that wait for the brake's release.
    pub braked: u64,
    /// Operations that wait for the first approval.
    pub waiting: u64,
}

statements! {
    REPORT_CLASSES = {
        "SELECT list_id, class, COUNT(*),
            COUNT(CASE WHEN status IN ('pending', 'subscribed') THEN 1 END)
         FROM links WHERE clinic_id = $1 GROUP BY list_id, class"
    }
    LIST_CLASSES = {
        "SELECT class, COUNT(*) FROM links WHERE clinic_id = $1 AND list_id = $2 GROUP BY class"
    }
    LISTS_TURNED = { "SELECT id, turned_at FROM lists WHERE clinic_id = $1 ORDER BY id" }
    REPORT_PARKED = {
        "SELECT list_id, COUNT(*) FROM parked
         WHERE clinic_id = $1 AND verb IN ('unsubscribe', 'archive', 'erase') GROUP BY list_id"
    }
    REPORT_OPT_OUT_WAITING = {
        "SELECT MIN(n.at) FROM (
            SELECT MIN(planned_at) AS at FROM operations
            WHERE clinic_id = $1 AND list_id = $2 AND verb = 'unsubscribe'
                AND state IN ('planned', 'waiting', 'braked', 'submitted')
            UNION ALL SELECT MIN(since) FROM parked
            WHERE clinic_id = $1 AND list_id = $2 AND verb = 'unsubscribe') n"
    }
    REPORT_HELD = {
        "SELECT list_id, COUNT(CASE WHEN state = 'braked' THEN 1 END),
            COUNT(CASE WHEN state = 'waiting' THEN 1 END)
         FROM operations
         WHERE clinic_id = $1 AND state IN ('planned', 'waiting', 'braked', 'submitted')
         GROUP BY list_id"
    }
}

impl Store {
    /// Counts the clinic's links by list and class.
    pub async fn report(&self, clinic: ClinicId) -> Result<Vec<ListReport>> {
        let classes: Vec<(ListId, Option<Class>, i64, i64)> =
            self.db.rows(REPORT_CLASSES, args![clinic]).await?;
        let parked: Vec<(ListId, i64)> = self.db.rows(REPORT_PARKED, args![clinic]).await?;
        let held: Vec<(ListId, i64, i64)> = self.db.rows(REPORT_HELD, args![clinic]).await?;
        let lists = self.lists(clinic).await?;
        Ok(lists
            .into_iter()
            .map(|list| {
                let of_list = || classes.iter().filter(|(id, ..)| *id == list.id);
                let members = of_list().map(|(.., there)| count(*there)).sum();
                let classes = by_class(of_list().map(|(_, class, links, _)| (*class, *links)));
                let parked = parked.iter().find(|(id, _)| *id == list.id);
                let held = held.iter().find(|(id, ..)| *id == list.id);
                ListReport {
                    total: classes.values().sum(),
                    members,
                    classes,
                    parked_removals: parked.map_or(0, |(_, links)| count(*links)),
                    braked: held.map_or(0, |(_, braked, _)| count(*braked)),
                    waiting: held.map_or(0, |(.., waiting)| count(*waiting)),
                    list,
                }
            })
            .collect())
    }

    /// Returns how many links of the list are in each class.
    pub async fn list_classes(&self, list: &ListRow) -> Result<BTreeMap<Class, u64>> {
        let classes: Vec<(Option<Class>, i64)> =
            self.db.rows(LIST_CLASSES, args![list.clinic, list.id]).await?;
        Ok(by_class(classes.into_iter()))
    }

    /// Returns when the clinic's lists last turned: until they do again, their links stand as they do.
    pub async fn lists_turned(
        &self,
        clinic: ClinicId,
    ) -> Result<Vec<(ListId, Option<DateTime<Utc>>)>> {
        let rows: Vec<(ListId, MaybeAt)> = self.db.rows(LISTS_TURNED, args![clinic]).await?;
        Ok(rows.into_iter().map(|(list, at)| (list, at.into())).collect())
    }

    /// Returns since when the oldest opt-out waits that has not reached the list at its provider.
    pub async fn opt_out_waiting_since(&self, list: &ListRow) -> Result<Option<DateTime<Utc>>> {
        let args = args![list.clinic, list.id];
        let oldest: Option<(MaybeAt,)> = self.db.row(REPORT_OPT_OUT_WAITING, args).await?;
        Ok(oldest.and_then(|(at,)| at.into()))
    }

    /// Returns the contact's links with their lists, for `explain`.
    pub async fn links_for_explain(
        &self,
        clinic: ClinicId,
        contact: ContactId,
    ) -> Result<Vec<(ListRow, LinkRow)>> {
        let lists = self.lists(clinic).await?;
        let links = self.links_of_contact(clinic, contact).await?;
        links
            .into_iter()
            .map(|link| {
                let list = lists.iter().find(|list| list.id == link.list_id).cloned();
                Ok((list.ok_or(StoreError::Corrupt { what: "link" })?, link))
            })
            .collect()
    }
}

/// Adds up links by class; one never planned yet is due.
fn by_class(counted: impl Iterator<Item = (Option<Class>, i64)>) -> BTreeMap<Class, u64> {
    let mut classes = BTreeMap::new();
    for (class, links) in counted {
        *classes.entry(class.unwrap_or(Class::Due)).or_default() += count(links);
    }
    classes
}
