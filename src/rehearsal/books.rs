//! The world's own books: what everybody did, written down when they did it. The checkers judge the
//! program by these, never by what it says itself.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::stages::Standing;
use super::turnstile::ActorId;
use crate::domain::{Answer, Channel, PatientRecord, PatientStatus};

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Said yes with everything on record.
    Yes,
    /// Said yes in person, which an admin took down.
    TakenDown,
    /// The same, and the admin accepts it against an earlier objection.
    Accepted,
    /// The bare flag was set.
    Flag,
    /// Is an existing customer.
    Customer,
    /// Said no to the channel.
    No,
    /// Objected to all marketing.
    Objects,
    /// Answered the question at the provider.
    Agreed,
    /// Signed up by the form at the provider.
    SignedUp,
    /// Opted out at the provider.
    OptedOut,
    /// Complained at the provider.
    Complained,
    /// Bounced at the provider.
    Bounced,
    /// Staff removed them there.
    Removed,
    /// Staff added them there.
    Added,
    /// Took this address at the provider.
    MovedHere,
}

impl Act {
    /// Tells whether it is a no.
    #[must_use]
    pub const fn is_no(self) -> bool {
        matches!(self, Self::No | Self::Objects | Self::OptedOut | Self::Complained)
    }
}

/// One line of the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The clinic.
    pub clinic: usize,
    /// The channel; an objection stands in every channel's lines.
    pub channel: Channel,
    /// The address, where there was one.
    pub address: Option<String>,
    /// The patient, where it was one's act.
    pub patient: Option<usize>,
    /// What.
    pub act: Act,
    /// On which list, where it was on one.
    pub list: Option<usize>,
    /// When.
    pub at: DateTime<Utc>,
    /// When by the clock of whoever took it down.
    pub claimed: DateTime<Utc>,
    /// When the program was told and said that it knows.
    pub told_at: Option<DateTime<Utc>>,
}

impl Line {
    /// Starts a line about nobody yet.
    #[must_use]
    pub const fn new(clinic: usize, channel: Channel, act: Act, at: DateTime<Utc>) -> Self {
        let (address, patient, list, told_at) = (None, None, None, None);
        Self { clinic, channel, address, patient, act, list, at, claimed: at, told_at }
    }
}

/// How long a patient's record showed an address.
#[derive(Debug, Clone)]
pub struct Stay {
    /// The address.
    pub address: String,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when; none where it shows it still.
    pub until: Option<DateTime<Utc>>,
}

/// A run as seen from outside.
#[derive(Debug, Clone)]
pub struct Run {
    /// The actor that makes it.
    pub actor: ActorId,
    /// When it began.
    pub began: DateTime<Utc>,
    /// When it ended, where it did.
    pub ended: Option<DateTime<Utc>>,
    /// The clinics whose records it read.
    pub read: BTreeSet<usize>,
    /// The lists it read.
    pub observed: BTreeSet<(usize, usize)>,
}

/// What a backup of the store holds, as far as the books must know.
#[derive(Debug, Clone)]
pub struct Backup {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The deliveries acknowledged until then.
    pub acknowledged: BTreeSet<(String, String)>,
    /// Whether an admin was making webhooks just then.
    pub registering: bool,
}

