//! Attending to what somebody waits for: deliveries are read, their members read again at the
//! provider, and what follows is done at once, between the pages and operations of any sweep.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;

use chrono::{DateTime, Utc};
use futures::future::{join_all, try_join_all};
use http::{HeaderMap, Method};

use super::roster::ManagedAccount;
use super::tenure::Tenure;
use super::told::says;
use super::{ManagedList, ReconcileError, Reconciler};
use crate::domain::{Address, ClinicId, Entry, ListId, MemberStatus, Observed, RunId};
use crate::plan::reply::Meaning;
use crate::providers::signatures::Delivery as Request;
use crate::providers::{Keyword, Notice, Word};
use crate::store::{Delivery, Endpoint, LinkRow, ListRow, ObservedMember, OpState, Which};

/// Deliveries attended to at a time.
const PAGE: u32 = 200;
/// Members asked for at the same time, as far as the account's share of connections allows.
const READ_TOGETHER: usize = 50;

/// A boxed turn: attending goes on within the turns that it makes.
type Attending<'a> = Pin<Box<dyn Future<Output = Result<(), ReconcileError>> + Send + 'a>>;

impl Reconciler {
    /// Attends to everything that waits, as far as accounts are free. Tells whether something is
    /// left: to a worker that holds an account now and attends between its pages, or because it
    /// failed, which is logged and tried again.
    ///
    /// What fails for one account, list or clinic keeps no other from its turn.
    pub async fn attend(&self) -> Result<bool, ReconcileError> {
        let waiting: BTreeSet<ClinicId> = self.store.clinics_waiting().await?.into_iter().collect();
        for practice in self.roster.practices.iter().filter(|p| waiting.contains(&p.id)) {
            self.recognise_store(practice.id, &practice.slug).await?;
        }
        let concerned = self.roster.accounts.iter().filter(|account| {
            let lists = self.roster.lists();
            let mut of_account = lists.filter(|(_, list)| list.account == account.account);
            waiting.contains(&account.clinic)
                || of_account.any(|(practice, _)| waiting.contains(&practice.id))
        });
        let names: BTreeSet<&str> = concerned.map(|account| account.account.as_str()).collect();
        let accounts = join_all(names.into_iter().map(|name| self.visit(name)));
        let mut left = accounts.await.into_iter().any(|left| left);
        for practice in self.roster.practices.iter().filter(|p| waiting.contains(&p.id)) {
            left |= !self.attend_record(practice.id).await.unwrap_or_else(|error| {
                tracing::warn!(clinic = practice.slug, %error, "the clinic could not be told; it is tried again");
                false
            });
        }
        Ok(left)
    }

    /// Attends to one account if it is free; tells whether something is left.
    async fn visit(&self, name: &str) -> bool {
        let visited = async {
            let Some(tenure) = Tenure::take(self, &format!("account:{name}")).await? else {
                return Ok(true);
            };
            let done = self.attend_account(&tenure, name).await;
            tenure.release().await?;
            done.map(|()| false)
        };
        visited.await.unwrap_or_else(|error: ReconcileError| {
            tracing::warn!(account = name, %error, "what was told could not be attended to; it is tried again");
            true
        })
    }

