//! What a change in the clinic's record teaches the ledger (L3 to L5).
//!
//! A record is compared with what it last said. The first `false` of a record is *not asked*; a
//! `false` after a `true` is a withdrawal.

use chrono::{DateTime, Utc};

use crate::domain::{
    Actor, Answer, Channel, Consent, Contacts, Draft, EventKind, OptOut, OptOutKind, Patient,
    PatientRecord, Said, Standing, TimeSource,
};

/// Where events of the clinic's record say they were learned.
pub const SOURCE: &str = "clinic record";

/// Returns what the ledger learns from a record that said `before`, or nothing yet.
///
/// `contacts` are those of the patient: a no binds where they are now, and where they may have been
/// still when they said it (L2, L8). `is_held` tells whether the ledger holds a no that we wrote back to
/// the record ([`holds_no`]).
#[must_use]
pub fn changes(
    before: Option<&Said>,
    patient: &Patient,
    contacts: &Contacts,
    is_held: impl Fn(Channel, &Consent) -> bool,
) -> Vec<Draft> {
    let record = &patient.record;
    let mut drafts = Vec::new();
    for channel in Channel::ALL {
        let old = before.map(|said| said.consent(*channel));
        let new = record.consent(*channel);
        if old == Some(new) {
            continue;
        }
        let echo = old.is_some_and(|old| is_echo(old, new)) && is_held(*channel, new);
        for mut draft in change(old, new, record.updated_at, echo) {
            draft.patient = Some(patient.id);
            draft.contact = contacts.on(*channel);
            draft.channel = (draft.kind != EventKind::Objected).then_some(*channel);
            draft.unique = unique(patient, &draft, *channel, record.updated_at);
            // It stood there no later than the record changed last, whatever its own time says.
            let said_at = draft.occurred_at.filter(|_| is_no(&draft));
            let said_at = said_at.map(|at| at.min(record.updated_at));
            let left = said_at.into_iter().flat_map(|at| contacts.left_since(*channel, at));
            drafts.extend(left.map(|left| Draft {
                contact: Some(left),
                unique: format!("{}/left/{left}", draft.unique),
                ..draft.clone()
            }));
            drafts.push(draft);
        }
    }
    if before.map_or(record.restricted, |said| said.restricted != record.restricted) {
        let kind = if record.restricted { EventKind::Restricted } else { EventKind::Unrestricted };
        let mut draft = Draft::new(kind, Actor::Clinic, TimeSource::Clinic, SOURCE);
        draft.patient = Some(patient.id);
        draft.occurred_at = Some(record.updated_at);
        draft.unique = unique(patient, &draft, Channel::Email, record.updated_at);
        drafts.push(draft);
    }
    drafts
}

/// The table: what the record said x what it says -> the events. An `echo` of ours is learned already.
fn change(
    old: Option<&Consent>,
    new: &Consent,
    updated_at: DateTime<Utc>,
    echo: bool,
) -> Vec<Draft> {
    let was = old.map(|consent| consent.answer);
    let said_yes = matches!(was, Some(Answer::Granted | Answer::SoftOptIn));
    let grant = |kind, actor, at| draft(kind, actor, new, at);
    match new.answer {
        Answer::Granted | Answer::SoftOptIn if old.is_some_and(|old| is_same_yes(old, new)) => {
            Vec::new()
        }
        Answer::Granted if new.is_explicit() => {
            vec![Draft { explicit: true, ..grant(EventKind::Granted, Actor::Person, new.at) }]
        }
        Answer::Granted if was.is_none() => vec![grant(EventKind::Granted, Actor::Clinic, None)],
        Answer::Granted if was == Some(Answer::Granted) => Vec::new(),
        Answer::Granted => vec![grant(EventKind::Granted, Actor::Clinic, Some(updated_at))],
        Answer::SoftOptIn => {
            let facts = new.soft_opt_in.is_complete();
            let lessened = was == Some(Answer::Granted) || (said_yes && !facts);
            let given = facts.then(|| grant(EventKind::SoftOptIn, Actor::Clinic, new.at));
            lessened.then(|| taken_back(old, new, updated_at)).into_iter().chain(given).collect()
        }
        Answer::Preferred => {
            let preferred = grant(EventKind::Preferred, Actor::Person, new.at);
            let lessened = said_yes.then(|| taken_back(old, new, updated_at));
            lessened.into_iter().chain([preferred]).collect()
        }
        Answer::NotAsked if said_yes => vec![taken_back(old, new, updated_at)],
        Answer::NotAsked => Vec::new(),
        Answer::Withdrawn | Answer::Objected if echo => Vec::new(),
        Answer::Withdrawn => vec![opt_out(EventKind::Withdrawn, old, new, updated_at)],
        Answer::Objected => vec![opt_out(EventKind::Objected, old, new, updated_at)],
    }
}

