//! Reading: the account, the audience, pages of members, and single members.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures::future::{join, try_join_all};
use serde::de::IgnoredAny;

use super::api::{Call, parse};
use super::batches::{Answer, Report};
use super::wire::{self, RawMember};
use super::{Connection, Mailchimp, hash};
use crate::domain::{Address, MemberKey};
use crate::providers::http::Failure;
use crate::providers::{
    Account, Audience, Member, MemberPage, PageCursor, ProviderError, RequiredField, Scope,
};

/// The most members one page may hold.
const PAGE: u64 = 1_000;
/// What we read of a member (L25); merge fields and tags are added as asked for.
const FIELDS: &[&str] = &[
    "contact_id",
    "id",
    "email_address",
    "status",
    "last_changed",
    "timestamp_signup",
    "timestamp_opt",
    "source",
    "unsubscribe_reason",
];

impl Connection {
    pub(super) async fn read_lists(&self) -> Result<Vec<(String, String)>, ProviderError> {
        let call = Call::get(&["lists"])
            .with("count", PAGE.to_string())
            .with("fields", "lists.id,lists.name");
        let lists: wire::Lists = self.read(&call).await.map_err(Failure::of_account)?;
        Ok(lists.lists.into_iter().map(|list| (list.id, list.name)).collect())
    }
}

impl Mailchimp {
    pub(super) async fn read_account(&self) -> Result<Account, ProviderError> {
        let call = Call::get(&[""]).with("fields", "account_id");
        let root: wire::Root = self.connection.read(&call).await.map_err(Failure::of_account)?;
        Ok(Account { id: root.account_id, region: self.connection.region().map(str::to_owned) })
    }

    pub(super) async fn read_audience(&self) -> Result<Audience, ProviderError> {
        let list = Call::get(&["lists", &self.list]).with("fields", "id,name,double_optin");
        let fields = Call::get(&["lists", &self.list, "merge-fields"])
            .with("count", PAGE.to_string())
            .with("fields", "merge_fields.tag,merge_fields.required");
        let (list, fields) = join(
            self.connection.read::<wire::List>(&list),
            self.connection.read::<wire::MergeFields>(&fields),
        )
        .await;
        let (list, fields) = (list.map_err(Failure::of_list)?, fields.map_err(Failure::of_list)?);
        let field = |f: wire::MergeField| RequiredField { field: f.tag, required: f.required };
        Ok(Audience {
            id: list.id,
            name: list.name,
            double_opt_in: list.double_optin,
            fields: fields.merge_fields.into_iter().map(field).collect(),
        })
    }

    pub(super) async fn read_page(
        &self,
        scope: &Scope,
        cursor: Option<&PageCursor>,
    ) -> Result<MemberPage, ProviderError> {
        let place = Place::at(cursor)?;
        let call = self.page_call(scope, place.offset);
        let page: wire::Members = self.connection.read(&call).await.map_err(Failure::of_list)?;
        let members = page.members.into_iter().map(|raw| raw.into_member(&scope.fields));
        Ok(MemberPage {
            members: members.collect::<Result<_, _>>()?,
            total: page.total_items,
            next: place.further(page.total_items),
        })
    }

    /// Sorted by `timestamp_opt`, which drifts least: it moves only when somebody enters or
    /// confirms, and then towards the end. `last_changed` moves with every campaign and tag, and
    /// each move shifts one member across a page's edge, unseen. Without a status the listing
    /// holds everybody but the archived.
    fn page_call(&self, scope: &Scope, offset: u64) -> Call {
        let mut fields = member_fields("members.", &scope.fields, scope.tags);
        fields.push("total_items".to_owned());
        let mut call = Call::get(&["lists", &self.list, "members"])
            .with("count", PAGE.to_string())
            .with("offset", offset.to_string())
            .with("sort_field", "timestamp_opt")
            .with("sort_dir", "ASC")
            .with("fields", fields.join(","));
        if scope.archived {
            call = call.with("status", "archived");
        }
        match scope.changed_since {
            Some(since) => call.with("since_last_changed", wire::seconds(recent(since))),
            None => call,
        }
    }

