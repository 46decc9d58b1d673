//! Heeding what single contacts said or did by text: opt-outs, YES, HELP, failed deliveries.
//!
//! Each notice is heeded once, whether a webhook brought it or the provider's log.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::held::is_listed;
use super::roster::ManagedAccount;
use super::tenure::Tenure;
use super::told::{evidence, opt_out, says};
use super::{ManagedList, Practice, ReconcileError, Reconciler};
use crate::domain::{
    Actor, Address, ClinicId, ContactId, Draft, EventKind, Personal, Standing, TimeSource, Verb,
};
use crate::plan::reply::{Answered, Meaning, answer};
use crate::providers::{Notice, ProviderError, Word};
use crate::store::{Adopted, LinkRow, NewReview, NoticeRow, ReviewKind, Told};

/// Failures that may pass by themselves make a number undeliverable when there are as many as this
/// within [`FAILING`].
const FAILURES: u64 = 3;
const FAILING: TimeDelta = TimeDelta::days(7);
/// A question for help is answered this long after it was asked: a log shows those of years ago.
const HELP_WITHIN: TimeDelta = TimeDelta::minutes(15);

/// One clinic's share of what was told.
pub(super) struct Share<'a> {
    pub(super) practice: &'a Practice,
    pub(super) told: Vec<(&'a Notice, &'a Address, Vec<&'a ManagedList>)>,
}

impl Reconciler {
    /// Heeds notices of an account, for every clinic concerned, as its provider's log has them. Tells
    /// whether some came too early: they are to be read again.
    pub(super) async fn heed(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
        notices: &[Notice],
    ) -> Result<bool, ReconcileError> {
        for share in self.shares(account, notices).into_values() {
            self.heed_share(tenure, account, &share).await?;
            self.heed_held(tenure, account, &share).await?;
        }
        let mut early = false;
        for notice in notices.iter().filter(|notice| says(notice) == Some(Meaning::Yes)) {
            early |= !self.heed_yes(tenure, account, notice).await?;
        }
        Ok(early)
    }