/// Tells a yes that is on record already and only comes to show its time: by a clock that was ahead it
/// had none when it was first read, and was given before that (L2). Nobody is asked upon it again (L3).
fn is_same_yes(old: &Consent, new: &Consent) -> bool {
    old.at.is_none() && *new == Consent { at: new.at, ..old.clone() }
}

/// The method under which the clinic keeps a no that we wrote back to it.
const WRITTEN_BACK: &str = "listwarden";

/// Tells a no that came from the ledger in the first place: it is learned once (L15), as long as the
/// ledger holds it.
///
/// Whatever we write has a time of its own. Another answer beside our method, and no later than what
/// stood beside it before, is not ours: the method was left over.
fn is_echo(old: &Consent, new: &Consent) -> bool {
    let left_over = old.method == new.method && old.answer != new.answer && new.at <= old.at;
    new.method.as_deref() == Some(WRITTEN_BACK) && !left_over
}

/// Tells whether a record has come to say what looks like a no of ours.
#[must_use]
pub fn echoes(before: Option<&Said>, record: &PatientRecord) -> bool {
    Channel::ALL.iter().any(|channel| {
        let (old, new) = (before.map(|said| said.consent(*channel)), record.consent(*channel));
        let no = matches!(new.answer, Answer::Withdrawn | Answer::Objected);
        no && old.is_some_and(|old| old != new && is_echo(old, new))
    })
}

/// Tells whether the ledger holds a no that we wrote back: one as late, or one that nothing lifted
/// since. A store that was put back lost what it learned after its backup, and the record is all that
/// still tells of it.
#[must_use]
pub fn holds_no(standing: &Standing, no: &Consent) -> bool {
    let as_strong = |known: &&OptOut| match no.answer {
        Answer::Objected => known.kind == OptOutKind::Objected,
        _ => known.kind != OptOutKind::Erased,
    };
    let as_late = |known: &OptOut| no.at.is_none_or(|at| known.at >= at);
    let lifted = |known: &OptOut| standing.grants.iter().any(|grant| grant.lifts(known));
    let mut known = standing.opt_outs.iter().filter(as_strong);
    known.any(|known| as_late(known) || !lifted(known))
}

/// A yes that the record no longer gives: the clinic's change, whatever evidence of the yes stands
/// beside it still.
fn taken_back(old: Option<&Consent>, new: &Consent, updated_at: DateTime<Utc>) -> Draft {
    draft(EventKind::Withdrawn, Actor::Clinic, new, Some(answered_at(old, new, updated_at)))
}

/// A no with a method of its own on record is the person's; a bare flag is the clinic's change.
fn opt_out(
    kind: EventKind,
    old: Option<&Consent>,
    new: &Consent,
    updated_at: DateTime<Utc>,
) -> Draft {
    let left_over = |old: &Consent| (&old.method, old.at) == (&new.method, new.at);
    let evident = new.method.is_some() && !old.is_some_and(left_over);
    let actor = if evident { Actor::Person } else { Actor::Clinic };
    draft(kind, actor, new, Some(answered_at(old, new, updated_at)))
}

/// When a no was given at the latest: a time left over from the answer before is not its own (L2).
fn answered_at(old: Option<&Consent>, new: &Consent, updated_at: DateTime<Utc>) -> DateTime<Utc> {
    let before = old.and_then(|consent| consent.at);
    new.at.filter(|at| before.is_none_or(|before| *at > before)).unwrap_or(updated_at)
}

fn draft(
    kind: EventKind,
    actor: Actor,
    consent: &Consent,
    occurred_at: Option<DateTime<Utc>>,
) -> Draft {
    let mut draft = Draft::new(kind, actor, TimeSource::Clinic, SOURCE);
    draft.method.clone_from(&consent.method);
    draft.wording.clone_from(&consent.wording);
    draft.purpose.clone_from(&consent.purpose);
    draft.evidence = consent.actor.as_ref().map(|actor| format!("taken down by {actor}"));
    draft.occurred_at = occurred_at;
    draft
}

fn unique(patient: &Patient, draft: &Draft, channel: Channel, updated_at: DateTime<Utc>) -> String {
    let at = draft.occurred_at.unwrap_or(updated_at).timestamp_millis();
    format!("record/{}/{channel}/{}/{at}", patient.id, draft.kind)
}

/// Tells whether the record withdraws by a bare flag: such changes in bulk wait for an admin (L23).
#[must_use]
pub fn withdraws_barely(before: Option<&Said>, record: &PatientRecord) -> bool {
    Channel::ALL.iter().any(|channel| {
        let old = before.map(|said| said.consent(*channel));
        let new = record.consent(*channel);
        let echo = old.is_some_and(|old| is_echo(old, new));
        old != Some(new)
            && change(old, new, record.updated_at, echo)
                .iter()
                .any(|draft| draft.actor == Actor::Clinic && is_no(draft))
    })
}

const fn is_no(draft: &Draft) -> bool {
    matches!(draft.kind, EventKind::Withdrawn | EventKind::Objected)
}
