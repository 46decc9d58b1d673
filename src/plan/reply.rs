//! Replies by text: what the words mean, and whether they confirm an invitation of ours.
//!
//! Source of the keywords: Twilio, Telnyx and AWS documentation; of plain language: 47 CFR
//! 64.1200(a)(10), any reasonable means of saying no counts.

use chrono::{DateTime, Utc};

use super::{Adoption, ListFacts, Verdict, judge};
use crate::domain::{
    Actor, ContactFacts, Draft, EventKind, Invitation, Link, MemberStatus, TimeSource,
};

/// What a reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// No more messages.
    OptOut {
        /// Whether it was said in other words than a keyword: it counts at once, and somebody
        /// should look at it.
        own_words: bool,
    },
    /// Yes, if it was asked for.
    Yes,
    /// A question for help.
    Help,
    /// Anything else, START and its like among them: it restores nothing.
    Other,
}

/// Whole messages that say no.
const OUT: &[&str] = &[
    "stop",
    "stopall",
    "stop all",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "revoke",
    "optout",
    "opt out",
    "remove",
    "arret",
    "arrêt",
    "td",
];
/// Whole messages that say yes.
const YES: &[&str] = &["yes", "y", "yes please", "yes thanks", "yes thank you"];
/// Whole messages that ask for help.
const HELP: &[&str] = &["help", "info", "aide"];
/// Words within a message that say no.
const NO_MORE: &[&str] = &[
    "please stop",
    "just stop",
    "stop please",
    "stop texting",
    "stop messaging",
    "stop sending",
    "stop contacting",
    "stop it",
    "stop this",
    "stop these",
    "stop the",
    "stop all",
    "stop your",
    "stop now",
    "stop marketing",
    "stop sms",
    "stop texts",
    "stop messages",
    "unsubscribe me",
    "opt out",
    "opt me out",
    "remove me",
    "remove my number",
    "take me off",
    "no more",
    "dont text",
    "do not text",
    "dont message",
    "do not message",
    "dont contact",
    "do not contact",
    "dont send",
    "do not send",
    "dont want these",
    "dont want any",
    "dont want texts",
    "dont want messages",
    "dont want your",
    "do not want these",
    "do not want any",
    "do not want texts",
    "do not want messages",
    "do not want your",
    "stop receiving",
    "leave me alone",
    "not interested",
    "wrong number",
    "unsubscribe please",
    "please unsubscribe",
];
/// A first word that says no, whatever comes behind it …
const FIRST: &[&str] = &["stop", "stopall", "unsubscribe", "optout", "arret", "arrêt"];
/// … except where it is about a visit.
const VISITS: &[&str] = &["by", "in", "over", "at", "off"];
/// Words before it that turn it round.
const TURNED: &[&str] = &["dont", "not", "never"];

/// Tells what a message means: trimmed, folded, without punctuation.
///
/// ```
/// use listwarden::plan::reply::{Meaning, meaning};
/// assert_eq!(meaning(" Stop! "), Meaning::OptOut { own_words: false });
/// assert_eq!(meaning("Please stop texting me"), Meaning::OptOut { own_words: true });
/// assert_eq!(meaning("START"), Meaning::Other);
/// ```
#[must_use]
pub fn meaning(text: &str) -> Meaning {
    let words = words(text);
    let whole = words.as_str();
    if OUT.contains(&whole) {
        return Meaning::OptOut { own_words: false };
    }
    if YES.contains(&whole) {
        return Meaning::Yes;
    }
    if HELP.contains(&whole) {
        return Meaning::Help;
    }
    if says_no(whole) { Meaning::OptOut { own_words: true } } else { Meaning::Other }
}

fn says_no(whole: &str) -> bool {
    let mut words = whole.split(' ');
    let first = words.next().is_some_and(|word| FIRST.contains(&word));
    if first && words.next().is_none_or(|next| !VISITS.contains(&next)) {
        return true;
    }
    let padded = format!(" {whole} ");
    NO_MORE.iter().any(|phrase| {
        let phrase = format!(" {phrase} ");
        let mut found = padded.match_indices(&phrase);
        found.any(|(at, _)| {
            let before = padded[..at].rsplit(' ').next().unwrap_or_default();
            !TURNED.contains(&before)
        })
    })
}