/// Everything that was written down.
#[derive(Debug, Default)]
pub struct Books {
    /// Records as the clinics have them now, by clinic and patient; none where the row is gone.
    pub records: BTreeMap<(usize, usize), Option<PatientRecord>>,
    /// Everything that happened, in order.
    pub lines: Vec<Line>,
    /// Every address and number there ever was, and every name, in small letters: none may show
    /// anywhere.
    pub personal: BTreeSet<String>,
    /// Every address that a patient ever had, and which patients; none that was gone before a run read it.
    pub ever: BTreeMap<(usize, Channel, String), BTreeSet<usize>>,
    /// When a record last ceased to say that its patient objects.
    pub unobjected: BTreeMap<(usize, usize), DateTime<Utc>>,
    /// When a record ceased to say no to a channel, or vanished.
    pub unrefused: BTreeMap<(usize, Channel, usize), Vec<DateTime<Utc>>>,
    /// Whose record ceased to say a yes that no run had surely read.
    pub cleared: BTreeSet<(usize, Channel, usize)>,
    /// When each patient's standing last changed, in any way that bars or lets in.
    pub changed: BTreeMap<(usize, usize), DateTime<Utc>>,
    /// When something happened by which an invitation may become due again.
    pub turns: BTreeMap<(usize, usize), Vec<DateTime<Utc>>>,
    /// Runs, in order.
    pub runs: Vec<Run>,
    /// Who was erased at a provider, by the program or by staff: some take nobody twice.
    pub erased: BTreeSet<(usize, Channel, String)>,
    /// Deliveries that were answered with 2xx, by endpoint and body.
    pub acknowledged: BTreeSet<(String, String)>,
    /// Whether an admin makes webhooks just now.
    pub registering: bool,
    /// Whether the store may know webhooks without their secret, as it was backed up while they were
    /// made: what comes there is taken as an unsigned hint (L18).
    pub unsigned: bool,
    /// Lists as last looked at.
    pub lists: BTreeMap<(usize, usize), BTreeMap<String, Standing>>,
    /// What was in the store when it was backed up last.
    pub backup: Option<Backup>,
    /// From when until when the program remembers nothing, as its store was put back.
    pub forgotten: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// How many lines about an address are forgotten.
    pub gone: BTreeMap<(usize, Channel, String), usize>,
    /// Who stood on a list without wanting it when the store was put back: what the backup does not
    /// explain of that reads as a no.
    pub found_off: BTreeSet<(usize, Channel, String)>,
    /// Whose no no list showed any more then, as they were archived after it.
    pub put_away: BTreeSet<(usize, Channel, String)>,
    /// When an address was first a patient's.
    pub since: BTreeMap<(usize, Channel, String), DateTime<Utc>>,
    /// The addresses that each patient's record showed, one after the other.
    pub stays: BTreeMap<(usize, Channel, usize), Vec<Stay>>,
    /// When the program asked, by clinic, list (the first of its channel, for texts) and address.
    pub asked: BTreeMap<(usize, usize, String), Vec<DateTime<Utc>>>,
    /// Numbers that a request named of which the program cannot know what became, and when it set out.
    pub in_doubt: BTreeMap<(usize, Channel, String), DateTime<Utc>>,
}

