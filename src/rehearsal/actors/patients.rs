//! Patients as the clinic's staff take them down.

use chrono::{DateTime, TimeDelta, Utc};

use super::records::{consent, consent_mut};
use crate::domain::{Address, Answer, Channel, PatientRecord, PatientStatus, Personal};
use crate::rehearsal::books::{Act, Line};
use crate::rehearsal::faults::Kind;
use crate::rehearsal::history::{Change, Says};
use crate::rehearsal::stages::Standing;
use crate::rehearsal::world::{World, a_while_ago, address};

impl World {
    /// What the clinic's clock says.
    fn clinic_time(&self) -> DateTime<Utc> {
        let ahead = self.weather.strikes(&[Kind::ClinicAhead]);
        self.now() + ahead.map_or_else(TimeDelta::zero, |_| TimeDelta::hours(2))
    }

    /// Writes what was there before the world began.
    pub async fn settles(&self) -> anyhow::Result<()> {
        for clinic in 0..self.history.clinics.len() {
            let settings = self.history.clinics[clinic].patients.clone();
            for (patient, setting) in settings.iter().enumerate() {
                let at = a_while_ago(self.now());
                let mut record = self.somebody(clinic, patient, setting.age);
                record.status = setting.status;
                record.updated_at = at;
                if let Some(other) = setting.shares {
                    self.shares(&mut record, clinic, other);
                }
                for channel in Channel::ALL.iter().copied() {
                    *consent_mut(&mut record, channel) = consent(setting.says, at);
                }
                self.write(clinic, patient, record.clone()).await?;
                for channel in Channel::ALL.iter().copied() {
                    self.says_so(clinic, patient, &record, channel, setting.says, at);
                }
                if let (Some(member), Some(email)) = (setting.member, &record.email) {
                    self.was_member(clinic, patient, email.expose(), member, at);
                }
            }
        }
        self.lookout.takes_as_given();
        Ok(())
    }

    fn was_member(
        &self,
        clinic: usize,
        patient: usize,
        email: &str,
        member: Standing,
        at: DateTime<Utc>,
    ) {
        let (stage, _, setup) = self.list(clinic, 0);
        // Two who share an address are one member.
        if stage.holds(&setup.audience).contains_key(email) {
            return;
        }
        stage.was_there(&setup.audience, email, member, at);
        let act = match member {
            // Found archived, with no history of ours, counts as a no (L16).
            Standing::Unsubscribed | Standing::Archived => Act::OptedOut,
            Standing::Cleaned => Act::Bounced,
            Standing::Subscribed | Standing::Pending => Act::Added,
        };
        let mut line = Line::new(clinic, Channel::Email, act, at);
        line.address = Some(email.to_owned());
        line.patient = (act == Act::OptedOut).then_some(patient);
        line.list = Some(0);
        self.books().write(line);
    }

    fn shares(&self, record: &mut PatientRecord, clinic: usize, other: usize) {
        let books = self.books();
        if let Some(Some(other)) = books.records.get(&(clinic, other)) {
            record.email.clone_from(&other.email);
            record.mobile.clone_from(&other.mobile);
        }
    }

    async fn write(
        &self,
        clinic: usize,
        patient: usize,
        record: PatientRecord,
    ) -> anyhow::Result<()> {
        self.clinics[clinic].upsert(std::slice::from_ref(&record)).await?;
        let now = self.now();
        let mut books = self.books();
        books.record(clinic, patient, Some(record), now);
        books.changed.insert((clinic, patient), now);
        Ok(())
    }

