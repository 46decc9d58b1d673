//! What the workspace was told since: texts people sent, texts that failed, suppressions in force,
//! and opt-outs people stated. So what a lost or paused webhook did not tell is learned all the same.

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::api::{Call, ROWS};
use super::wire::{Message, Page, Preference, Suppression};
use super::{Connection, delivery, webhook};
use crate::domain::{Address, MemberKey, Personal};
use crate::providers::http::Failure;
use crate::providers::{Notice, NoticePage, NoticeReader, PageCursor, ProviderError, Word};

/// How long after it was sent a text's fate may become known: the log goes by when it was sent.
const LATE: TimeDelta = TimeDelta::days(3);
/// How much later than it was made an opt-out may have reached Bird: the list goes by when it was
/// made.
const LATER: TimeDelta = TimeDelta::days(30);
/// Who states a wish other than the person.
const NOT_THE_PERSON: [&str; 3] = ["api_key", "user", "import"];

/// Reads what one workspace was told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) connection: Connection,
}

/// The lists there are, in the order they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Texts,
    Failures,
    Suppressions,
    Preferences,
}

const KINDS: [(Kind, &str); 4] = [
    (Kind::Texts, "texts"),
    (Kind::Failures, "failures"),
    (Kind::Suppressions, "suppressions"),
    (Kind::Preferences, "preferences"),
];

/// Where a page starts: a list, and Bird's own cursor in it; the first page has none.
fn place(cursor: Option<&PageCursor>) -> Option<(usize, &str)> {
    let Some(PageCursor(text)) = cursor else { return Some((0, "")) };
    let (name, rest) = text.split_once('/')?;
    Some((KINDS.iter().position(|(_, known)| *known == name)?, rest))
}

#[async_trait]
impl NoticeReader for Told {
    async fn notices(
        &self,
        since: Option<DateTime<Utc>>,
        cursor: Option<&PageCursor>,
    ) -> Result<NoticePage, ProviderError> {
        let (kind, after) = place(cursor)
            .ok_or(ProviderError::Unreadable { what: "a cursor of another provider" })?;
        let (notices, next) = match KINDS[kind].0 {
            Kind::Texts => self.texts(since, after).await,
            Kind::Failures => self.failures(since, after).await,
            Kind::Suppressions => self.suppressions(since, after).await,
            Kind::Preferences => self.preferences(after).await,
        }
        .map_err(Failure::of_account)?;
        let next = match next {
            Some(after) => Some(format!("{}/{after}", KINDS[kind].1)),
            None => KINDS.get(kind + 1).map(|(_, name)| format!("{name}/")),
        };
        Ok(NoticePage { notices, next: next.map(PageCursor) })
    }
}

type Read = Result<(Vec<Notice>, Option<String>), Failure>;

impl Told {
    async fn texts(&self, since: Option<DateTime<Utc>>, after: &str) -> Read {
        let sender = &self.connection.settings().sender;
        let call = messages(after, since).with("direction", "inbound").with("to", sender);
        let page: Page<Message> = self.connection.read(&call).await?;
        Ok((page.data.into_iter().map(reply).collect(), page.next_cursor))
    }

    async fn failures(&self, since: Option<DateTime<Utc>>, after: &str) -> Read {
        let sender = &self.connection.settings().sender;
        let call = messages(after, since.map(|since| since - LATE))
            .with("direction", "outbound")
            .with("from", sender)
            .with("status", "undelivered")
            .with("status", "failed")
            .with("status", "rejected")
            .with("status", "expired");
        let page: Page<Message> = self.connection.read(&call).await?;
        Ok((page.data.into_iter().map(failure).collect(), page.next_cursor))
    }

    /// Reads suppressions, the latest opt-out first; those of other senders as well, by name.
    async fn suppressions(&self, since: Option<DateTime<Utc>>, after: &str) -> Read {
        let call = paged(Call::get(&["sms", "suppressions"]), after);
        let page: Page<Suppression> = self.connection.read(&call).await?;
        let oldest = page.data.last().and_then(|last| last.effective_at);
        let reached = since.zip(oldest).is_some_and(|(since, oldest)| oldest < since - LATER);
        let next = page.next_cursor.filter(|_| !reached);
        Ok((page.data.into_iter().map(suppression).collect(), next))
    }

    /// Reads all statements each time: one that changed keeps its place in the list.
    async fn preferences(&self, after: &str) -> Read {
        let call = paged(Call::get(&["preferences"]), after).with("channel", "sms");
        let page: Page<Preference> = self.connection.read(&call).await?;
        let of_the_person = |one: &Preference| {
            one.status == "revoked" && !NOT_THE_PERSON.contains(&one.origin.as_str())
        };
        let own = page.data.into_iter().filter(of_the_person).map(preference).collect();
        Ok((own, page.next_cursor))
    }
}

fn messages(after: &str, since: Option<DateTime<Utc>>) -> Call {
    let call = paged(Call::get(&["sms", "messages"]), after);
    match since {
        Some(since) => {
            call.with("created_after", since.to_rfc3339_opts(SecondsFormat::Millis, true))
        }
        None => call,
    }
}

fn paged(call: Call, after: &str) -> Call {
    let call = call.with("limit", ROWS);
    if after.is_empty() { call } else { call.with("starting_after", after) }
}

fn reply(message: Message) -> Notice {
    let text = Personal::new(message.text.as_deref().unwrap_or_default());
    Notice {
        id: Some(message.id),
        at: message.created_at,
        list: None,
        sender: Some(message.to),
        address: Address::mobile(&message.from, None).ok(),
        member: None,
        word: Word::Replied { text, taken_for: None },
    }
}

fn failure(message: Message) -> Notice {
    let error = message.last_error.as_ref();
    Notice {
        id: Some(delivery::id(&message.id, &message.status)),
        at: error.and_then(|error| error.occurred_at).or(message.created_at),
        list: None,
        sender: Some(message.from),
        address: Address::mobile(&message.to, None).ok(),
        member: None,
        word: delivery::word(&message.status, error.map(|error| error.code.as_str())),
    }
}

fn suppression(one: Suppression) -> Notice {
    Notice {
        id: Some(one.id),
        at: one.effective_at,
        list: None,
        sender: Some(one.originator),
        address: Address::mobile(&one.destination, None).ok(),
        member: None,
        word: webhook::suppressed(&one.reason),
    }
}

fn preference(one: Preference) -> Notice {
    let at = one.effective_at.map(|at| at.timestamp_millis()).unwrap_or_default();
    Notice {
        id: Some(format!("{}:{at}", one.id)),
        at: one.effective_at,
        list: None,
        sender: one.sender_scope,
        address: Address::mobile(&one.handle, None).ok(),
        member: one.contact_id.map(MemberKey),
        word: Word::OptedOut { complained: false, evidence: Some(format!("statement {}", one.id)) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_journey_and_a_foreign_one_is_told() {
        let place = |text: &str| {
            let cursor = PageCursor(text.to_owned());
            place(Some(&cursor)).map(|(kind, rest)| (KINDS[kind].0, rest.to_owned()))
        };
        assert_eq!(place("suppressions/a/b=="), Some((Kind::Suppressions, "a/b==".to_owned())));
        assert_eq!(place("preferences/"), Some((Kind::Preferences, String::new())));
        for foreign in ["", "1000/3", "consents/2/", "texts"] {
            assert_eq!(place(foreign), None, "{foreign}");
        }
    }
}
