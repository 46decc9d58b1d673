//! What nobody can know any more once the store was put back: the books forget it too, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::books::{Act, Backup, Books, Line};
use crate::domain::{Answer, Channel};

impl Books {
    /// Takes down that the store is backed up.
    pub fn is_backed_up(&mut self, now: DateTime<Utc>) {
        let (acknowledged, registering) = (self.acknowledged.clone(), self.registering);
        self.backup = Some(Backup { at: now, acknowledged, registering });
    }

    /// Forgets what only the store knew since its backup; `shown` is who stands on a list without
    /// wanting it, and whether one shows a no of theirs.
    pub fn forget_since_backup(
        &mut self,
        now: DateTime<Utc>,
        shown: &BTreeMap<(usize, Channel, String), bool>,
    ) {
        let Some(backup) = self.backup.clone() else { return };
        self.forget_who_came_and_went(backup.at);
        self.acknowledged = backup.acknowledged;
        self.unsigned = backup.registering;
        self.forgotten.push((backup.at, now));
        self.found_off.extend(shown.keys().cloned());
        let put_away = shown.iter().filter(|(_, says_no)| !**says_no);
        self.put_away.extend(put_away.map(|(there, _)| there.clone()));
        for run in &mut self.runs {
            if run.ended.is_none_or(|ended| ended > backup.at) {
                run.read.clear();
                run.observed.clear();
            }
        }
        let lines = std::mem::take(&mut self.lines);
        let lasts = |line: &&Line| {
            line.at <= backup.at
                || (self.lasts(line, shown) && !self.is_unlearnt_clearing(line, &lines, backup.at))
        };
        let (kept, gone): (Vec<&Line>, Vec<&Line>) = lines.iter().partition(lasts);
        for line in gone {
            let address = line.address.clone().unwrap_or_default();
            *self.gone.entry((line.clinic, line.channel, address)).or_default() += 1;
        }
        self.lines = kept.into_iter().cloned().collect();
        for line in &mut self.lines {
            line.told_at = line.told_at.filter(|at| *at <= backup.at);
        }
    }

    /// Tells whether a line can be found out again: a no at the desk unless the record says yes now,
    /// a no at a list of members unless no list shows it any more. Texts stay in the provider's log.
    fn lasts(&self, line: &Line, shown: &BTreeMap<(usize, Channel, String), bool>) -> bool {
        if !line.act.is_no() {
            return true;
        }
        if line.list.is_none() {
            let record = line.patient.and_then(|patient| self.records.get(&(line.clinic, patient)));
            let Some(Some(record)) = record else { return true };
            let answer = record.consent(line.channel).answer;
            return !matches!(answer, Answer::Granted | Answer::SoftOptIn);
        }
        let address = line.address.clone().unwrap_or_default();
        line.channel == Channel::Sms || shown.contains_key(&(line.clinic, line.channel, address))
    }

    /// Tells whether a record has merely ceased to say a yes that the backup never had: nothing tells that
    /// from one that never said yes (L4).
    fn is_unlearnt_clearing(&self, no: &Line, lines: &[Line], backup: DateTime<Utc>) -> bool {
        let (Act::No, None, Some(patient)) = (no.act, no.list, no.patient) else { return false };
        let record = self.records.get(&(no.clinic, patient)).and_then(Option::as_ref);
        let says_nothing =
            record.is_some_and(|record| record.consent(no.channel).answer == Answer::NotAsked);
        let learnt = |line: &Line| {
            let theirs =
                (line.clinic, line.channel, line.patient) == (no.clinic, no.channel, no.patient);
            let yes = matches!(line.act, Act::Yes | Act::Flag | Act::Customer);
            theirs && yes && line.at <= no.at && self.was_known(line, backup)
        };
        says_nothing && !lines.iter().any(learnt)
    }

    /// Forgets addresses that no run had read before the backup and no record has now.
    fn forget_who_came_and_went(&mut self, backup: DateTime<Utc>) {
        let known: BTreeSet<_> = self.ever.keys().cloned().collect();
        for address in known {
            self.forget_unless_read(&address, backup);
        }
    }

    /// Tells whether something of that moment is forgotten.
    #[must_use]
    pub fn forgot(&self, at: DateTime<Utc>) -> bool {
        self.forgotten.iter().any(|(from, until)| (*from..=*until).contains(&at))
    }

    /// Tells whether a store was put back, after a line, to a backup that did not know of it.
    #[must_use]
    pub fn was_unread_at_backup(&self, line: &Line) -> bool {
        // What was read since the backup counts as read by nobody.
        self.forgotten.iter().any(|(_, until)| line.at <= *until && !self.was_known(line, *until))
    }

    /// Tells whether nobody can know any more what somebody agreed to: they did while all is forgotten,
    /// or answered a question of that time before a run had surely read the list again, which shows who
    /// is asked but not when those were who agreed (L10, L12).
    #[must_use]
    pub fn is_proof_lost(&self, agreed: &Line) -> bool {
        self.forgot(agreed.at) || self.is_question_forgotten(agreed)
    }

    fn is_question_forgotten(&self, agreed: &Line) -> bool {
        let (Some(list), Some(address)) = (agreed.list, &agreed.address) else { return false };
        let asked = self.asked.get(&(agreed.clinic, list, address.clone()));
        let last = asked.into_iter().flatten().filter(|at| **at <= agreed.at).max();
        let read_since = |until| self.was_list_read(agreed.clinic, list, until, agreed.at);
        last.is_some_and(|last| {
            self.forgotten
                .iter()
                .any(|(from, until)| (*from..=*until).contains(last) && !read_since(*until))
        })
    }

    /// Tells whether it is forgotten that somebody who was `asked` was put away, and they were added
    /// before a run had surely read again that they are gone.
    #[must_use]
    pub fn is_added_over_a_forgotten_archive(&self, added: &Line, asked: DateTime<Utc>) -> bool {
        let (Some(list), Some(address)) = (added.list, &added.address) else { return false };
        self.found_off.contains(&(added.clinic, added.channel, address.clone()))
            && self.forgotten.iter().any(|(_, until)| {
                (asked..=added.at).contains(until)
                    && !self.was_list_read(added.clinic, list, *until, added.at)
            })
    }

    fn was_list_read(
        &self,
        clinic: usize,
        list: usize,
        since: DateTime<Utc>,
        then: DateTime<Utc>,
    ) -> bool {
        self.runs.iter().any(|run| {
            run.observed.contains(&(clinic, list))
                && run.began > since
                && run.ended.is_some_and(|ended| ended < then)
        })
    }

    /// Counts by what somebody may be asked again after the store was put back: a proof that is lost,
    /// and, by text, that nobody knows whom we asked. What is forgotten since counted when they were
    /// asked before, and counts on.
    #[must_use]
    pub fn lost(&self, clinic: usize, channel: Channel, address: &str) -> usize {
        let proofs = self.of(clinic, channel).filter(|line| {
            let theirs = line.address.as_deref() == Some(address);
            theirs && line.act == Act::Agreed && self.is_proof_lost(line)
        });
        let unknown = if channel == Channel::Sms { self.forgotten.len() } else { 0 };
        let gone = self.gone.get(&(clinic, channel, address.to_owned()));
        proofs.count() + unknown + gone.copied().unwrap_or_default()
    }
}
