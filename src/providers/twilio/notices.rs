//! The message log, read again: so a lost webhook heals.
//!
//! The log is filtered by number and by day only (Twilio docs, Messages resource), so texts of
//! other senders of the account may be on a page; they are passed over. A page is newest first.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::api::Connection;
use super::{delivery, wire};
use crate::domain::{Address, Personal};
use crate::providers::http::Failure;
use crate::providers::{Notice, NoticePage, NoticeReader, PageCursor, ProviderError, Word};

/// Rows on a page, the most there are.
const PAGE: &str = "1000";
/// How long after it was sent a text's fate may become known: the log goes by the day it was sent.
const LATE: TimeDelta = TimeDelta::days(1);

/// The message log of one account.
#[derive(Debug)]
pub struct Log {
    pub connection: Connection,
}

#[async_trait]
impl NoticeReader for Log {
    async fn notices(
        &self,
        since: Option<DateTime<Utc>>,
        cursor: Option<&PageCursor>,
    ) -> Result<NoticePage, ProviderError> {
        let listed = cursor.map_or_else(|| self.starts(since).join(" "), |cursor| cursor.0.clone());
        let (target, rest) = listed.split_once(' ').unwrap_or((&listed, ""));
        let page: wire::Messages =
            self.connection.read(target).await.map_err(Failure::of_account)?;
        let next = match (page.next_page_uri.filter(|uri| !uri.is_empty()), rest) {
            (Some(uri), "") => Some(uri),
            (Some(uri), rest) => Some(format!("{uri} {rest}")),
            (None, "") => None,
            (None, rest) => Some(rest.to_owned()),
        };
        let notices = page.messages.iter().filter_map(|row| self.notice(row)).collect();
        Ok(NoticePage { notices, next: next.map(PageCursor) })
    }
}

impl Log {
    /// Where reading starts: a number's texts in, then out; or everything, as the log cannot be
    /// asked for a messaging service.
    fn starts(&self, since: Option<DateTime<Utc>>) -> Vec<String> {
        let day = since.map(|since| (since - LATE).format("%Y-%m-%d").to_string());
        let sender = self.connection.settings().sender.as_str();
        let start = |filter: Option<&'static str>| {
            let mut query = vec![("PageSize", PAGE)];
            query.extend(filter.map(|name| (name, sender)));
            query.extend(day.as_deref().map(|day| ("DateSent>", day)));
            self.connection.own("/Messages.json", &query)
        };
        if self.connection.settings().sends_by_service() {
            vec![start(None)]
        } else {
            vec![start(Some("To")), start(Some("From"))]
        }
    }

    fn notice(&self, row: &wire::Message) -> Option<Notice> {
        let inbound = row.direction == "inbound";
        let (ours, theirs) = if inbound { (&row.to, &row.from) } else { (&row.from, &row.to) };
        let sender = &self.connection.settings().sender;
        if ours.as_ref() != Some(sender) && row.messaging_service_sid.as_ref() != Some(sender) {
            return None;
        }
        let status = row.status.as_deref().unwrap_or_default();
        let (id, word, at) = if inbound {
            let text = Personal::new(row.body.as_deref().unwrap_or_default());
            let at = row.date_sent.as_ref().or(row.date_created.as_ref());
            (row.sid.clone(), Word::Replied { text, taken_for: None }, at)
        } else {
            let word = delivery::word(status, row.error_code, &row.sid);
            (delivery::id(&row.sid, status), word, row.date_updated.as_ref())
        };
        (word != Word::Other).then(|| Notice {
            id: Some(id),
            at: at.and_then(|text| DateTime::parse_from_rfc2822(text).ok()).map(|at| at.to_utc()),
            list: None,
            sender: Some(sender.clone()),
            address: theirs.as_deref().and_then(|text| Address::mobile(text, None).ok()),
            member: None,
            word,
        })
    }
}
