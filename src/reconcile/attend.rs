//! Attending to what somebody waits for: deliveries are read, their members read again at the
//! provider, and what follows is done at once, between the pages and operations of any sweep.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use chrono::TimeDelta;
use futures::future::join_all;
use http::{HeaderMap, Method};
use tracing::{Instrument, info_span};
use uuid::Uuid;

use super::roster::ManagedAccount;
use super::tenure::Tenure;
use super::told::says;
use super::{ManagedList, ROUNDS, ReconcileError, Reconciler};
use crate::domain::{ClinicId, RunId};
use crate::plan::reply::Meaning;
use crate::providers::signatures::Delivery as Request;
use crate::providers::{Keyword, Notice, Word};
use crate::store::{BY_WEBHOOK, Delivery, Endpoint, OpState, Which};

/// Deliveries attended to at a time: few enough to keep in memory, and so many that after a burst most
/// members are read as a job.
const PAGE: u32 = 500;
/// How long a worker that only attends begins another page before it gives an account back: a run waits
/// for ten seconds.
const STINT: TimeDelta = TimeDelta::seconds(5);

/// What attending left undone.
#[derive(Debug, Default)]
pub struct Left {
    /// Whether another worker holds something now, and attends between its pages.
    pub held: bool,
    /// Whether an account was given back, for others to have their turn, while more waits.
    pub more: bool,
    /// What was attended to, or begun, by its lease.
    pub done: BTreeSet<String>,
    /// What failed, by its lease.
    pub failed: BTreeSet<String>,
}

impl Left {
    /// Tells whether nothing is left.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        !self.held && !self.more && self.failed.is_empty()
    }

    fn add(&mut self, lease: String, turn: Turn) {
        match turn {
            Turn::Held => self.held = true,
            Turn::Begun => {
                self.more = true;
                self.done.insert(lease);
            }
            Turn::Done => drop(self.done.insert(lease)),
            Turn::Failed => drop(self.failed.insert(lease)),
        }
    }
}

/// How one account or record was attended to.
#[derive(Clone, Copy)]
enum Turn {
    Done,
    /// More waits.
    Begun,
    Held,
    Failed,
}

/// A boxed turn: attending goes on within the turns that it makes.
type Attending<'a> = Pin<Box<dyn Future<Output = Result<bool, ReconcileError>> + Send + 'a>>;

impl Reconciler {
    /// Attends to everything that waits, as far as accounts are free, and tells what is left.
    ///
    /// What fails for one account, list or clinic is logged, and keeps no other from its turn.
    pub async fn attend(&self) -> Result<Left, ReconcileError> {
        self.attend_but(&BTreeSet::new()).await
    }

    /// Attends to everything that waits but for the accounts and clinics in `resting`, by their
    /// leases.
    pub(super) async fn attend_but(
        &self,
        resting: &BTreeSet<String>,
    ) -> Result<Left, ReconcileError> {
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
        let accounts: BTreeSet<&str> = concerned.map(|account| account.account.as_str()).collect();
        let visits = accounts.into_iter().map(|name| (format!("account:{name}"), name));
        let visits = visits.filter(|(lease, _)| !resting.contains(lease));
        let visits = join_all(visits.map(|(lease, name)| self.visit(lease, name)));
        let mut left = Left::default();
        for (lease, turn) in visits.await {
            left.add(lease, turn);
        }
        for practice in self.roster.practices.iter().filter(|p| waiting.contains(&p.id)) {
            let lease = format!("source:{}", practice.id);
            if resting.contains(&lease) {
                continue;
            }
            let turn = self.attend_record(practice.id).await.unwrap_or_else(|error| {
                tracing::warn!(
                    clinic = practice.slug,
                    error = error.chain(),
                    "the clinic could not be told; it is tried again"
                );
                Turn::Failed
            });
            left.add(lease, turn);
        }
        Ok(left)
    }

    /// Attends to one account if it is free.
    async fn visit(&self, lease: String, name: &str) -> (String, Turn) {
        let visited = async {
            let Some(tenure) = Tenure::take_if_free(self, &lease).await? else {
                return Ok(Turn::Held);
            };
            let span = info_span!("attend", account = name);
            let tenure = tenure.until(self.clock.now() + STINT);
            let done = self.attend_account(&tenure, name).instrument(span).await;
            tenure.release().await?;
            Ok(if done? { Turn::Done } else { Turn::Begun })
        };
        let turn = visited.await.unwrap_or_else(|error: ReconcileError| {
            tracing::warn!(
                account = name,
                error = error.chain(),
                "what was told could not be attended to; it is tried again"
            );
            Turn::Failed
        });
        (lease, turn)
    }