impl Books {
    /// Writes a line.
    pub fn write(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Takes down what names somebody.
    pub fn names(&mut self, one: &str) {
        self.personal.insert(one.to_lowercase());
    }

    /// Takes down how a record stands now.
    pub fn record(
        &mut self,
        clinic: usize,
        patient: usize,
        record: Option<PatientRecord>,
        at: DateTime<Utc>,
    ) {
        if let Some(record) = &record {
            for channel in Channel::ALL.iter().copied() {
                let Some(address) = record.address(channel) else { continue };
                let address = address.expose().to_owned();
                self.names(&address);
                self.since.entry((clinic, channel, address.clone())).or_insert(at);
                self.ever.entry((clinic, channel, address)).or_default().insert(patient);
            }
            for name in [&record.given_name, &record.family_name] {
                self.names(name.expose());
            }
        }
        self.turns.entry((clinic, patient)).or_default().push(at);
        let vanishes = record.is_none();
        let still_objects = record.as_ref().is_some_and(objects);
        let before = self.records.insert((clinic, patient), record).flatten();
        if before.as_ref().is_some_and(objects) && !still_objects {
            self.unobjected.insert((clinic, patient), at);
        }
        let now_refuses = |books: &Self, channel| {
            let record = books.records.get(&(clinic, patient)).and_then(Option::as_ref);
            record.is_some_and(|record| refuses(record, channel))
        };
        // Who left it before any run came is not known by it.
        for channel in Channel::ALL.iter().copied() {
            self.moves(clinic, patient, channel, at);
            let refused = before.as_ref().is_some_and(|before| refuses(before, channel));
            if vanishes || (refused && !now_refuses(self, channel)) {
                self.unrefused.entry((clinic, channel, patient)).or_default().push(at);
            }
            let left = before.as_ref().and_then(|before| before.address(channel));
            let Some(left) = left.map(|address| address.expose().to_owned()) else { continue };
            self.forget_unless_read(&(clinic, channel, left), at);
        }
    }

    /// Takes down which address a patient's record shows from now on.
    fn moves(&mut self, clinic: usize, patient: usize, channel: Channel, at: DateTime<Utc>) {
        let record = self.records.get(&(clinic, patient)).and_then(Option::as_ref);
        let address = record.and_then(|record| record.address(channel));
        let address = address.map(|address| address.expose().to_owned());
        let stays = self.stays.entry((clinic, channel, patient)).or_default();
        if let Some(last) = stays.last_mut().filter(|stay| stay.until.is_none()) {
            if address.as_ref() == Some(&last.address) {
                return;
            }
            last.until = Some(at);
        }
        stays.extend(address.map(|address| Stay { address, from: at, until: None }));
    }

    /// Forgets an address that no record has now, and that no run surely read until `then`.
    pub(super) fn forget_unless_read(
        &mut self,
        address: &(usize, Channel, String),
        then: DateTime<Utc>,
    ) {
        let since = self.since.get(address).copied();
        let was_read = since.is_some_and(|since| self.was_read_between(address.0, since, then));
        if !was_read && self.holders(address.0, address.1, &address.2).next().is_none() {
            self.ever.remove(address);
            self.since.remove(address);
        }
    }

    /// Counts the noes that were said, and the patients whom their clinic deleted.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let noes = self.lines.iter().filter(|line| line.act.is_no()).count();
        let deleted = |record: &&PatientRecord| record.status == PatientStatus::Deleted;
        let erasures = self.records.values().flatten().filter(deleted).count();
        (noes as u64, erasures as u64)
    }