    /// Writes into the books what a patient said, and what address they had then.
    fn says_so(
        &self,
        clinic: usize,
        patient: usize,
        record: &PatientRecord,
        channel: Channel,
        says: Says,
        claimed: DateTime<Utc>,
    ) {
        let act = match says {
            Says::Yes => Act::Yes,
            Says::Flag => Act::Flag,
            Says::Customer => Act::Customer,
            // A yes that the record no longer gives is withdrawn (L4).
            Says::NotAsked if !self.says_yes(clinic, patient, channel, record) => {
                self.books().cleared.insert((clinic, channel, patient));
                return;
            }
            Says::NotAsked | Says::No => Act::No,
            Says::Objects => Act::Objects,
        };
        let channels: &[Channel] = if act == Act::Objects { Channel::ALL } else { &[channel] };
        for channel in channels.iter().copied() {
            let at = self.now().min(claimed);
            let mut line = Line::new(clinic, channel, act, at);
            line.patient = Some(patient);
            line.address = record.address(channel).map(|address| address.expose().to_owned());
            line.claimed = claimed;
            self.books().write(line);
        }
    }

    /// Tells whether the record says a yes that the program has read (L4), and says it now: a no that
    /// came after, wherever it was said, is written back to it; so is one from before that is read no
    /// earlier than a bare flag, which lifts none (L3), and what a store that was put back takes for one
    /// (L16).
    fn says_yes(
        &self,
        clinic: usize,
        patient: usize,
        channel: Channel,
        record: &PatientRecord,
    ) -> bool {
        let address = record.address(channel).map(Address::expose);
        let books = self.books();
        let own = |line: &Line| line.patient == Some(patient);
        let here = |line: &Line| address.is_some() && line.address.as_deref() == address;
        let no = |line: &&Line| line.act.is_no() && (own(line) || here(line));
        let yes =
            |line: &&Line| own(line) && matches!(line.act, Act::Yes | Act::Flag | Act::Customer);
        let last = books.of(clinic, channel).filter(|line| yes(line) || no(line));
        // Of two at one moment the no counts (L2).
        let last = last.max_by_key(|line| (line.at, line.act.is_no()));
        last.filter(yes).is_some_and(|said| {
            let unread = |no: &Line| !books.was_known(no, said.at);
            let lifts = said.act == Act::Yes;
            let stays = lifts || !books.of(clinic, channel).filter(no).any(unread);
            let found_off = address
                .is_some_and(|at| books.found_off.contains(&(clinic, channel, at.to_owned())));
            let taken_for_a_no = found_off && books.forgotten.iter().any(|(_, at)| said.at <= *at);
            stays && !taken_for_a_no && books.was_known(said, self.now())
        })
    }

    fn known(&self, clinic: usize, patient: usize) -> Option<PatientRecord> {
        self.books().records.get(&(clinic, patient)).cloned().flatten()
    }

    /// Somebody becomes a patient.
    pub(super) async fn enters(
        &self,
        clinic: usize,
        says: Says,
        shares: Option<usize>,
        age: u32,
    ) -> anyhow::Result<String> {
        let patient = {
            let books = self.books();
            let of_clinic = books.records.keys().filter(|(of, _)| *of == clinic);
            of_clinic.map(|(_, patient)| patient + 1).max().unwrap_or_default()
        };
        let at = self.clinic_time();
        let mut record = self.somebody(clinic, patient, age);
        record.updated_at = at;
        if let Some(other) = shares {
            self.shares(&mut record, clinic, other);
        }
        record.email_consent = consent(says, at);
        record.sms_consent = consent(says, at);
        self.write(clinic, patient, record.clone()).await?;
        for channel in Channel::ALL.iter().copied() {
            self.says_so(clinic, patient, &record, channel, says, at);
        }
        Ok(format!("patient {patient} of c{clinic} enters and says {says:?}"))
    }

