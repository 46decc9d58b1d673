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
    "dont want",
    "do not want",
    "leave me alone",
    "not interested",
    "wrong number",
    "cancel my",
    "unsubscribe please",
    "please unsubscribe",
];
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
    let padded = format!(" {whole} ");
    NO_MORE.iter().any(|phrase| {
        let found = padded.find(&format!(" {phrase} "));
        found.is_some_and(|at| {
            let before = padded[..at].rsplit(' ').next().unwrap_or_default();
            !TURNED.contains(&before)
        })
    })
}

/// Folds a message to small words with single spaces; apostrophes join what they are in.
fn words(text: &str) -> String {
    let text = text.to_lowercase().replace(['\'', '’', '`'], "");
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
    let in_time = invitation.is_open(at.unwrap_or(now), list.policy.invitation_expires);
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
        for text in ["STOP", "stop.", " Stop\n", "\"STOP\"", "Opt-Out", "STOP ALL", "ARRÊT", "end"]
        {
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
            "I do not want this",
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
        ] {
            assert_eq!(meaning(text), Meaning::Other, "{text:?}");
        }
    }
}
