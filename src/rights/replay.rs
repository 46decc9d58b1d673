//! The past of one link, replayed: when it was listed, and when the law would have had it so.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::{
    Actor, ContactFacts, Event, EventKind, PatientStatus, Policy, Reason, Selector, Standing, Verb,
};
use crate::plan::{Verdict, judge};
use crate::store::{LinkChange, LinkRow, OpState};

/// A time in which somebody was listed without a basis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Stretch {
    /// From when on; none where it began before anything was known of it.
    pub from: Option<DateTime<Utc>>,
    /// Until when; none while it lasts.
    pub until: Option<DateTime<Utc>>,
    /// Every reason.
    pub reasons: Vec<Reason>,
}

impl Stretch {
    /// Cuts it to a window; none where they do not meet.
    #[must_use]
    pub fn within(self, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Option<Self> {
        let ended_before = self.until.zip(from).is_some_and(|(until, from)| until <= from);
        let began_after = self.from.zip(to).is_some_and(|(began, to)| began >= to);
        (!ended_before && !began_after).then_some(self)
    }
}

/// Returns when the link was listed without a basis, in order.
///
/// `events` are in the order of writing, `changes` in the order they were made. The selector is left
/// out: whom a list is meant for is no question of a basis.
#[must_use]
pub fn replay(
    row: &LinkRow,
    events: &[&Event],
    changes: &[&LinkChange],
    policy: &Policy,
    now: DateTime<Utc>,
) -> Vec<Stretch> {
    let policy = Policy { selector: Selector::default(), ..policy.clone() };
    let dropped_at = dropped_at(row, changes);
    let mut found: Vec<Stretch> = Vec::new();
    for (from, until) in listed(row, events, changes) {
        let mut turns = turns(row, events, dropped_at);
        turns.retain(|at| from.is_none_or(|from| *at > from) && until.is_none_or(|u| *at < u));
        turns.retain(|at| *at <= now);
        let begins = std::iter::once(from).chain(turns.iter().copied().map(Some));
        let ends = turns.iter().copied().map(Some).chain([until]);
        for (from, until) in begins.zip(ends) {
            let at = from.or_else(|| first(events)).unwrap_or(now);
            let facts = facts_at(row, events, dropped_at, at);
            let Some(reasons) = barred(&facts, &policy, at) else { continue };
            match found.last_mut() {
                Some(last) if last.until == from && last.reasons == reasons => last.until = until,
                _ => found.push(Stretch { from, until, reasons }),
            }
        }
    }
    found
}

fn first(events: &[&Event]) -> Option<DateTime<Utc>> {
    events.iter().map(|event| counts_at(event)).min()
}

/// Returns why nobody wants the contact on the list; none where somebody does.
fn barred(facts: &ContactFacts, policy: &Policy, at: DateTime<Utc>) -> Option<Vec<Reason>> {
    match judge(facts, policy, at) {
        Verdict::Wanted(_) => None,
        Verdict::Barred { reasons, .. } | Verdict::Dropped { reasons } => Some(reasons),
        Verdict::Unknown { suppressed: None } => Some(vec![Reason::UnknownMember]),
        Verdict::Unknown { suppressed: Some(_) } => Some(vec![Reason::UnknownSuppressed]),
    }
}

/// From when, if that is known, until when, if it ended.
type Span = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Returns from when to when marketing could reach the member there.
fn listed(row: &LinkRow, events: &[&Event], changes: &[&LinkChange]) -> Vec<Span> {
    let mut turns: Vec<(DateTime<Utc>, bool)> = Vec::new();
    for change in changes.iter().filter(|change| change.state == OpState::Acknowledged) {
        let on = match change.verb {
            Verb::Invite | Verb::Subscribe => true,
            Verb::Unsubscribe | Verb::Archive | Verb::Erase => false,
            Verb::Update => continue,
        };
        turns.extend(change.settled_at.map(|at| (at, on)));
    }
    for event in events.iter().filter(|event| event.draft.list == Some(row.list_id)) {
        match event.draft.kind {
            EventKind::Confirmed => turns.push((counts_at(event), true)),
            EventKind::Withdrawn | EventKind::Complained => turns.push((counts_at(event), false)),
            _ => {}
        }
    }
    if let Some(observed) = &row.link.observed {
        let entered = [observed.signed_up_at, observed.opted_in_at];
        turns.extend(entered.into_iter().flatten().map(|at| (at, true)));
        turns
            .push((observed.last_changed.unwrap_or(observed.seen_at), observed.status.is_listed()));
    }
    // Of two at the same time the one that takes off comes last.
    turns.sort_by_key(|(at, on)| (*at, !on));
    let mut stretches = Vec::new();
    let mut since: Option<Option<DateTime<Utc>>> = match turns.first() {
        // Taken off before it was ever seen put on: it was there before anything was known.
        Some((_, false)) if was_there_before(row, changes) => Some(None),
        _ => None,
    };
    for (at, on) in turns {
        match (since, on) {
            (None, true) => since = Some(Some(at)),
            (Some(from), false) => {
                stretches.push((from, Some(at)));
                since = None;
            }
            _ => {}
        }
    }
    let listed_now = row.link.observed.as_ref().is_some_and(|o| o.status.is_listed());
    stretches.extend(since.filter(|_| listed_now).map(|from| (from, None)));
    stretches
}

/// Tells whether the first change known of a link took off somebody who was listed.
fn was_there_before(row: &LinkRow, changes: &[&LinkChange]) -> bool {
    let ours = changes.iter().any(|change| change.verb.removes());
    ours && row.link.invitation.is_none()
}

/// Returns when something about the contact's basis turned.
fn turns(
    row: &LinkRow,
    events: &[&Event],
    dropped_at: Option<DateTime<Utc>>,
) -> Vec<DateTime<Utc>> {
    let records = row.facts.holders.iter().map(|holder| holder.patient.record.updated_at);
    let told = events.iter().map(|event| counts_at(event));
    let turns: BTreeSet<_> = told.chain(records).chain(dropped_at).collect();
    turns.into_iter().collect()
}

/// When an event counts from: a no from its latest, anything else from its earliest (L2).
fn counts_at(event: &Event) -> DateTime<Utc> {
    match event.draft.kind {
        EventKind::Withdrawn
        | EventKind::Objected
        | EventKind::Complained
        | EventKind::Erased
        | EventKind::Restricted => event.as_opt_out().0,
        _ => event.as_grant().unwrap_or(event.recorded_at),
    }
}

/// When the contact was dropped at the latest: the record says when it was last changed, and the
/// journal when we first planned to take the contact off for it.
fn dropped_at(row: &LinkRow, changes: &[&LinkChange]) -> Option<DateTime<Utc>> {
    let holders = || row.facts.holders.iter();
    let active = holders().any(|h| h.holds_now && h.patient.record.status == PatientStatus::Active);
    if active || row.facts.holders.is_empty() {
        return None;
    }
    let left = holders().map(|holder| holder.patient.record.updated_at).max();
    let planned = changes.iter().filter(|change| is_dropping(change.reason));
    planned.map(|change| change.planned_at).chain(left).min()
}

const fn is_dropping(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::PatientArchived
            | Reason::PatientMerged
            | Reason::PatientDeceased
            | Reason::PatientDeleted
            | Reason::PatientVanished
            | Reason::AddressGone
    )
}

