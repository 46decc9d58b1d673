//! What the account was told since: the texts people sent, and who is on the consent lists.

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::api::Call;
use super::{Connection, numbers, webhook, wire};
use crate::providers::http::Failure;
use crate::providers::{Notice, NoticePage, NoticeReader, PageCursor, ProviderError, Word};

/// The most texts on one page.
const TEXTS: u64 = 100;
/// The most numbers on one page of a consent list.
const CONSENTS: &str = "50";
/// The consent lists that bar marketing.
const LISTS: [&str; 2] = ["OPT_OUT_ALL", "OPT_OUT_MARKETING"];
/// How far back everything goes: longer than the 14 days that Sinch keeps texts.
const EVERYTHING: TimeDelta = TimeDelta::days(30);

/// Reads what one account was told.
///
/// Texts come newest first, so one that arrives meanwhile shows another twice and hides none. A
/// consent list has no dates: it is read whole each time, and whoever is on it is named alike.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) connection: Connection,
}

/// Where a page starts.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// `texts/PAGE`
    Texts(u64),
    /// `consents/LIST/TOKEN`
    Consents(usize, String),
}

impl Place {
    fn at(cursor: Option<&PageCursor>) -> Option<Self> {
        let Some(PageCursor(text)) = cursor else { return Some(Self::Texts(0)) };
        let (kind, rest) = text.split_once('/')?;
        if kind == "texts" {
            return rest.parse().ok().map(Self::Texts);
        }
        let (list, token) = rest.split_once('/').filter(|_| kind == "consents")?;
        let list = list.parse().ok().filter(|list| *list < LISTS.len())?;
        Some(Self::Consents(list, token.to_owned()))
    }

    fn cursor(&self) -> PageCursor {
        PageCursor(match self {
            Self::Texts(page) => format!("texts/{page}"),
            Self::Consents(list, token) => format!("consents/{list}/{token}"),
        })
    }
}

#[async_trait]
impl NoticeReader for Told {
    async fn notices(
        &self,
        since: Option<DateTime<Utc>>,
        cursor: Option<&PageCursor>,
    ) -> Result<NoticePage, ProviderError> {
        let place = Place::at(cursor)
            .ok_or(ProviderError::Unreadable { what: "a cursor of another provider" })?;
        let (notices, next) = match place {
            Place::Texts(page) => self.texts(since, page).await?,
            Place::Consents(list, token) => self.consents(list, token).await?,
        };
        Ok(NoticePage { notices, next: next.map(|place| place.cursor()) })
    }

    fn lists_opt_outs(&self) -> bool {
        self.connection.has_consents()
    }
}

type Page = (Vec<Notice>, Option<Place>);

impl Told {
    /// Reads a page of texts; without a start Sinch would give the last day alone.
    async fn texts(&self, since: Option<DateTime<Utc>>, page: u64) -> Result<Page, ProviderError> {
        let since = since.unwrap_or_else(|| self.connection.clock().now() - EVERYTHING);
        let call = Call::get(&["inbounds"])
            .with("start_date", instant(since))
            .with("page", page.to_string())
            .with("page_size", TEXTS.to_string());
        let read: wire::Inbounds =
            self.connection.read(&call).await.map_err(Failure::of_account)?;
        let more = !read.inbounds.is_empty() && (page + 1) * TEXTS < read.count;
        let sender = &self.connection.settings().sender;
        let notices = read.inbounds.iter().map(|text| webhook::notice(text, sender)).collect();
        let consents = self.connection.has_consents().then(|| Place::Consents(0, String::new()));
        Ok((notices, if more { Some(Place::Texts(page + 1)) } else { consents }))
    }

    async fn consents(&self, list: usize, token: String) -> Result<Page, ProviderError> {
        let mut call = Call::consents(LISTS[list]).with("page_size", CONSENTS);
        if !token.is_empty() {
            call = call.with("page_token", token);
        }
        let read: wire::Consents =
            self.connection.read(&call).await.map_err(Failure::of_account)?;
        let notices = read.identities.iter().map(|one| opted_out(&one.identity, LISTS[list]));
        let next = if read.next_page_token.is_empty() {
            (list + 1 < LISTS.len()).then(|| Place::Consents(list + 1, String::new()))
        } else {
            Some(Place::Consents(list, read.next_page_token))
        };
        Ok((notices.collect(), next))
    }
}

/// An opt-out by Sinch's own list. Its id holds no number, and is the same each time it is read.
fn opted_out(identity: &str, list: &str) -> Notice {
    let address = numbers::address(identity);
    let key = address.as_ref().map_or_else(|| numbers::key_of(identity), numbers::key);
    Notice {
        id: Some(format!("{list}/{}", key.0)),
        at: None,
        list: None,
        sender: None,
        address,
        member: Some(key),
        word: Word::HoldsOptOut { listed: true, evidence: Some(format!("consent list {list}")) },
    }
}

/// Writes an instant as Sinch reads it.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_journey_and_a_foreign_one_is_told() {
        for place in [Place::Texts(7), Place::Consents(1, "a/b==".to_owned())] {
            assert_eq!(Place::at(Some(&place.cursor())), Some(place));
        }
        assert_eq!(Place::at(None), Some(Place::Texts(0)));
        for foreign in ["", "1000/3", "texts/x", "consents/2/", "other/1/a"] {
            assert_eq!(Place::at(Some(&PageCursor(foreign.to_owned()))), None, "{foreign}");
        }
    }

    #[test]
    fn who_is_on_a_consent_list_is_named_alike_each_time_and_never_by_number() {
        let notice = opted_out("447911123456", "OPT_OUT_ALL");
        assert_eq!(notice, opted_out("+447911123456", "OPT_OUT_ALL"));
        assert!(!notice.id.unwrap().contains("7911"));
        assert_eq!(opted_out("viber-user", "OPT_OUT_ALL").address, None);
    }
}
