//! Worlds that are wrong on purpose: each wrong must be noticed by its checker, or the checker is
//! worth nothing.

use serde::{Deserialize, Serialize};

use super::books::{Act, Books, Line};
use super::stages::Standing;
use super::world::{World, a_while_ago};
use crate::domain::{Channel, PatientStatus};

/// What is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doctored {
    /// Whoever said no is subscribed, as if by the program.
    ListsWhoSaidNo,
    /// Somebody who never agreed is subscribed, as if by the program.
    SkipsProof,
    /// Somebody is asked again for nothing.
    AsksTwice,
    /// A delivery was answered with 2xx and not kept.
    LosesADelivery,
    /// Somebody is named in what the program says.
    NamesSomebody,
    /// Somebody dropped is on the list at the end.
    HoldsSomebodyDropped,
    /// Somebody who said no is on the list at the end.
    HoldsWhoSaidNo,
    /// Somebody wanted is not on the list at the end.
    ForgetsSomebody,
    /// A line of the ledger is changed.
    ChangesTheLedger,
    /// The clinic does not hear of a no.
    KeepsANoToItself,
}

impl Doctored {
    /// Every wrong, with the law that must be found broken.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::ListsWhoSaidNo, "L11 nothing re-subscribes anyone by itself"),
        (Self::SkipsProof, "L10 nobody becomes subscribed without proof"),
        (Self::AsksTwice, "L3 one invitation a yes"),
        (Self::LosesADelivery, "L1 no acknowledged event is lost"),
        (Self::NamesSomebody, "L25 nothing said names anybody"),
        (Self::HoldsSomebodyDropped, "L14 nobody dropped is held"),
        (Self::HoldsWhoSaidNo, "L6 nobody barred is listed"),
        (Self::ForgetsSomebody, "L6 nobody wanted is forgotten"),
        (Self::ChangesTheLedger, "L1 the ledger verifies"),
        (Self::KeepsANoToItself, "L15 the clinic hears every no"),
    ];
}

impl World {
    /// Does what is wrong while the world lives.
    pub fn is_doctored_in_life(&self) {
        let (stage, _, setup) = self.list(0, 0);
        let address = "doctored@post.test";
        let mut line = Line::new(0, Channel::Email, Act::OptedOut, a_while_ago(self.now()));
        line.address = Some(address.to_owned());
        line.list = Some(0);
        line.told_at = Some(line.at);
        match self.history.doctored {
            Some(Doctored::ListsWhoSaidNo) => {
                self.books().write(line);
                stage.was_there(&setup.audience, address, Standing::Pending, self.now());
                self.lookout.look(true);
            }
            Some(Doctored::SkipsProof) => {
                stage.was_there(&setup.audience, address, Standing::Subscribed, self.now());
                self.lookout.look(true);
            }
            Some(Doctored::AsksTwice) => {
                let known = (0, Channel::Email, address.to_owned());
                self.books().ever.entry(known).or_default().insert(0);
                for _ in 0..2 {
                    super::laws::door::judge_question(
                        &self.lookout,
                        0,
                        Some(&setup.audience),
                        address,
                    );
                }
            }
            Some(Doctored::LosesADelivery) => {
                for number in 0..1_000 {
                    let lost = (String::new(), number.to_string());
                    self.books().acknowledged.insert(lost);
                }
            }
            Some(Doctored::NamesSomebody) => {
                let somebody = self.books().personal.first().cloned();
                self.said.hear(&somebody.unwrap_or_default());
            }
            _ => {}
        }
    }

    /// Does what is wrong once the world has come to rest.
    pub async fn is_doctored_at_rest(&self) -> anyhow::Result<()> {
        let (stage, _, setup) = self.list(0, 0);
        let put = |address: &str, standing| {
            stage.was_there(&setup.audience, address, standing, self.now());
        };
        match self.history.doctored {
            Some(Doctored::HoldsSomebodyDropped) => {
                let known = (0, Channel::Email, "doctored@post.test".to_owned());
                self.books().ever.entry(known).or_default().insert(0);
                put("doctored@post.test", Standing::Cleaned);
            }
            Some(Doctored::HoldsWhoSaidNo) => {
                let address = somebody_with(&self.books(), Act::No).unwrap_or_default();
                put(&address, Standing::Subscribed);
            }
            Some(Doctored::ForgetsSomebody) => {
                let address = somebody_with(&self.books(), Act::Yes).unwrap_or_default();
                self.books().asked.clear();
                put(&address, Standing::Archived);
            }
            Some(Doctored::ChangesTheLedger) => {
                self.spoil("UPDATE ledger SET recorded_at = recorded_at + 1").await?;
            }
            Some(Doctored::KeepsANoToItself) => {
                let address = somebody_with(&self.books(), Act::Yes).unwrap_or_default();
                let mut books = self.books();
                let holder = books.holders(0, Channel::Email, &address).next();
                let patient = holder.map(|(patient, _)| patient);
                let mut line = Line::new(0, Channel::Email, Act::OptedOut, self.now());
                line.patient = patient;
                line.address = Some(address);
                line.list = Some(0);
                books.write(line);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Finds the address of an active patient of the first clinic who did this and no more.
fn somebody_with(books: &Books, act: Act) -> Option<String> {
    let active = books.records.iter().filter(|((clinic, _), record)| {
        let status = record.as_ref().map(|record| record.status);
        *clinic == 0 && status == Some(PatientStatus::Active)
    });
    let mut found = active.filter_map(|((_, patient), record)| {
        let address = record.as_ref()?.email.as_ref()?.expose().to_owned();
        let mut theirs = books.of(0, Channel::Email).filter(|line| {
            line.patient == Some(*patient) || line.address.as_deref() == Some(&address)
        });
        theirs.all(|line| line.act == act).then_some(address)
    });
    found.next()
}