    pub(super) async fn read_by_address(
        &self,
        address: &Address,
    ) -> Result<Option<Member>, ProviderError> {
        self.member(&hash(address)).await
    }

    /// Reads members by id: one by one at the same time, or as a job where they are many.
    ///
    /// A member that is not there and a list that is not there answer alike, and a key that was swapped
    /// opens an account without the list: nobody is absent before the list was found.
    pub(super) async fn read_members(
        &self,
        keys: &[MemberKey],
    ) -> Result<Vec<Option<Member>>, ProviderError> {
        let members = if keys.len() >= self.connection.settings().single_call_limit.max(1) {
            self.members_by_job(keys).await?
        } else {
            try_join_all(keys.iter().map(|key| self.member(&key.0))).await?
        };
        if members.iter().any(Option::is_none) {
            let list = Call::get(&["lists", &self.list]).with("fields", "id");
            self.connection.read::<IgnoredAny>(&list).await.map_err(Failure::of_list)?;
        }
        Ok(members)
    }

    async fn member(&self, id: &str) -> Result<Option<Member>, ProviderError> {
        let raw = self.raw_member(id).await?;
        raw.map(|raw| raw.into_member(&self.fields)).transpose()
    }

    /// Reads one member; a 404 here means that there is none.
    pub(super) async fn raw_member(&self, id: &str) -> Result<Option<RawMember>, ProviderError> {
        match self.connection.read(&self.member_call(id)).await {
            Ok(raw) => Ok(Some(raw)),
            Err(Failure::NotFound) => Ok(None),
            Err(failure) => Err(failure.of_account()),
        }
    }

    fn member_call(&self, id: &str) -> Call {
        let fields = member_fields("", &self.fields, self.tags).join(",");
        Call::get(&["lists", &self.list, "members", id]).with("fields", fields)
    }

    /// What the job does not answer, or answers with anything but the member or its absence, is
    /// read singly: silence must never pass for absence.
    async fn members_by_job(
        &self,
        keys: &[MemberKey],
    ) -> Result<Vec<Option<Member>>, ProviderError> {
        let calls = keys.iter().enumerate();
        let calls = calls.map(|(at, key)| (at.to_string(), self.member_call(&key.0)));
        let calls: Vec<_> = calls.collect();
        let report = self.connection.batch_read(&calls).await?;
        let answers = keys.iter().enumerate().map(|(at, key)| self.answered(&report, at, key));
        try_join_all(answers).await
    }

    async fn answered(
        &self,
        report: &Report,
        at: usize,
        key: &MemberKey,
    ) -> Result<Option<Member>, ProviderError> {
        match report.get(&at.to_string()).map(Answer::outcome) {
            Some(Ok(body)) => match parse::<RawMember>(body) {
                Ok(raw) => raw.into_member(&self.fields).map(Some),
                Err(_) => self.member(&key.0).await,
            },
            Some(Err(Some(Failure::NotFound))) => Ok(None),
            _ => self.member(&key.0).await,
        }
    }
}

fn member_fields(prefix: &str, merge: &BTreeSet<String>, tags: bool) -> Vec<String> {
    let plain = FIELDS.iter().map(|field| format!("{prefix}{field}"));
    let merge = merge.iter().map(|field| format!("{prefix}merge_fields.{field}"));
    let tags = tags.then(|| format!("{prefix}tags.name"));
    plain.chain(merge).chain(tags).collect()
}

/// Mailchimp hangs when asked for changes since the beginnings of time (a client in the field); it was
/// founded in 2001.
fn recent(since: DateTime<Utc>) -> DateTime<Utc> {
    let founded = DateTime::from_timestamp(978_307_200, 0).unwrap_or_default();
    since.max(founded)
}

/// Where a page starts, and how many pages are known of: `offset/pages` as a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    offset: u64,
    pages: u64,
}