    /// Does what [`Reconciler::attend`] does for one account, by whoever holds it: first what is
    /// proven, then what must be read again.
    pub(super) fn attend_account<'a>(
        &'a self,
        tenure: &'a Tenure<'_>,
        name: &'a str,
    ) -> Attending<'a> {
        Box::pin(async move {
            self.turn_urgent_lists(tenure, name).await?;
            for account in self.roster.accounts.iter().filter(|a| a.account == name) {
                while self.read_deliveries(tenure, account).await? {
                    self.turn_urgent_lists(tenure, name).await?;
                }
            }
            Ok(())
        })
    }

    /// Takes the urgent links of each of the account's lists in turn; one list's failure is told
    /// after the others had theirs.
    async fn turn_urgent_lists(
        &self,
        tenure: &Tenure<'_>,
        name: &str,
    ) -> Result<(), ReconcileError> {
        let mut failed = None;
        for (practice, list) in self.roster.lists().filter(|(_, list)| list.account == name) {
            let done = async {
                if self.turn_urgent(tenure, list).await? {
                    self.attend_record(practice.id).await?;
                }
                Ok(())
            };
            if let Err(error) = done.await {
                failed = failed.or(Some(error));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Tells the clinic what waits to be told, unless another worker has its record in hand.
    async fn attend_record(&self, clinic: ClinicId) -> Result<bool, ReconcileError> {
        let practice = self.roster.practices.iter().find(|practice| practice.id == clinic);
        let Some(practice) = practice else { return Ok(true) };
        let Some(tenure) = Tenure::take(self, &format!("source:{clinic}")).await? else {
            return Ok(false);
        };
        let done = self.write_back(&tenure, clinic, practice.source.as_ref()).await;
        tenure.release().await?;
        done.map(|()| true)
    }

    /// Reads a page of what was delivered for an account, and the members it is about; tells
    /// whether there was any.
    async fn read_deliveries(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
    ) -> Result<bool, ReconcileError> {
        let page = self.store.deliveries_waiting(account.clinic, &account.name, PAGE).await?;
        if page.is_empty() {
            return Ok(false);
        }
        let endpoints = self.store.endpoints_by_id(account.clinic).await?;
        let mut notices = Vec::new();
        let mut replies = Replies::default();
        for delivery in &page {
            let Some(endpoint) = endpoints.get(&delivery.endpoint) else { continue };
            for notice in notices_of(account, delivery, endpoint) {
                match notice.word {
                    Word::OptedOut { .. } | Word::Moved { .. } | Word::Changed => {
                        notices.push(notice);
                    }
                    Word::Other => {}
                    _ => replies.take(notice, delivery.proven),
                }
            }
        }
        self.read_again(tenure, account, &notices).await?;
        self.heed_told(tenure, account, replies).await?;
        let ids: Vec<_> = page.iter().map(|delivery| delivery.id).collect();
        self.store.deliveries_attended(&tenure.lease, account.clinic, &ids).await?;
        Ok(true)
    }

    /// Heeds what was told of texts: what a signature proves, and everything else as the provider's
    /// own log has it. Where there is no log the signature must do.
    async fn heed_told(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
        replies: Replies,
    ) -> Result<(), ReconcileError> {
        for notice in &replies.helped {
            self.help_given(tenure, account, notice).await?;
        }
        self.heed(tenure, account, &replies.proven).await?;
        if !replies.wants_reading {
            return Ok(());
        }
        if account.port.notices().is_some() {
            return self.read_notices(tenure, account).await;
        }
        self.heed(tenure, account, &replies.answers).await.map(drop)
    }

    /// Reads the members again that notices are about, on every list concerned: what the provider
    /// says now counts, not what the notice said (L17 to L19).
    async fn read_again(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
        notices: &[Notice],
    ) -> Result<(), ReconcileError> {
        let mut asked: BTreeMap<ListId, (&ManagedList, BTreeSet<&Address>)> = BTreeMap::new();
        for notice in notices {
            let moved = match &notice.word {
                Word::Moved { to } => to.as_ref(),
                _ => None,
            };
            for (_, list) in self.roster.lists_of(account, notice) {
                let (_, addresses) =
                    asked.entry(list.row.id).or_insert_with(|| (list, BTreeSet::new()));
                addresses.extend(notice.address.as_ref().into_iter().chain(moved));
            }
        }
        for (list, addresses) in asked.into_values() {
            let Some(list) = self.as_it_is(list).await? else { continue };
            let addresses: Vec<_> = addresses.into_iter().collect();
            for addresses in addresses.chunks(READ_TOGETHER) {
                tenure.prolong().await?;
                let asked_at = self.clock.now();
                let read = addresses.iter().map(|address| self.read_address(&list, address));
                let read: Vec<_> = try_join_all(read).await?.into_iter().flatten().collect();
                let seen = self.store.members_observe(&tenure.lease, &list.row, &read).await?;
                self.store.links_urgent(&tenure.lease, &list.row, &seen, asked_at).await?;
            }
        }
        Ok(())
    }

    /// Reads whom an address is about: the member that has it, else the one that we know had it,
    /// by its key. Only if there is neither is the address absent; none where the list would not
    /// show what we know of it either way.
    pub(super) async fn read_address(
        &self,
        list: &ManagedList,
        address: &Address,
    ) -> Result<Option<ObservedMember>, ReconcileError> {
        let now = self.clock.now();
        if let Some(member) = list.port.member_by_address(address).await? {
            return Ok(Some(self.observed(list, member, now)));
        }
        let link = self.link_at(&list.row, address).await?;
        let known = link.and_then(|link| link.link.observed);
        let shows = list.port.capabilities().shows;
        if known.as_ref().is_some_and(|known| !shows.contains(&known.status)) {
            return Ok(None);
        }
        let key = known.and_then(|known| known.member);
        let member = match &key {
            Some(key) => list.port.members(std::slice::from_ref(key)).await?.pop().flatten(),
            None => None,
        };
        Ok(Some(match member {
            Some(member) => self.observed(list, member, now),
            None => self.absent(&list.row, address, now),
        }))
    }

    /// Finds the link of whoever had an address: a contact, or a stranger.
    async fn link_at(
        &self,
        list: &ListRow,
        address: &Address,
    ) -> Result<Option<LinkRow>, ReconcileError> {
        if let Some(contact) = self.store.contact_find(list.clinic, address).await? {
            let links = self.store.links_of_contact(list.clinic, contact.id).await?;
            return Ok(links.into_iter().find(|link| link.list_id == list.id));
        }
        let hashes = self.store.address_hashes(list.clinic, address);
        Ok(self.store.link_by_address(list, &hashes).await?)
    }

    /// Returns a list as the store has it now; none where no turn may touch it: not approved yet
    /// (L20), retired, or pinned to another audience than the configuration names.
    pub(super) async fn as_it_is(
        &self,
        list: &ManagedList,
    ) -> Result<Option<ManagedList>, ReconcileError> {
        let row = self.store.list(list.row.clinic, list.row.id).await?;
        let pinned = row.audience_pin.as_ref() == Some(&list.audience);
        if !pinned || row.is_first_run() || row.retired_at.is_some() {
            return Ok(None);
        }
        let mut policy = list.policy.clone();
        policy.retiring = row.retiring_at.is_some();
        Ok(Some(ManagedList { row, policy, ..list.clone() }))
    }

    /// What is stored of an address that is not on the list.
    fn absent(&self, list: &ListRow, address: &Address, seen_at: DateTime<Utc>) -> ObservedMember {
        ObservedMember {
            observed: Observed {
                status: MemberStatus::Absent,
                member: None,
                last_changed: None,
                signed_up_at: None,
                opted_in_at: None,
                entry: Entry::Unknown,
                complained: false,
                digest: 0,
                seen_at,
            },
            hashes: self.store.address_hashes(list.clinic, address),
            address: None,
            seen: None,
        }
    }

    /// Learns, plans and carries out what is urgent on one list; tells whether there was anything.
    ///
    /// A list that no admin has approved yet waits for its first plan (L20).
    pub(super) async fn turn_urgent(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
    ) -> Result<bool, ReconcileError> {
        let urgent = self.store.links_page(&list.row, -1, 1, Which::Urgent).await?;
        if urgent.is_empty() {
            return Ok(false);
        }
        let Some(list) = self.as_it_is(list).await? else {
            self.store.links_calm(&tenure.lease, &list.row).await?;
            return Ok(false);
        };
        let run = self.run_begins(&list, "webhook").await?;
        let done = self.turn_urgent_under(tenure, run, &list).await;
        self.close_urgent(tenure, run, &list).await?;
        done.map(|()| true)
    }

    async fn turn_urgent_under(
        &self,
        tenure: &Tenure<'_>,
        run: RunId,
        list: &ManagedList,
    ) -> Result<(), ReconcileError> {
        self.learn(tenure, list, Which::Urgent).await?;
        let planned = self.plan_run(tenure, run, list, Which::Urgent).await?;
        if planned.to_execute > 0 {
            self.execute(tenure, run, list).await?;
        }
        Ok(())
    }

    /// Ends the run; what could not be sent is waited for as before. What the brake holds goes to the
    /// list's next plan: an admin decides about all of it together (L23).
    async fn close_urgent(
        &self,
        tenure: &Tenure<'_>,
        run: RunId,
        list: &ManagedList,
    ) -> Result<(), ReconcileError> {
        let counts = self.store.operations_counts(run, &list.row).await?;
        let of = |state: OpState| -> u64 {
            counts.iter().filter(|kind| kind.state == state).map(|kind| kind.count).sum()
        };
        let unsent = of(OpState::Planned) + of(OpState::Superseded);
        if unsent > 0 {
            self.store.links_urgent_again(&tenure.lease, run, &list.row).await?;
        }
        if of(OpState::Braked) > 0 {
            self.store.operations_leave(&tenure.lease, run, &list.row).await?;
        }
        let outcome = match () {
            () if unsent > 0 => "interrupted",
            () if of(OpState::Braked) > 0 => "braked",
            () => "in_step",
        };
        let done = of(OpState::Acknowledged);
        Ok(self.store.run_end(run, outcome, &format!("{done} changes made at once")).await?)
    }
}

/// What deliveries told of texts.
#[derive(Default)]
struct Replies {
    /// Signed, and no consent.
    proven: Vec<Notice>,
    /// Signed, and perhaps a consent: to be read again where that can be done.
    answers: Vec<Notice>,
    /// Questions for help that the provider has answered.
    helped: Vec<Notice>,
    /// Whether the log is to be read.
    wants_reading: bool,
}

impl Replies {
    fn take(&mut self, notice: Notice, proven: bool) {
        let given = Some(Keyword::Help);
        match says(&notice) {
            _ if matches!(&notice.word, Word::Replied { taken_for, .. } if *taken_for == given) => {
                self.helped.push(notice);
            }
            Some(Meaning::Other) => {}
            Some(Meaning::Yes | Meaning::Help) if proven => {
                self.wants_reading = true;
                self.answers.push(notice);
            }
            _ if proven => self.proven.push(notice),
            _ => self.wants_reading = true,
        }
    }
}

/// Reads a stored delivery again; what cannot be read any more, or was never meant for us, is
/// settled without consequence.
fn notices_of(account: &ManagedAccount, delivery: &Delivery, endpoint: &Endpoint) -> Vec<Notice> {
    let (Some(scheme), Some(body)) = (&account.scheme, &delivery.body) else { return Vec::new() };
    let mut headers = HeaderMap::new();
    if let Ok(media_type) = delivery.media_type.parse() {
        headers.insert(http::header::CONTENT_TYPE, media_type);
    }
    let request = Request { method: &Method::POST, url: "", headers: &headers, body };
    let mut notices = scheme.read(&request, endpoint.origin).unwrap_or_default();
    for notice in &mut notices {
        notice.list = notice.list.take().or_else(|| endpoint.audience.clone());
    }
    notices
}
