//! What happens in the demo between one run and the next.

use std::future::Future;
use std::pin::Pin;

use anyhow::Context;

use super::stage::{SENDER, Stage};
use crate::clock::Clock;
use crate::domain::{Address, Answer, Channel, Consent, PatientRecord, PatientStatus};
use crate::simulator::mailchimp::{ImportRow, Status};

/// What happens on a day; a boxed future, because the days stand in a table.
type Happening =
    for<'a> fn(&'a mut Life<'_>) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;

/// One day of the demo.
pub(super) struct Day {
    /// Days since the last one.
    pub(super) after_days: u64,
    /// What happens, as a sentence.
    pub(super) what: &'static str,
    /// What happens.
    pub(super) happen: Happening,
}

/// The days of the demo, in order.
pub(super) const DAYS: &[Day] = &[
    Day {
        after_days: 3,
        what: "most invited people confirm, by a click or by the reply YES; some leave, one of them in words of her own; the clinic archives patients, one moves to a new address, one asks to be erased.",
        happen: |life| Box::pin(life.first_days()),
    },
    Day {
        after_days: 4,
        what: "staff import an old file: archived patients, people who left. The erased person's record is entered again. A patient comes back.",
        happen: |life| Box::pin(life.staff_make_trouble()),
    },
];

/// The people whom the demo follows.
#[derive(Debug, Default)]
struct Cast {
    left: Option<PatientRecord>,
    erased: Option<PatientRecord>,
    archived: Vec<PatientRecord>,
    moved: Option<Address>,
}

/// Life goes on.
pub(super) struct Life<'a> {
    stage: &'a Stage,
    cast: Cast,
}

impl<'a> Life<'a> {
    pub(super) fn new(stage: &'a Stage) -> Self {
        Self { stage, cast: Cast::default() }
    }

    /// Returns the people to explain, by what became of them.
    pub(super) fn cast(&self) -> Vec<(&'static str, String)> {
        let address = |record: &Option<PatientRecord>| {
            record.as_ref().and_then(|r| r.email.as_ref()).map(|email| email.expose().to_owned())
        };
        [
            (
                "Left by the unsubscribe link, and was in the file that staff imported",
                address(&self.cast.left),
            ),
            ("Asked to be erased, and was entered again", address(&self.cast.erased)),
            (
                "Moved to a new address, which must confirm for itself",
                self.cast.moved.as_ref().map(|address| address.expose().to_owned()),
            ),
        ]
        .into_iter()
        .filter_map(|(who, address)| Some((who, address?)))
        .collect()
    }

    async fn first_days(&mut self) -> anyhow::Result<()> {
        let confirmed = self.confirm_invitations()?;
        let replied = self.reply_to_texts()?;
        let mut listed = self.listed_singles().into_iter();
        let mut next = || listed.next().context("the made-up clinic is too small for the demo");
        let now = self.stage.clock.now();

        let left = next()?;
        self.contact(&left)?.unsubscribe()?;
        for _ in 0..8 {
            self.contact(&next()?)?.unsubscribe()?;
        }
        self.contact(&next()?)?.complain()?;
        self.contact(&next()?)?.hard_bounce()?;
        let erased = next()?;
        self.stage.clinic.delete(&erased.source_id, now).await?;
        let archived = [next()?, next()?, next()?];
        for record in &archived {
            self.stage.clinic.archive(&record.source_id, now).await?;
        }
        let moved = next()?;
        let new = Address::email("moved.house@post.test")?;
        self.stage
            .clinic
            .change_address(&moved.source_id, Channel::Email, Some(new.clone()), now)
            .await?;
        println!(
            "{confirmed} invitations confirmed, {replied} by text; 1 replied STOP, 1 \"please stop texting me\"; 9 unsubscribed, 1 complained, 1 bounced; 3 archived, 1 erased, 1 moved"
        );

        self.cast = Cast {
            left: Some(left),
            erased: Some(erased),
            archived: archived.to_vec(),
            moved: Some(new),
        };
        Ok(())
    }

    async fn staff_make_trouble(&mut self) -> anyhow::Result<()> {
        let now = self.stage.clock.now();
        let (back, stay) = self.cast.archived.split_first().context("nobody was archived")?;
        let file: Vec<ImportRow> = stay
            .iter()
            .chain(&self.cast.left)
            .chain(&self.cast.erased)
            .filter_map(|record| record.email.as_ref())
            .map(|email| ImportRow { email: email.expose().to_owned(), ..ImportRow::default() })
            .collect();
        let done = self.stage.simulator.staff(&self.stage.audience).import(&file)?;
        self.stage.clinic.reactivate(&back.source_id, now).await?;
        if let Some(erased) = &self.cast.erased {
            let again = PatientRecord {
                source_id: format!("{}-again", erased.source_id),
                status: PatientStatus::Active,
                email_consent: Consent { answer: Answer::Granted, ..Consent::default() },
                updated_at: now,
                ..erased.clone()
            };
            self.stage.clinic.upsert(&[again]).await?;
        }
        println!("{} of {} imported rows were taken by Mailchimp", done.imported, file.len());
        Ok(())
    }

    /// Four of five people who were invited confirm.
    fn confirm_invitations(&self) -> anyhow::Result<usize> {
        let mut confirmed = 0;
        for (number, mail) in self.stage.simulator.outbox().iter().enumerate() {
            if number % 5 != 0 {
                self.stage.simulator.confirm_link(&mail.token)?;
                confirmed += 1;
            }
        }
        Ok(confirmed)
    }

    /// Most people who were asked by text reply YES; one says no by a keyword, one in plain words,
    /// some do not answer.
    fn reply_to_texts(&self) -> anyhow::Result<usize> {
        let mut yes = 0;
        for (number, text) in self.stage.texting.outbox().iter().enumerate() {
            let reply = match number % 5 {
                0 => continue,
                1 if number == 1 => "STOP",
                2 if number == 2 => "please stop texting me",
                _ => "Yes!",
            };
            yes += usize::from(reply == "Yes!");
            self.stage.texting.person(&text.to).texts(SENDER, reply)?;
        }
        Ok(yes)
    }

    pub(super) fn contact(
        &self,
        record: &PatientRecord,
    ) -> anyhow::Result<crate::simulator::mailchimp::Contact> {
        let email = record.email.as_ref().context("a member has an address")?;
        Ok(self.stage.simulator.contact(&self.stage.audience, email.expose()))
    }

    /// Active patients who are subscribed and share their address with nobody.
    pub(super) fn listed_singles(&self) -> Vec<PatientRecord> {
        let patients = &self.stage.town.patients;
        let alone = |record: &&PatientRecord| {
            patients.iter().filter(|other| other.email == record.email).count() == 1
        };
        let subscribed = |record: &&PatientRecord| {
            let email = record.email.as_ref().map(Address::expose).unwrap_or_default();
            let member = self.stage.simulator.member(&self.stage.audience, email);
            member.is_some_and(|member| member.status == Status::Subscribed)
        };
        patients
            .iter()
            .filter(|record| record.status == PatientStatus::Active)
            .filter(subscribed)
            .filter(alone)
            .take(30)
            .cloned()
            .collect()
    }
}