    /// A patient says something to the clinic.
    pub(super) async fn says(
        &self,
        clinic: usize,
        patient: usize,
        channel: Channel,
        says: Says,
    ) -> anyhow::Result<String> {
        let Some(mut record) = self.known(clinic, patient) else { return Ok(NOTHING.to_owned()) };
        if record.status == PatientStatus::Deleted {
            return Ok(NOTHING.to_owned());
        }
        let at = self.clinic_time();
        let said = consent(says, at);
        // What says no yes takes none back.
        let was = record.consent(channel).answer;
        let clears_nothing =
            says == Says::NotAsked && !matches!(was, Answer::Granted | Answer::SoftOptIn);
        if says == Says::Objects {
            record.email_consent = said.clone();
            record.sms_consent = said;
        } else {
            *consent_mut(&mut record, channel) = said;
        }
        record.updated_at = at;
        self.write(clinic, patient, record.clone()).await?;
        if !clears_nothing {
            self.says_so(clinic, patient, &record, channel, says, at);
        }
        Ok(format!("patient {patient} of c{clinic} says {says:?} to {channel}"))
    }

    /// A patient's standing changes.
    pub(super) async fn becomes(
        &self,
        clinic: usize,
        patient: usize,
        status: PatientStatus,
    ) -> anyhow::Result<String> {
        let Some(mut record) = self.known(clinic, patient) else { return Ok(NOTHING.to_owned()) };
        if record.status == PatientStatus::Deleted || record.status == status {
            return Ok(NOTHING.to_owned());
        }
        record.status = status;
        record.updated_at = self.clinic_time();
        self.write(clinic, patient, record).await?;
        Ok(format!("patient {patient} of c{clinic} becomes {status}"))
    }

    /// A patient's record changes otherwise.
    pub(super) async fn record_changes(
        &self,
        clinic: usize,
        patient: usize,
        change: Change,
    ) -> anyhow::Result<String> {
        let Some(mut record) = self.known(clinic, patient) else { return Ok(NOTHING.to_owned()) };
        if record.status == PatientStatus::Deleted {
            return Ok(NOTHING.to_owned());
        }
        let turn = self.books().turns.get(&(clinic, patient)).map_or(0, Vec::len);
        let new = 100 + patient * 20 + turn % 20;
        match change {
            Change::Name => record.given_name = Personal::new(&format!("Zebedee{clinic}x{new}")),
            Change::Email => {
                record.email = Address::email(&address(clinic, new, Channel::Email)).ok();
            }
            Change::Mobile => {
                record.mobile = Address::mobile(&address(clinic, new, Channel::Sms), None).ok();
            }
            Change::Joins(other) => self.shares(&mut record, clinic, other),
            Change::Restricted(restricted) => record.restricted = restricted,
            Change::Policy(answer) => record.privacy_policy = answer,
            Change::Tag(true) => drop(record.tags.insert("dental".to_owned())),
            Change::Tag(false) => drop(record.tags.remove("dental")),
            Change::Vanishes => {
                self.clinics[clinic].vanish(&record.source_id).await?;
                let now = self.now();
                let mut books = self.books();
                books.record(clinic, patient, None, now);
                books.changed.insert((clinic, patient), now);
                drop(books);
                return Ok(format!("the row of patient {patient} of c{clinic} vanishes"));
            }
        }
        record.updated_at = self.clinic_time();
        self.write(clinic, patient, record).await?;
        Ok(format!("patient {patient} of c{clinic}: {change:?}"))
    }

    /// Staff clear everybody's flags at once.
    pub(super) async fn flags_in_bulk(&self, clinic: usize) -> anyhow::Result<String> {
        self.weather.count(Kind::FlagsInBulk);
        let known: Vec<usize> = {
            let books = self.books();
            let of_clinic =
                books.records.iter().filter(|((of, _), record)| *of == clinic && record.is_some());
            of_clinic.map(|((_, patient), _)| *patient).collect()
        };
        let count = known.len();
        for patient in known {
            let deleted = |record: &PatientRecord| record.status == PatientStatus::Deleted;
            if self.known(clinic, patient).as_ref().is_some_and(deleted) {
                continue;
            }
            self.says(clinic, patient, Channel::Email, Says::NotAsked).await?;
        }
        Ok(format!("staff of c{clinic} clear {count} flags"))
    }
}

/// What a step says that makes no sense any more.
const NOTHING: &str = "nothing";
