//! Attending to what somebody waits for: deliveries are read, their members read again at the
//! provider, and what follows is done at once, between the pages and operations of any sweep.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;

use http::{HeaderMap, Method};

use super::roster::ManagedAccount;
use super::tenure::Tenure;
use super::{ManagedList, ReconcileError, Reconciler};
use crate::domain::{Address, ClinicId, Entry, ListId, MemberStatus, Observed, RunId};
use crate::providers::signatures::Delivery as Request;
use crate::providers::{Notice, Word};
use crate::store::{Delivery, ListRow, ObservedMember, OpState, Which};

/// Deliveries attended to at a time.
const PAGE: u32 = 200;

/// A boxed turn: attending goes on within the turns that it makes.
type Attending<'a> = Pin<Box<dyn Future<Output = Result<(), ReconcileError>> + Send + 'a>>;

impl Reconciler {
    /// Attends to everything that waits, as far as accounts are free. Tells whether something is
    /// left to a worker that holds an account now; that one attends to it between its pages.
    pub async fn attend(&self) -> Result<bool, ReconcileError> {
        let waiting: BTreeSet<ClinicId> = self.store.clinics_waiting().await?.into_iter().collect();
        let mut left = false;
        let concerned = self.roster.accounts.iter().filter(|account| {
            let lists = self.roster.lists();
            let mut of_account = lists.filter(|(_, list)| list.account == account.account);
            waiting.contains(&account.clinic)
                || of_account.any(|(practice, _)| waiting.contains(&practice.id))
        });
        let names: BTreeSet<&str> = concerned.map(|account| account.account.as_str()).collect();
        for name in names {
            match Tenure::take(self, &format!("account:{name}")).await? {
                None => left = true,
                Some(tenure) => {
                    let done = self.attend_account(&tenure, name).await;
                    tenure.release().await?;
                    done?;
                }
            }
        }
        for practice in self.roster.practices.iter().filter(|p| waiting.contains(&p.id)) {
            left |= !self.attend_record(practice.id).await?;
        }
        Ok(left)
    }

    /// Does what [`Reconciler::attend`] does for one account, by whoever holds it.
    pub(super) fn attend_account<'a>(
        &'a self,
        tenure: &'a Tenure<'_>,
        name: &'a str,
    ) -> Attending<'a> {
        Box::pin(async move {
            for account in self.roster.accounts.iter().filter(|a| a.account == name) {
                self.read_deliveries(tenure, account).await?;
            }
            for (practice, list) in self.roster.lists().filter(|(_, list)| list.account == name) {
                if self.turn_urgent(tenure, list).await? {
                    self.attend_record(practice.id).await?;
                }
            }
            Ok(())
        })
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

    /// Reads what was delivered for an account, and the members it is about.
    async fn read_deliveries(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
    ) -> Result<(), ReconcileError> {
        loop {
            let page = self.store.deliveries_waiting(account.clinic, PAGE).await?;
            let endpoints = self.store.endpoints_by_id(account.clinic).await?;
            let own: Vec<(Delivery, &crate::store::Endpoint)> = page
                .into_iter()
                .filter_map(|delivery| {
                    let endpoint = endpoints.get(&delivery.endpoint)?;
                    (endpoint.account == account.name).then_some((delivery, endpoint))
                })
                .collect();
            if own.is_empty() {
                return Ok(());
            }
            let mut notices = Vec::new();
            for (delivery, endpoint) in &own {
                notices.extend(notices_of(account, delivery, endpoint.origin));
            }
            self.read_again(tenure, account, &notices).await?;
            let ids: Vec<_> = own.iter().map(|(delivery, _)| delivery.id).collect();
            self.store.deliveries_attended(&tenure.lease, account.clinic, &ids).await?;
        }
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
            for address in addresses {
                tenure.prolong().await?;
                let member = list.port.member_by_address(address).await?;
                let observed = match member {
                    Some(member) => self.observed(list, member, self.clock.now()),
                    None => self.absent(&list.row, address),
                };
                let store = &self.store;
                let seen = store.members_observe(&tenure.lease, &list.row, &[observed]).await?;
                store.links_urgent(&tenure.lease, &list.row, &seen).await?;
            }
        }
        Ok(())
    }

    /// What is stored of an address that is not on the list.
    fn absent(&self, list: &ListRow, address: &Address) -> ObservedMember {
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
                seen_at: self.clock.now(),
            },
            hashes: self.store.address_hashes(list.clinic, address),
            address: None,
        }
    }

    /// Learns, plans and carries out what is urgent on one list; tells whether there was anything.
    ///
    /// A list that no admin has approved yet waits for its first plan (L20).
    async fn turn_urgent(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
    ) -> Result<bool, ReconcileError> {
        let row = self.store.list(list.row.clinic, list.row.id).await?;
        let urgent = self.store.links_page(&row, -1, 1, Which::Urgent).await?;
        if urgent.is_empty() {
            return Ok(false);
        }
        if row.approved_at.is_none() || row.retired_at.is_some() {
            self.store.links_calm(&tenure.lease, &row).await?;
            return Ok(false);
        }
        let list = ManagedList { row, ..list.clone() };
        let run = self.store.run_begin(&list.row, "webhook").await?;
        for _ in 0..super::ROUNDS {
            self.learn(tenure, &list, Which::Urgent).await?;
            let planned = self.plan_run(tenure, run, &list, Which::Urgent).await?;
            if planned.to_execute == 0 {
                break;
            }
            self.execute(tenure, run, &list).await?;
        }
        self.close_urgent(run, &list).await?;
        Ok(true)
    }

    async fn close_urgent(&self, run: RunId, list: &ManagedList) -> Result<(), ReconcileError> {
        let counts = self.store.operations_counts(run, &list.row).await?;
        let of = |state: OpState| -> u64 {
            counts.iter().filter(|kind| kind.state == state).map(|kind| kind.count).sum()
        };
        let outcome = if of(OpState::Braked) > 0 { "braked" } else { "in_step" };
        let done = of(OpState::Acknowledged);
        Ok(self.store.run_end(run, outcome, &format!("{done} changes made at once")).await?)
    }
}

/// Reads a stored delivery again; what cannot be read any more, or was never meant for us, is
/// settled without consequence.
fn notices_of(
    account: &ManagedAccount,
    delivery: &Delivery,
    origin: crate::domain::Origin,
) -> Vec<Notice> {
    let (Some(scheme), Some(body)) = (&account.scheme, &delivery.body) else { return Vec::new() };
    let mut headers = HeaderMap::new();
    if let Ok(media_type) = delivery.media_type.parse() {
        headers.insert(http::header::CONTENT_TYPE, media_type);
    }
    let request = Request { method: &Method::POST, url: "", headers: &headers, body };
    scheme.read(&request, origin).unwrap_or_default()
}