impl Place {
    fn at(cursor: Option<&PageCursor>) -> Result<Self, ProviderError> {
        let Some(PageCursor(text)) = cursor else { return Ok(Self { offset: 0, pages: 1 }) };
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(o, p)| Some((o.parse().ok()?, p.parse().ok()?)));
        let (offset, pages) =
            numbers.ok_or(ProviderError::Unreadable { what: "a cursor of another provider" })?;
        Ok(Self { offset, pages })
    }

    /// Lists the pages that `total` members need and nobody was told of yet. Only the last page
    /// known may tell: the list may have grown since the first one was read.
    fn further(self, total: u64) -> Vec<PageCursor> {
        if self.offset / PAGE + 1 != self.pages {
            return Vec::new();
        }
        let pages = total.div_ceil(PAGE).max(self.pages);
        (self.pages..pages).map(|page| PageCursor(format!("{}/{pages}", page * PAGE))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Reply, scripted};
    use super::*;

    fn cursors(place: Place, total: u64) -> Vec<String> {
        place.further(total).into_iter().map(|cursor| cursor.0).collect()
    }

    #[test]
    fn the_first_page_tells_of_all_others_and_the_last_of_those_added_since() {
        let first = Place::at(None).unwrap();
        assert!(cursors(first, 0).is_empty());
        assert!(cursors(first, 1_000).is_empty());
        assert_eq!(cursors(first, 2_001), ["1000/3", "2000/3"]);
        let at = |text: &str| Place::at(Some(&PageCursor(text.to_owned()))).unwrap();
        assert!(cursors(at("1000/3"), 5_000).is_empty());
        assert!(cursors(at("2000/3"), 2_001).is_empty());
        assert_eq!(cursors(at("2000/3"), 3_001), ["3000/4"]);
        assert!(Place::at(Some(&PageCursor("next".to_owned()))).is_err());
    }

    #[test]
    fn only_what_is_used_is_asked_for() {
        let fields = BTreeSet::from(["FNAME".to_owned()]);
        let plain = member_fields("members.", &fields, false);
        assert_eq!(plain.len(), FIELDS.len() + 1);
        assert!(plain.contains(&"members.merge_fields.FNAME".to_owned()));
        assert!(member_fields("", &fields, true).contains(&"tags.name".to_owned()));
    }

    #[test]
    fn a_delta_never_reaches_back_to_where_mailchimp_hangs() {
        assert_eq!(wire::seconds(recent(DateTime::UNIX_EPOCH)), "2001-01-01T00:00:00+00:00");
    }

    #[tokio::test]
    async fn nobody_is_absent_from_a_list_that_is_not_there() {
        const GONE: Reply = Reply::Json(404, r#"{"title":"Resource Not Found"}"#);
        let keys = [MemberKey("c1".to_owned())];
        let (connection, ..) = scripted(vec![GONE, Reply::Json(200, r#"{"id":"a1"}"#)]);
        assert_eq!(connection.list("a1").read_members(&keys).await.unwrap(), [None]);
        let (connection, ..) = scripted(vec![GONE, GONE]);
        let answer = connection.list("a1").read_members(&keys).await;
        assert!(matches!(answer, Err(ProviderError::ListGone)));
    }

    #[tokio::test]
    async fn what_a_job_leaves_open_is_read_singly() {
        const ANN: &str = r#"{"contact_id":"c1","status":"subscribed"}"#;
        let answer = |status: u16, response: &str| {
            let line = serde_json::json!({"status_code": status, "response": response});
            Report::from([("0".to_owned(), serde_json::from_value(line).unwrap())])
        };
        for (report, found, requests) in [
            (answer(200, ANN), true, 0),
            (answer(404, r#"{"title":"Resource Not Found"}"#), false, 0),
            (answer(404, "<html>"), true, 1),
            (answer(500, "{}"), true, 1),
            (answer(200, "<html>"), true, 1),
            (Report::new(), true, 1),
        ] {
            let (connection, transport, _) = scripted(vec![Reply::Json(200, ANN)]);
            let key = MemberKey("c1".to_owned());
            let member = connection.list("a1").answered(&report, 0, &key).await.unwrap();
            assert_eq!((member.is_some(), transport.asked().len()), (found, requests));
        }
    }
}