    /// Does what [`Reconciler::attend`] does for one account, by whoever holds it: first what is
    /// proven, then what must be read again. Tells whether that is
    /// all, or more waited when it was time to give the account back.
    pub(super) fn attend_account<'a>(
        &'a self,
        tenure: &'a Tenure<'_>,
        name: &'a str,
    ) -> Attending<'a> {
        Box::pin(async move {
            let mut failed = self.turn_urgent_lists(tenure, name).await.err();
            for account in self.roster.accounts.iter().filter(|a| a.account == name) {
                let mut after = Uuid::nil();
                loop {
                    let waiting =
                        self.store.deliveries_waiting(account.clinic, &account.name, after, PAGE);
                    let page = waiting.await?;
                    let Some(last) = page.last() else { break };
                    // What fails waits in front; what is behind it has its turn all the same.
                    if failed.is_none() && tenure.is_over() {
                        return Ok(false);
                    }
                    after = last.id;
                    let read = self.read_deliveries(tenure, account, &page).await;
                    let turned = self.turn_urgent_lists(tenure, name).await;
                    failed = failed.or(read.err()).or(turned.err());
                }
            }
            failed.map_or(Ok(true), Err)
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
    async fn attend_record(&self, clinic: ClinicId) -> Result<Turn, ReconcileError> {
        let practice = self.roster.practices.iter().find(|practice| practice.id == clinic);
        let Some(practice) = practice else { return Ok(Turn::Done) };
        let Some(tenure) = Tenure::take_if_free(self, &format!("source:{clinic}")).await? else {
            return Ok(Turn::Held);
        };
        let done = self.write_back(&tenure, practice).await;
        tenure.release().await?;
        done?;
        self.store.spreading_over(clinic).await?;
        Ok(Turn::Done)
    }

    /// Reads what was delivered for an account, and the members it is about. What is about a list that
    /// fails waits; whatever else was delivered does not.
    async fn read_deliveries(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
        page: &[Delivery],
    ) -> Result<(), ReconcileError> {
        let endpoints = self.store.endpoints_by_id(account.clinic).await?;
        let mut told = Vec::new();
        let mut replies = Replies::default();
        for delivery in page {
            let Some(endpoint) = endpoints.get(&delivery.endpoint) else { continue };
            for notice in notices_of(account, delivery, endpoint) {
                match notice.word {
                    Word::OptedOut { .. } | Word::Moved { .. } | Word::Changed => {
                        replies.wants_reading |= !delivery.proven || notice.word == Word::Changed;
                        told.push((delivery.id, notice));
                    }
                    Word::Other => {}
                    _ => replies.take(notice, delivery.proven),
                }
            }
        }
        let unread = self.read_again(tenure, account, &told).await;
        self.heed_told(tenure, account, replies).await?;
        let read = page.iter().map(|delivery| delivery.id);
        let read: Vec<_> = read.filter(|id| !unread.deliveries.contains(id)).collect();
        self.store.deliveries_attended(&tenure.lease, account.clinic, &read).await?;
        unread.failed.map_or(Ok(()), Err)
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
        let run = self.run_begins(&list, BY_WEBHOOK).await?;
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
        for _ in 0..ROUNDS {
            self.learn(tenure, list, Which::Urgent).await?;
            let planned = self.plan_run(tenure, run, list, Which::Urgent).await?;
            if planned.to_execute == 0 || self.stop.is_asked() {
                break;
            }
            self.execute(tenure, run, list, true).await?;
            // The last look: what was changed stands otherwise now.
            self.store.links_urgent_after(&tenure.lease, run, &list.row).await?;
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
        match says(&notice) {
            _ if proven && is_taken_for_help(&notice) => {
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

/// Tells whether the provider took a text for a question for help, and answered it.
fn is_taken_for_help(notice: &Notice) -> bool {
    matches!(&notice.word, Word::Replied { taken_for: Some(Keyword::Help), .. })
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