    /// Returns the patients who hold an address now.
    pub fn holders<'a>(
        &'a self,
        clinic: usize,
        channel: Channel,
        address: &'a str,
    ) -> impl Iterator<Item = (usize, &'a PatientRecord)> {
        let of_clinic = self.records.iter().filter(move |((of, _), _)| *of == clinic);
        of_clinic.filter_map(move |((_, patient), record)| {
            let record = record.as_ref()?;
            let theirs = record.address(channel)?.expose();
            (theirs == address).then_some((*patient, record))
        })
    }

    /// Tells whether the clinic ever knew the address.
    #[must_use]
    pub fn knew(&self, clinic: usize, channel: Channel, address: &str) -> bool {
        self.ever.contains_key(&(clinic, channel, address.to_owned()))
    }

    /// Tells whether no active patient has an address that the clinic once knew.
    #[must_use]
    pub fn dropped(&self, clinic: usize, channel: Channel, address: &str) -> bool {
        let mut holders = self.holders(clinic, channel, address);
        self.knew(clinic, channel, address)
            && !holders.any(|(_, record)| record.status == PatientStatus::Active)
    }

    /// Returns the lines of one channel of a clinic.
    pub fn of(&self, clinic: usize, channel: Channel) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.clinic == clinic && line.channel == channel)
    }

    /// Tells whether the program knew of a line before `then`: it was told, or a run that began
    /// afterwards and ended before read the clinic, or the list.
    #[must_use]
    pub fn was_known(&self, line: &Line, then: DateTime<Utc>) -> bool {
        line.told_at.is_some_and(|at| at < then) || self.was_read(line, then)
    }

    /// Tells whether something came over a no at a list before anybody could read it there; or it is
    /// forgotten that anybody did, and they were archived there since.
    #[must_use]
    pub fn is_covered_up(&self, no: &Line) -> bool {
        let there = no.address.clone().map(|address| (no.clinic, no.channel, address));
        let at_a_list = no.list.is_some() && no.channel == Channel::Email;
        let put_away = there.is_some_and(|there| self.put_away.contains(&there));
        if at_a_list && put_away && self.was_unread_at_backup(no) {
            return true;
        }
        self.of(no.clinic, no.channel).any(|line| {
            let covers =
                matches!(line.act, Act::SignedUp | Act::Agreed | Act::Added | Act::Removed);
            let here = line.list == no.list && line.address == no.address;
            covers && here && line.at >= no.at && !self.was_known(no, line.at)
        })
    }

    /// Tells whether the record said yes again, said the no no more, or vanished, before any run surely
    /// read a no at the desk there, which shows nowhere else.
    #[must_use]
    pub fn is_unsaid(&self, no: &Line) -> bool {
        let Some(patient) = no.patient.filter(|_| no.list.is_none()) else { return false };
        let unread = |until: DateTime<Utc>| until >= no.at && !self.was_known(no, until);
        match no.act {
            Act::Objects => self.unobjected.get(&(no.clinic, patient)).copied().is_some_and(unread),
            Act::No => {
                let until = self.unrefused.get(&(no.clinic, no.channel, patient));
                let yes = self.of(no.clinic, no.channel).filter(|line| {
                    let yes = matches!(line.act, Act::Yes | Act::Flag | Act::Customer);
                    yes && line.patient == Some(patient)
                });
                let until = until.into_iter().flatten().copied();
                until.chain(yes.map(|line| line.at)).any(unread)
            }
            _ => false,
        }
    }

    /// Tells whether a no at the desk was said by somebody whose record came to show another address
    /// before any run surely read this one there: it is theirs still, but that it was said at this
    /// address too nobody can know (L7, L8).
    #[must_use]
    pub fn is_from_an_unread_stay(&self, no: &Line) -> bool {
        let (None, Some(patient), Some(address)) = (no.list, no.patient, &no.address) else {
            return false;
        };
        let stays = self.stays.get(&(no.clinic, no.channel, patient));
        let stays = stays.map(Vec::as_slice).unwrap_or_default();
        // What was said before the world began was said at the first.
        let stay = stays.iter().rfind(|stay| stay.from <= no.at).or(stays.first());
        stay.filter(|stay| stay.address == *address).is_some_and(|stay| {
            stay.until.is_some_and(|left| !self.was_read_between(no.clinic, stay.from, left))
        })
    }

    /// Tells whether the program was told of a no at a list before any run surely read that its patient
    /// has the address: it binds the address and whoever was known there, but that they held it already
    /// nobody can know (L8).
    #[must_use]
    pub fn is_of_an_unread_holder(&self, no: &Line) -> bool {
        let (Some(_), Some(patient), Some(address)) = (no.list, no.patient, &no.address) else {
            return false;
        };
        let stays = self.stays.get(&(no.clinic, no.channel, patient));
        let stay = stays.into_iter().flatten().rfind(|stay| stay.from <= no.at);
        let stay = stay.filter(|stay| stay.address == *address);
        let unread = |(stay, told): (&Stay, DateTime<Utc>)| {
            !self.was_read_between(no.clinic, stay.from, told)
        };
        stay.zip(no.told_at).is_some_and(unread)
    }

    /// Tells whether a run surely read a clinic's records in between.
    fn was_read_between(&self, clinic: usize, since: DateTime<Utc>, then: DateTime<Utc>) -> bool {
        self.runs.iter().any(|run| {
            run.read.contains(&clinic)
                && run.began > since
                && run.ended.is_some_and(|ended| ended <= then)
        })
    }

    fn was_read(&self, line: &Line, then: DateTime<Utc>) -> bool {
        self.runs.iter().any(|run| {
            let saw = match line.list {
                Some(list) => run.observed.contains(&(line.clinic, list)),
                None => run.read.contains(&line.clinic),
            };
            saw && run.began > line.at && run.ended.is_some_and(|ended| ended < then)
        })
    }
}

fn refuses(record: &PatientRecord, channel: Channel) -> bool {
    matches!(record.consent(channel).answer, Answer::Withdrawn | Answer::Objected)
}

fn objects(record: &PatientRecord) -> bool {
    Channel::ALL.iter().any(|channel| record.consent(*channel).answer == Answer::Objected)
}