/// Folds a message to small words with single spaces; apostrophes join what they are in.
fn words(text: &str) -> String {
    // An accent of its own belongs to the letter before it.
    let text = text.to_lowercase().replace(['\'', '’', '`', '\u{301}', '\u{302}', '\u{fe0f}'], "");
    let spaced: String = text.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a YES leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Answered {
    /// It confirms the invitation.
    Confirmed(Box<Draft>, Adoption),
    /// It came after the invitation was voided, had lapsed, or the contact was not wanted any more:
    /// it restores nothing (L12).
    TooLate(Adoption),
    /// Nobody asked.
    Unasked,
}

/// Judges a YES from the contact to the list's sender (L10, L12).
///
/// `at` is when it was sent, as far as known; `evidence` names the message.
#[must_use]
pub fn answer(
    facts: &ContactFacts,
    link: &Link,
    list: &ListFacts<'_>,
    at: Option<DateTime<Utc>>,
    evidence: Option<&str>,
    now: DateTime<Utc>,
) -> Answered {
    let Some((contact, invitation)) = facts.contact.as_ref().zip(link.invitation.as_ref()) else {
        return Answered::Unasked;
    };
    if invitation.confirmed || list.policy.asking.is_none() {
        return Answered::Unasked;
    }
    let waits = link.observed.as_ref().is_some_and(|o| o.status == MemberStatus::Pending);
    // Without a time of its own it may be of any day (L2).
    let in_time = at.is_some_and(|at| invitation.is_open(at, list.policy.invitation_expires));
    if !waits || !in_time {
        return Answered::TooLate(Adoption::default());
    }
    if !matches!(judge(facts, list.policy, now), Verdict::Wanted(_)) {
        let voided = Invitation { voided: true, ..invitation.clone() };
        return Answered::TooLate(Adoption { invitation: Some(voided), ..Adoption::default() });
    }
    let mut draft =
        Draft::new(EventKind::Confirmed, Actor::Person, TimeSource::Provider, list.slug);
    draft.channel = Some(contact.channel);
    draft.contact = Some(contact.id);
    draft.list = Some(list.id);
    draft.method = Some("replied YES to the invitation".to_owned());
    draft.wording.clone_from(&invitation.wording);
    draft.evidence = evidence.map(ToOwned::to_owned);
    draft.occurred_at = at;
    draft.unique = format!("{}/{}/{}", link.id, draft.kind, invitation.sent_at.timestamp_millis());
    let confirmed = Invitation { confirmed: true, ..invitation.clone() };
    let adoption = Adoption { invitation: Some(confirmed), ..Adoption::default() };
    Answered::Confirmed(Box::new(draft), adoption)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_count_whatever_their_dress() {
        for text in [
            "STOP",
            "stop.",
            " Stop\n",
            "\"STOP\"",
            "Opt-Out",
            "STOP ALL",
            "ARRE\u{302}T",
            "ARRÊT",
            "end",
        ] {
            assert_eq!(meaning(text), Meaning::OptOut { own_words: false }, "{text:?}");
        }
        for text in ["YES", "yes!", "Y", "Yes, please"] {
            assert_eq!(meaning(text), Meaning::Yes, "{text:?}");
        }
        for text in ["HELP", "info?"] {
            assert_eq!(meaning(text), Meaning::Help, "{text:?}");
        }
    }

    #[test]
    fn plain_language_says_no_as_well() {
        for text in [
            "please stop texting me",
            "No more!",
            "Stop these messages, thank you",
            "can you take me off your list",
            "Don’t contact me again",
            "I do not want these texts",
            "stop thanks",
            "STOP STOP",
            "Stop - Jane",
            "unsubscribe from this",
            "don't stop texting Bob, but please stop texting me",
            "wrong number",
        ] {
            assert_eq!(meaning(text), Meaning::OptOut { own_words: true }, "{text:?}");
        }
    }

    #[test]
    fn what_restores_or_says_nothing_is_neither_yes_nor_no() {
        for text in [
            "",
            "START",
            "UNSTOP",
            "yes but which clinic is this?",
            "don't stop texting me",
            "Can I stop by tomorrow?",
            "see you at the end of the week",
            "ok",
            "1",
            "please cancel my appointment",
            "I don't want to miss it",
        ] {
            assert_eq!(meaning(text), Meaning::Other, "{text:?}");
        }
    }
}
