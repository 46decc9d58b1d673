//! Opt-outs on their way: since when, on which lists, and how long it took until they were everywhere.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::arguments::Write;
use super::columns::{At, args, id_rows, json};
use super::db::again;
use super::error::Result;
use super::sql::statements;
use super::standings::Holdings;
use super::words::Counter;
use crate::domain::{ClinicId, ContactId, Event, EventKind, ListId};

/// Opt-outs that are looked at together.
const PAGE: u32 = 500;

#[derive(Serialize)]
struct SpreadingPut {
    contact: Uuid,
    seq: i64,
}

/// An opt-out has not reached a list while the contact is on it, as far as was seen, and a change is
/// still to be planned or made. A list that has ended is reached.
macro_rules! not_reached {
    () => {
        " k.clinic_id = s.clinic_id AND k.contact_id = s.contact_id
            AND k.status IN ('subscribed', 'pending') AND (k.stale OR k.urgent
                OR k.class IN ('due', 'waiting', 'braked', 'parked', 'held_but_dropped'))
            AND l.clinic_id = k.clinic_id AND l.id = k.list_id AND l.retired_at IS NULL "
    };
}

macro_rules! untold {
    () => {
        " EXISTS (SELECT 1 FROM feedback told
            WHERE told.clinic_id = s.clinic_id AND told.seq = s.seq AND told.done_at IS NULL) "
    };
}

statements! {
    // What is older is told to the clinic before.
    SPREADING_ADD (given: contact uuid, seq bigint) = {
        "INSERT INTO spreading (clinic_id, contact_id, seq, since)
         SELECT $2, contact, seq, $3 FROM given WHERE TRUE
         ON CONFLICT (clinic_id, contact_id) DO UPDATE SET seq = excluded.seq"
    }
    SPREADING_OVER = {
        "SELECT s.contact_id FROM spreading s
         WHERE s.clinic_id = $1 AND NOT ", untold!(), "
            AND NOT EXISTS (SELECT 1 FROM links k, lists l WHERE ", not_reached!(), ")
         LIMIT $2"
    }
    SPREADING_END (given: id uuid) = {
        "DELETE FROM spreading WHERE clinic_id = $2 AND contact_id IN (SELECT id FROM given)
         RETURNING since"
    }
    SPREADING_ON_LISTS = {
        "SELECT k.clinic_id, k.list_id, MIN(s.since) FROM spreading s, links k, lists l
         WHERE ", not_reached!(), " GROUP BY k.clinic_id, k.list_id"
    }
    SPREADING_UNTOLD = {
        "SELECT s.clinic_id, MIN(s.since) FROM spreading s WHERE ", untold!(), " GROUP BY s.clinic_id"
    }
}

/// Returns what follows the opt-outs among `events`, the first of which is line `first`.
pub(super) fn spreading(
    clinic: ClinicId,
    first: i64,
    events: &[Event],
    holdings: &Holdings,
    now: DateTime<Utc>,
) -> Result<Option<Write>> {
    let opt_outs = (first..).zip(events).filter(|(_, event)| is_opt_out(event));
    let newest: BTreeMap<ContactId, i64> = opt_outs
        .flat_map(|(seq, event)| holdings.touches(event).into_iter().map(move |of| (of, seq)))
        .collect();
    if newest.is_empty() {
        return Ok(None);
    }
    let puts = newest.into_iter().map(|(contact, seq)| SpreadingPut { contact: contact.0, seq });
    let rows = json(&puts.collect::<Vec<_>>())?;
    Ok(Some((SPREADING_ADD, args![rows, clinic, now])))
}

fn is_opt_out(event: &Event) -> bool {
    let kind = event.draft.kind;
    matches!(kind, EventKind::Withdrawn | EventKind::Objected | EventKind::Complained)
}

impl Store {
    /// Lets go of the clinic's opt-outs that are everywhere now, and counts how long each took.
    pub async fn spreading_over(&self, clinic: ClinicId) -> Result<()> {
        loop {
            let over: Vec<(ContactId,)> = self.db.rows(SPREADING_OVER, args![clinic, PAGE]).await?;
            if over.is_empty() {
                return Ok(());
            }
            let args = args![id_rows(over.iter().map(|(contact,)| contact.0))?, clinic];
            let ended: Vec<(At,)> = again!(self, {
                let mut tx = self.db.begin().await?;
                let ended = tx.rows(SPREADING_END, args.clone()).await?;
                tx.commit().await?;
                Ok(ended)
            })?;
            let now = self.clock.now();
            self.counts(|tally| {
                for (since,) in ended {
                    let took = now - DateTime::<Utc>::from(since);
                    let took = took.to_std().unwrap_or_default();
                    tally.observe(Counter::Propagation, "", took);
                }
            });
        }
    }

    /// Returns since when the oldest opt-out waits to be on a list, for each list that some wait for.
    pub async fn spreading_on_lists(&self) -> Result<Vec<(ListId, DateTime<Utc>)>> {
        let rows: Vec<(ClinicId, ListId, At)> = self.db.rows(SPREADING_ON_LISTS, args![]).await?;
        Ok(rows.into_iter().map(|(_, list, since)| (list, since.into())).collect())
    }

    /// Returns since when the oldest opt-out waits to be in the clinic's own record, for each clinic.
    pub async fn spreading_untold(&self) -> Result<Vec<(ClinicId, DateTime<Utc>)>> {
        let rows: Vec<(ClinicId, At)> = self.db.rows(SPREADING_UNTOLD, args![]).await?;
        Ok(rows.into_iter().map(|(clinic, since)| (clinic, since.into())).collect())
    }
}
