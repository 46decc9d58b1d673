//! What a provider tells of single contacts, by webhook or by its logs: the same words either way.
//!
//! A notice is a hint. Only a signed, unambiguous opt-out acts on its word; everything else is
//! read again at the provider before anybody acts on it (L17 to L19).

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{PageCursor, ProviderError};
use crate::domain::{Address, MemberKey, Personal};

/// One thing a provider tells of one contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What makes it the same when it is told twice: the provider's id of the message or event;
    /// none where it gives none, and the body it came in must do.
    pub id: Option<String>,
    /// When it happened, by the provider.
    pub at: Option<DateTime<Utc>>,
    /// The provider's id of the list it is about; none where it is about the whole account.
    pub list: Option<String>,
    /// The sender of ours it is about, as the account's settings name it.
    pub sender: Option<String>,
    /// The contact's address; none where it is not one that we accept at the door.
    pub address: Option<Address>,
    /// The provider's stable id of the member, where it gives one.
    pub member: Option<MemberKey>,
    /// What it says.
    pub word: Word,
}

impl Notice {
    /// Tells whether it is about the list `audience` that sends from `sender`: it names them, or
    /// neither.
    #[must_use]
    pub fn is_about(&self, audience: &str, sender: Option<&str>) -> bool {
        self.list.as_deref().is_none_or(|named| named == audience)
            && self.sender.as_deref().is_none_or(|named| Some(named) == sender)
    }
}

/// What a notice says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// The contact opted out, beyond doubt.
    OptedOut {
        /// Whether it was a spam report.
        complained: bool,
        /// How: a campaign, a keyword, a form. Never an address.
        evidence: Option<String>,
    },
    /// The provider holds an opt-out of the contact, and this does not say when it was made: one
    /// that is on record already, most often.
    HoldsOptOut {
        /// Whether it stands on a list that is read whole each time: it is named alike each time, and
        /// a second opt-out shows by its having been gone.
        listed: bool,
        /// Where it showed. Never an address.
        evidence: Option<String>,
    },
    /// The contact sent a text message.
    Replied {
        /// What it says.
        text: Personal,
        /// What the provider itself took it for, where it says.
        taken_for: Option<Keyword>,
    },
    /// A message could not be delivered.
    Undelivered {
        /// Whether trying again is no use: no such number, a landline.
        for_good: bool,
    },
    /// A message was delivered: the address works.
    Delivered,
    /// The contact's address was changed at the provider.
    Moved {
        /// The new one; none where it is not one that we accept at the door.
        to: Option<Address>,
    },
    /// Something about the member changed: read it again.
    Changed,
    /// Nothing about a contact. Kept, and not acted on.
    Other,
}

/// What a provider takes a text message for by its own keywords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// STOP and the like.
    Stop,
    /// START, UNSTOP, and at some providers YES.
    Start,
    /// HELP and the like.
    Help,
}

/// One page of notices.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NoticePage {
    /// The notices on it.
    pub notices: Vec<Notice>,
    /// Where the next page starts; none after the last.
    pub next: Option<PageCursor>,
}

/// Reads what an account was told since: inbound messages, opt-out lists, failed deliveries. So a
/// lost webhook heals.
#[async_trait]
pub trait NoticeReader: std::fmt::Debug + Send + Sync {
    /// Reads one page of what happened since; `None` as cursor asks for the first, as `since` for
    /// everything the provider still holds.
    async fn notices(
        &self,
        since: Option<DateTime<Utc>>,
        cursor: Option<&PageCursor>,
    ) -> Result<NoticePage, ProviderError>;

    /// Tells whether whoever stands on the provider's own lists of opt-outs is read each time.
    fn lists_opt_outs(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_senders_in_one_account_each_takes_only_its_own() {
        let named = |list: Option<&str>, sender: Option<&str>| Notice {
            id: None,
            at: None,
            list: list.map(str::to_owned),
            sender: sender.map(str::to_owned),
            address: None,
            member: None,
            word: Word::Changed,
        };
        for (notice, first, second) in [
            (named(None, Some("+447700900001")), true, false),
            (named(None, Some("+447700900002")), false, true),
            (named(None, Some("+447700900003")), false, false),
            (named(Some("a"), Some("+447700900001")), true, false),
            (named(Some("b"), Some("+447700900001")), false, false),
            (named(None, None), true, true),
        ] {
            assert_eq!(notice.is_about("a", Some("+447700900001")), first, "{notice:?}");
            assert_eq!(notice.is_about("b", Some("+447700900002")), second, "{notice:?}");
        }
        assert!(!named(None, Some("+447700900001")).is_about("a", None));
    }
}