/// Returns what was known of the contact at `at`, as far as it can be told now: a record is as it
/// was last read, from its last change on.
fn facts_at(
    row: &LinkRow,
    events: &[&Event],
    dropped_at: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
) -> ContactFacts {
    let known: Vec<&&Event> = events.iter().filter(|event| counts_at(event) <= at).collect();
    let mut facts = row.facts.clone();
    let holders: Vec<_> = facts.holders.iter().map(|holder| holder.patient.id).collect();
    if let Some(contact) = &mut facts.contact {
        contact.standing = Standing::default();
        for event in &known {
            let everywhere = event.draft.channel.is_none()
                && event.draft.patient.is_some_and(|patient| holders.contains(&patient));
            let here = event.draft.contact == Some(contact.id) || everywhere;
            if here && !event.is_of_patient_alone() {
                contact.standing.apply(event);
            }
        }
    }
    for holder in &mut facts.holders {
        let patient = holder.patient.id;
        holder.standing = Standing::default();
        let binds =
            |event: &Event| event.draft.patient == Some(patient) || event.binds.contains(&patient);
        let on_channel =
            |event: &Event| event.draft.channel.is_none_or(|channel| channel == row.channel);
        let theirs = known.iter().filter(|event| binds(event) && on_channel(event));
        for event in theirs.filter(|event| event.draft.kind != EventKind::Bounced) {
            holder.standing.apply(event);
        }
        let record = &mut holder.patient.record;
        let said = known.iter().rev().find(|event| {
            binds(event)
                && event.draft.actor == Actor::Clinic
                && matches!(event.draft.kind, EventKind::Restricted | EventKind::Unrestricted)
        });
        record.restricted = said.is_some_and(|event| event.draft.kind == EventKind::Restricted);
        let as_read = at >= record.updated_at;
        if !as_read {
            record.privacy_policy = None;
            holder.withdrawn_in_record = false;
        }
        if dropped_at.is_some_and(|dropped| at < dropped) {
            record.status = PatientStatus::Active;
            holder.holds_now = true;
        }
    }
    facts
}
