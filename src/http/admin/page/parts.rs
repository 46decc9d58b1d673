//! What views are made of: times, states and changes in words.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};

use super::super::paging::Page;
use crate::domain::{Class, OptOutKind, Verb};
use crate::store::OpState;

/// An instant, by the wall clock of a clinic.
pub(super) fn when(at: DateTime<Utc>, zone: Tz) -> Markup {
    let local = at.with_timezone(&zone);
    html! {
        time datetime=(at.format("%Y-%m-%dT%H:%M:%SZ")) { (local.format("%-d %b %Y, %H:%M")) }
    }
}

/// An instant, or what there is instead.
pub(super) fn when_or(at: Option<DateTime<Utc>>, zone: Tz, none: &str) -> Markup {
    html! {
        @match at { Some(at) => (when(at, zone)), None => span.quiet { (none) } }
    }
}

/// How good or bad something is; colour only repeats what the words say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Wait,
    Bad,
    Plain,
}

impl Tone {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Wait => "wait",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }
}

/// A state, in words on its colour.
pub(super) fn badge(tone: Tone, words: &str) -> Markup {
    html! { span class={ "badge " (tone.word()) } { (words) } }
}

pub(super) const fn class_words(class: Class) -> &'static str {
    match class {
        Class::InStep => "in step",
        Class::Pending => "invited, not confirmed yet",
        Class::Due => "due at the next run",
        Class::Waiting => "waiting for the first approval",
        Class::Braked => "held by the brake",
        Class::Parked => "could not be changed yet",
        Class::Unproven => "without proof, held by policy",
        Class::Unknown => "unknown to the clinic",
        Class::CannotLeave => "cannot leave",
        Class::HeldButDropped => "held but dropped",
        Class::HeldWithoutBasis => "held without a basis",
    }
}

pub(super) const fn opt_out_words(kind: OptOutKind) -> &'static str {
    match kind {
        OptOutKind::Withdrawn => "consent withdrawn",
        OptOutKind::Erased => "erased",
        OptOutKind::Complained => "reported as spam",
        OptOutKind::Objected => "objected to direct marketing",
    }
}

/// Returns how a run ended, in words.
pub(super) fn outcome(word: Option<&str>) -> Markup {
    let (tone, words) = match word {
        None => (Tone::Wait, "under way"),
        Some("in_step") => (Tone::Good, "in step"),
        Some("busy") => (Tone::Plain, "another worker had it in hand"),
        Some("interrupted") => (Tone::Plain, "interrupted"),
        Some("waiting") => (Tone::Wait, "waits for approval"),
        Some("braked") => (Tone::Wait, "braked"),
        Some("parked_removals") => (Tone::Bad, "removals could not be made"),
        Some("failed") => (Tone::Bad, "failed"),
        Some(other) => (Tone::Plain, other),
    };
    badge(tone, words)
}

/// What a change does to a list, as a sign and in words.
pub(super) const fn verb(verb: Verb) -> (&'static str, &'static str) {
    match verb {
        Verb::Update => ("~", "update"),
        Verb::Invite => ("+", "invite"),
        Verb::Subscribe => ("+", "subscribe"),
        Verb::Unsubscribe => ("−", "unsubscribe"),
        Verb::Archive => ("−", "archive"),
        Verb::Erase => ("−", "erase"),
    }
}

/// Returns how far a change got, in words.
pub(super) const fn op_words(state: OpState) -> &'static str {
    match state {
        OpState::Planned => "planned",
        OpState::Waiting => "waits for approval",
        OpState::Braked => "held by the brake",
        OpState::Submitted => "sent",
        OpState::Acknowledged => "done",
        OpState::Doubtful => "in doubt",
        OpState::Refused => "refused",
        OpState::Superseded => "planned anew",
    }
}

pub(super) fn op_state(state: OpState) -> Markup {
    let tone = match state {
        OpState::Planned | OpState::Submitted | OpState::Superseded => Tone::Plain,
        OpState::Waiting | OpState::Braked | OpState::Doubtful => Tone::Wait,
        OpState::Acknowledged => Tone::Good,
        OpState::Refused => Tone::Bad,
    };
    badge(tone, op_words(state))
}

/// Leads to the next page of something, if there is one.
pub(super) fn further<T>(page: &Page<T>, path: &str) -> Markup {
    html! {
        @if let Some(next) = &page.next {
            p { a.button href={ (path) "?cursor=" (next) } { "Further" } }
        }
    }
}

/// A number with its noun.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
