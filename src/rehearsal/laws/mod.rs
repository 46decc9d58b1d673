//! The checkers: one small function a law, each judging the program by the world's own books.

pub mod door;
pub mod output;
mod parked;
pub mod rest;
pub mod standing;
mod truth;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::books::{Act, Books, Line};
use super::history::{History, ListSetting};
use super::stages::{Setup, Stage, Standing};
use super::turnstile::Turnstile;
use super::wire::Watch;
use crate::domain::Channel;
use crate::simulator::Attempt;

/// A law that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which law, by the checker that found it.
    pub law: &'static str,
    /// What happened, naming nobody.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.what)
    }
}

/// One list of the world.
pub struct WatchedList {
    clinic: usize,
    list: usize,
    stage: Arc<dyn Stage>,
    setting: ListSetting,
    setup: Setup,
    /// Which list stands for all that share a sender's question.
    asks_as: usize,
}

impl WatchedList {
    /// Returns its channel.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.stage.channel()
    }
}

/// The list, where that is known, and the address of a question.
type Question = (Option<String>, String);

/// A change at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose address.
    pub address: String,
    /// How it stood before.
    pub before: Option<Standing>,
    /// How it stands now.
    pub now: Option<Standing>,
}

/// Looks at every change at the providers, and judges those that the program made.
pub struct Lookout {
    turnstile: Arc<Turnstile>,
    books: Arc<Mutex<Books>>,
    lists: Vec<WatchedList>,
    stages: Vec<Arc<dyn Stage>>,
    /// The questions each provider had sent at the last look.
    asked: Mutex<Vec<BTreeMap<Question, usize>>>,
    /// How much had happened to somebody that the program surely knew when it last asked them.
    asked_upon: Mutex<BTreeMap<(usize, usize, String), usize>>,
    breaches: Mutex<Vec<Breach>>,
    checked: Mutex<BTreeMap<&'static str, u64>>,
}

impl Lookout {
    /// Starts looking.
    #[must_use]
    pub fn new(
        history: &Arc<History>,
        turnstile: &Arc<Turnstile>,
        books: &Arc<Mutex<Books>>,
        stages: &[Arc<dyn Stage>],
        setups: &[Vec<Setup>],
    ) -> Arc<Self> {
        let mut lists = Vec::new();
        for (clinic, setting) in history.clinics.iter().enumerate() {
            for (list, of) in setting.lists.iter().enumerate() {
                lists.push(WatchedList {
                    clinic,
                    list,
                    stage: stages[of.stage].clone(),
                    setting: of.clone(),
                    setup: setups[clinic][list].clone(),
                    asks_as: list,
                });
            }
        }
        Arc::new(Self {
            turnstile: turnstile.clone(),
            books: books.clone(),
            lists,
            stages: stages.to_vec(),
            asked: Mutex::new(vec![BTreeMap::new(); stages.len()]),
            asked_upon: Mutex::default(),
            breaches: Mutex::default(),
            checked: Mutex::default(),
        })
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes down that a law was broken.
    pub fn breach(&self, breach: Breach) {
        let mut breaches = self.breaches.lock().unwrap_or_else(PoisonError::into_inner);
        if breaches.len() < 20 {
            breaches.push(breach);
        }
    }

    /// Returns what was broken, in order.
    #[must_use]
    pub fn breaches(&self) -> Vec<Breach> {
        self.breaches.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts that a law was checked.
    pub fn checks(&self, law: &'static str) {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner).entry(law).or_default() += 1;
    }

    /// Returns how often each law was checked.
    #[must_use]
    pub fn checked(&self) -> BTreeMap<&'static str, u64> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Checks one law: `broken` says what is wrong, if anything.
    pub fn check(&self, law: &'static str, broken: Option<String>) {
        self.checks(law);
        if let Some(what) = broken {
            self.breach(Breach { law, what });
        }
    }

    /// Looks at every list; what changed was done by us, or by others.
    pub fn look(&self, ours: bool) {
        self.look_at(ours, |_| true);
    }

    /// Looks at the lists and questions of some providers.
    fn look_at(&self, ours: bool, which: impl Fn(&dyn Stage) -> bool) {
        for list in self.lists.iter().filter(|list| which(list.stage.as_ref())) {
            let now = list.stage.holds(&list.setup.audience);
            let mut books = self.books();
            let before = books.lists.insert((list.clinic, list.list), now.clone());
            if !ours {
                continue;
            }
            let before = before.unwrap_or_default();
            for change in changes(&before, &now) {
                door::judge(self, &books, list, &change);
                if change.now.is_none() {
                    books.erased.insert((list.clinic, list.channel(), change.address));
                }
            }
        }
        self.look_at_questions(ours, which);
    }

    /// Takes down whom staff put away between two pages.
    fn look_for_drift(&self, host: &str) {
        for list in self.lists.iter().filter(|list| list.stage.host() == host) {
            let now = list.stage.holds(&list.setup.audience);
            let mut books = self.books();
            let place = (list.clinic, list.list);
            let before = books.lists.get(&place).cloned().unwrap_or_default();
            for change in changes(&before, &now) {
                let at = self.turnstile.now();
                let mut line = Line::new(list.clinic, list.channel(), Act::Removed, at);
                line.address = Some(change.address);
                line.list = Some(list.list);
                books.write(line);
            }
        }
    }

    fn look_at_questions(&self, ours: bool, which: impl Fn(&dyn Stage) -> bool) {
        let stages = self.stages.iter().enumerate();
        for (place, stage) in stages.filter(|(_, stage)| which(stage.as_ref())) {
            let mut asked: BTreeMap<Question, usize> = BTreeMap::new();
            for question in stage.asked() {
                *asked.entry(question).or_default() += 1;
            }
            let mut known = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let before = std::mem::replace(&mut known[place], asked.clone());
            drop(known);
            for (question, count) in asked.iter().filter(|_| ours) {
                for _ in before.get(question).copied().unwrap_or_default()..*count {
                    door::judge_question(self, place, question.0.as_deref(), &question.1);
                }
            }
        }
    }

    /// Forgets what was seen, as at the start of a world that was there before.
    pub fn takes_as_given(&self) {
        self.look(false);
    }
}

fn changes(before: &BTreeMap<String, Standing>, now: &BTreeMap<String, Standing>) -> Vec<Change> {
    let changed = now.iter().filter(|(address, standing)| before.get(*address) != Some(standing));
    let mut changes: Vec<Change> = changed
        .map(|(address, standing)| Change {
            address: address.clone(),
            before: before.get(address).copied(),
            now: Some(*standing),
        })
        .collect();
    let gone = before.iter().filter(|(address, _)| !now.contains_key(*address));
    changes.extend(gone.map(|(address, standing)| Change {
        address: address.clone(),
        before: Some(*standing),
        now: None,
    }));
    changes
}

impl Watch for Lookout {
    fn after(&self, host: &str, drifted: bool) {
        if drifted {
            self.look_for_drift(host);
        }
        self.look_at(true, |stage| stage.host() == host);
    }

    fn in_doubt(&self, body: &[u8], at: DateTime<Utc>) {
        let body = String::from_utf8_lossy(body);
        let mut books = self.books();
        let named = books.ever.keys().filter(|(_, channel, address)| {
            *channel == Channel::Sms && body.contains(address.trim_start_matches('+'))
        });
        let named: Vec<_> = named.cloned().collect();
        books.in_doubt.extend(named.into_iter().map(|key| (key, at)));
    }

    fn acknowledged(&self, attempt: &Attempt) {
        door::acknowledged(self, attempt);
    }
}