    fn shares<'a>(
        &'a self,
        account: &'a ManagedAccount,
        notices: &'a [Notice],
    ) -> BTreeMap<ClinicId, Share<'a>> {
        let mut shares: BTreeMap<ClinicId, Share<'a>> = BTreeMap::new();
        for notice in notices {
            let Some(address) = &notice.address else { continue };
            let mut lists: BTreeMap<ClinicId, (&Practice, Vec<&ManagedList>)> = BTreeMap::new();
            for (practice, list) in self.roster.lists_of(account, notice) {
                lists.entry(practice.id).or_insert((practice, Vec::new())).1.push(list);
            }
            for (clinic, (practice, lists)) in lists {
                let share = shares.entry(clinic).or_insert(Share { practice, told: Vec::new() });
                share.told.push((notice, address, lists));
            }
        }
        shares
    }

    async fn heed_share(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
        share: &Share<'_>,
    ) -> Result<(), ReconcileError> {
        let clinic = share.practice.id;
        let keys: Vec<&str> =
            share.told.iter().filter_map(|(notice, ..)| notice.id.as_deref()).collect();
        let known = self.store.notices_known(clinic, &keys).await?;
        let is_new = |notice: &Notice| {
            notice.id.as_ref().is_none_or(|id| !known.contains(id)) && !is_listed(notice)
        };
        let addresses: BTreeSet<&Address> =
            share.told.iter().map(|(_, address, _)| *address).collect();
        let contacts = self.store.contacts_find(clinic, addresses.into_iter()).await?;
        let failing =
            self.store.contacts_failing(clinic, contacts.values().map(|(id, _)| *id)).await?;
        let failed = |(id, standing): &(ContactId, Standing)| {
            failing.contains(id) || standing.undeliverable().is_some()
        };
        let mut heeded = BTreeSet::new();
        for (notice, address, lists) in share.told.iter().filter(|(notice, ..)| is_new(notice)) {
            // One message told twice together is one.
            if notice.id.as_ref().is_some_and(|id| !heeded.insert(id)) {
                continue;
            }
            let Some(list) = lists.first() else { continue };
            tenure.prolong().await?;
            let contact = contacts.get(address);
            match (&notice.word, says(notice)) {
                (Word::OptedOut { .. } | Word::HoldsOptOut { .. }, _)
                | (_, Some(Meaning::OptOut { .. })) => {
                    self.heed_opt_out(tenure, share.practice, list, notice, address).await?;
                }
                (_, Some(Meaning::Help)) => {
                    self.heed_help(tenure, account, clinic, notice, address).await?;
                }
                (Word::Undelivered { for_good }, _) => {
                    self.heed_failure(tenure, list, notice, contact, *for_good).await?;
                }
                // Most deliveries are those of numbers that always worked: nothing to clear.
                (Word::Delivered, _) if contact.is_some_and(failed) => {
                    self.heed_delivery(tenure, list, notice, contact).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// An opt-out counts at once, also in the sender's own words; those an admin should look at.
    async fn heed_opt_out(
        &self,
        tenure: &Tenure<'_>,
        practice: &Practice,
        list: &ManagedList,
        notice: &Notice,
        address: &Address,
    ) -> Result<(), ReconcileError> {
        let clinic = practice.id;
        let now = self.clock.now();
        let told = || self.clock.id().to_string();
        let Some(opt_out) = opt_out(&self.store, practice, list, notice, told, now) else {
            return Ok(());
        };
        self.store.opt_outs_record(&tenure.lease, clinic, &[opt_out]).await?;
        let contact = self.store.contact_find(clinic, address).await?.map(|contact| contact.id);
        if let (Some(contact), Some(Meaning::OptOut { own_words: true })) = (contact, says(notice))
        {
            self.show(tenure, ReviewKind::OwnWords, list, contact, notice).await?;
        }
        self.remember(tenure, clinic, notice, contact, Told::OptedOut).await
    }

    /// Answers HELP where the clinic has a text for it and the provider did not answer.
    ///
    /// What was asked is remembered first: a person is rather left without an answer than answered
    /// twice.
    async fn heed_help(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
        clinic: ClinicId,
        notice: &Notice,
        address: &Address,
    ) -> Result<(), ReconcileError> {
        let fresh = notice.at.is_some_and(|at| self.clock.now() - at <= HELP_WITHIN);
        let mut concerned = self.roster.lists_of(account, notice);
        let open = concerned
            .any(|(practice, list)| practice.id == clinic && list.row.approved_at.is_some());
        // Several clinics on one sender: the first of them answers.
        let first = self.roster.lists_of(account, notice).map(|(practice, _)| practice.id).min();
        if !fresh || !open || first != Some(clinic) || clinic != account.clinic {
            return Ok(());
        }
        self.remember(tenure, clinic, notice, None, Told::Help).await?;
        let (Some(help), Some(texts)) = (&account.help, account.port.texts()) else {
            return Ok(());
        };
        let sent = texts.text(self.clock.id(), address, &Personal::new(help)).await;
        match sent {
            Err(error @ (ProviderError::Unauthorized | ProviderError::AccountDisabled { .. })) => {
                Err(error.into())
            }
            Err(error) => {
                tracing::warn!(account = account.name, %error, "a HELP was not answered");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// A number is undeliverable at once where trying again is no use, else after some failures
    /// within a week. That is no opt-out: a message that arrives later clears it.
    async fn heed_failure(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        notice: &Notice,
        contact: Option<&(ContactId, Standing)>,
        for_good: bool,
    ) -> Result<(), ReconcileError> {
        let Some((contact, standing)) = contact else { return Ok(()) };
        let clinic = list.row.clinic;
        let since = self.clock.now() - FAILING;
        let before = self.store.undelivered_since(clinic, *contact, since).await?;
        let recent = notice.at.is_none_or(|at| at > since);
        let failing = for_good || (recent && before + 1 >= FAILURES);
        if failing && standing.undeliverable().is_none() {
            let mut draft = self.about(EventKind::Bounced, list, notice, *contact);
            draft.method = Some(if for_good {
                "a text message cannot be delivered to the number".to_owned()
            } else {
                format!("{FAILURES} text messages within a week were not delivered")
            });
            self.append(Some(tenure), clinic, vec![draft]).await?;
        }
        self.remember(tenure, clinic, notice, Some(*contact), Told::Undelivered).await
    }

    async fn heed_delivery(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        notice: &Notice,
        contact: Option<&(ContactId, Standing)>,
    ) -> Result<(), ReconcileError> {
        let Some((contact, standing)) = contact else { return Ok(()) };
        let clinic = list.row.clinic;
        let at = notice.at.unwrap_or_else(|| self.clock.now());
        if standing.undeliverable().is_some_and(|bounce| at > bounce.at) {
            let mut draft = self.about(EventKind::Delivered, list, notice, *contact);
            draft.method = Some("a text message reached the number again".to_owned());
            self.append(Some(tenure), clinic, vec![draft]).await?;
        }
        self.remember(tenure, clinic, notice, Some(*contact), Told::Delivered).await
    }

    /// A YES confirms the invitation that the number was sent last by this sender, in whichever
    /// clinic (L27), if it is open still; nothing else. It is spent by that, asked for or not: the
    /// same YES answers no later question.
    ///
    /// An answer may be here before it is known whether the question went out; then it is not heeded
    /// yet, and that is told by `false`.
    async fn heed_yes(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
        notice: &Notice,
    ) -> Result<bool, ReconcileError> {
        let Some(address) = &notice.address else { return Ok(true) };
        let key: Vec<&str> = notice.id.as_deref().into_iter().collect();
        let mut clinics = BTreeSet::new();
        let mut asked: Option<(&ManagedList, LinkRow)> = None;
        for (practice, list) in self.roster.lists_of(account, notice) {
            if clinics.insert(practice.id)
                && !self.store.notices_known(practice.id, &key).await?.is_empty()
            {
                return Ok(true);
            }
            let row = self.asked_on(list, address).await?;
            let asking = |row: &LinkRow| {
                row.link.intent.as_ref().is_some_and(|intent| intent.verb == Verb::Invite)
            };
            if row.as_ref().is_some_and(asking) {
                return Ok(false);
            }
            let sent_at = |row: &LinkRow| row.link.invitation.as_ref().map(|sent| sent.sent_at);
            let before = asked.as_ref().and_then(|(_, row)| sent_at(row));
            if let Some(row) = row.filter(|row| sent_at(row) > before) {
                asked = Some((list, row));
            }
        }
        if let Some((list, row)) = &asked {
            self.judge_yes(tenure, list, row, notice).await?;
        }
        for clinic in clinics {
            self.remember(tenure, clinic, notice, None, Told::Yes).await?;
        }
        Ok(true)
    }

    /// Returns the number's link on a list; none where the clinic does not know it.
    pub(super) async fn asked_on(
        &self,
        list: &ManagedList,
        address: &Address,
    ) -> Result<Option<LinkRow>, ReconcileError> {
        let clinic = list.row.clinic;
        let Some(contact) = self.store.contact_find(clinic, address).await? else {
            return Ok(None);
        };
        let rows = self.store.links_of_contact(clinic, contact.id).await?;
        Ok(rows.into_iter().find(|row| row.list_id == list.row.id))
    }

    async fn judge_yes(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        row: &LinkRow,
        notice: &Notice,
    ) -> Result<(), ReconcileError> {
        let clinic = list.row.clinic;
        let evidence = evidence(notice);
        let now = self.clock.now();
        let judged =
            answer(&row.facts, &row.link, &list.facts(), notice.at, evidence.as_deref(), now);
        let adoption = match judged {
            Answered::Unasked => return Ok(()),
            Answered::Confirmed(draft, adoption) => {
                self.append(Some(tenure), clinic, vec![*draft]).await?;
                adoption
            }
            Answered::TooLate(adoption) => {
                if let Some(contact) = &row.facts.contact {
                    self.show(tenure, ReviewKind::LateYes, list, contact.id, notice).await?;
                }
                adoption
            }
        };
        let adopted = Adopted { invitation: adoption.invitation, ..Adopted::of(row.link.id) };
        self.store.links_adopt(&tenure.lease, clinic, &[adopted]).await?;
        let seen_at = row.link.observed.as_ref().map_or(now, |observed| observed.seen_at);
        Ok(self.store.links_urgent(&tenure.lease, &list.row, &[row.ordinal], seen_at).await?)
    }

    async fn show(
        &self,
        tenure: &Tenure<'_>,
        kind: ReviewKind,
        list: &ManagedList,
        contact: ContactId,
        notice: &Notice,
    ) -> Result<(), ReconcileError> {
        let review = NewReview {
            kind,
            contact,
            list: Some(list.row.id),
            evidence: evidence(notice).unwrap_or_default(),
            at: notice.at.unwrap_or_else(|| self.clock.now()),
        };
        Ok(self.store.review_add(&tenure.lease, list.row.clinic, &review).await?)
    }

    /// Remembers a question for help that the provider has answered.
    pub(super) async fn help_given(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
        notice: &Notice,
    ) -> Result<(), ReconcileError> {
        self.remember(tenure, account.clinic, notice, None, Told::Help).await
    }

    async fn remember(
        &self,
        tenure: &Tenure<'_>,
        clinic: ClinicId,
        notice: &Notice,
        contact: Option<ContactId>,
        told: Told,
    ) -> Result<(), ReconcileError> {
        let Some(key) = notice.id.clone() else { return Ok(()) };
        // An opt-out on record for years is told again each time: it is remembered from now on.
        let at = notice.at.filter(|_| told != Told::OptedOut);
        let at = at.unwrap_or_else(|| self.clock.now());
        let row = NoticeRow { key, contact, told, at };
        Ok(self.store.notices_add(&tenure.lease, clinic, &[row]).await?)
    }

    /// Starts a draft about a contact whom the provider told something of.
    fn about(
        &self,
        kind: EventKind,
        list: &ManagedList,
        notice: &Notice,
        contact: ContactId,
    ) -> Draft {
        let mut draft = Draft::new(kind, Actor::Provider, TimeSource::Provider, &list.row.slug);
        draft.channel = Some(list.row.channel);
        draft.contact = Some(contact);
        draft.list = Some(list.row.id);
        draft.evidence = evidence(notice);
        draft.occurred_at = notice.at;
        let told = notice.id.clone().unwrap_or_else(|| self.clock.id().to_string());
        draft.unique = format!("notice/{told}/{kind}");
        draft
    }
}
