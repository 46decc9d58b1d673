//! People at the providers, and the staff who work there.

use crate::domain::Channel;
use crate::rehearsal::books::{Act, Line};
use crate::rehearsal::faults::Kind;
use crate::rehearsal::stages::{Deed, Standing};
use crate::rehearsal::world::World;

impl World {
    /// A patient does something at a provider, or staff do to them.
    pub(super) fn patient_does(
        &self,
        clinic: usize,
        list: usize,
        patient: usize,
        deed: Deed,
    ) -> String {
        let channel = self.list(clinic, list).0.channel();
        let address = {
            let books = self.books();
            let record = books.records.get(&(clinic, patient)).and_then(Option::as_ref);
            record.and_then(|record| record.address(channel)).map(|one| one.expose().to_owned())
        };
        let Some(address) = address else { return "nothing".to_owned() };
        let done = self.does_at(clinic, list, &address, Some(patient), deed);
        told(&format!("patient {patient} of c{clinic}"), list, deed, done)
    }

    /// Somebody unknown does something at a provider.
    pub(super) fn stranger_does(
        &self,
        clinic: usize,
        list: usize,
        number: usize,
        deed: Deed,
    ) -> String {
        let channel = self.list(clinic, list).0.channel();
        let address = match channel {
            Channel::Email => format!("stranger{clinic}x{number}@elsewhere.test"),
            Channel::Sms => format!("+4479112{:05}", clinic * 1000 + number),
        };
        self.books().names(&address);
        let done = self.does_at(clinic, list, &address, None, deed);
        told(&format!("stranger {number} of c{clinic}"), list, deed, done)
    }

    /// A member takes another address at the provider.
    pub(super) fn moves_there(&self, clinic: usize, list: usize, patient: usize) -> String {
        let (stage, _, setup) = self.list(clinic, list);
        let channel = stage.channel();
        let from = {
            let books = self.books();
            let record = books.records.get(&(clinic, patient)).and_then(Option::as_ref);
            record.and_then(|record| record.address(channel)).map(|one| one.expose().to_owned())
        };
        let Some(from) = from else { return "nothing".to_owned() };
        let to = format!("moved.{from}");
        self.lookout.look(true);
        if !stage.moves(&setup.audience, &from, &to) {
            return "nothing".to_owned();
        }
        self.lookout.look(false);
        let mut line = Line::new(clinic, channel, Act::MovedHere, self.now());
        line.address = Some(to.clone());
        line.list = Some(list);
        let mut books = self.books();
        books.names(&to);
        books.write(line.clone());
        // It left the address it had: nothing can be said of that one any more.
        line.address = Some(from);
        line.act = Act::Removed;
        books.write(line);
        format!("patient {patient} of c{clinic} moves on list {list}")
    }

    /// Does it, and writes it down if it came to something.
    fn does_at(
        &self,
        clinic: usize,
        list: usize,
        address: &str,
        patient: Option<usize>,
        deed: Deed,
    ) -> bool {
        let (stage, _, setup) = self.list(clinic, list);
        let channel = stage.channel();
        self.lookout.look(true);
        let standing = stage.holds(&setup.audience).get(address).copied();
        if !stage.does(&setup.audience, address, deed) {
            return false;
        }
        self.lookout.look(false);
        if deed == Deed::IsRefused {
            self.weather.count(Kind::Refused);
        }
        if deed == Deed::IsErased {
            self.books().erased.insert((clinic, channel, address.to_owned()));
        }
        let Some(act) = act(deed, channel, standing) else { return true };
        let mut line = Line::new(clinic, channel, act, self.now());
        line.address = Some(address.to_owned());
        line.list = Some(list);
        self.books().write(line.clone());
        if !act.is_no() {
            return true;
        }
        // A no follows everybody who holds the address now (L8).
        let mut books = self.books();
        let holders: Vec<usize> =
            books.holders(clinic, channel, address).map(|(holder, _)| holder).collect();
        for holder in holders.into_iter().chain(patient) {
            books.write(Line { patient: Some(holder), ..line.clone() });
        }
        true
    }
}

fn told(who: &str, list: usize, deed: Deed, done: bool) -> String {
    if done { format!("{who}, list {list}: {deed:?}") } else { "nothing".to_owned() }
}

fn act(deed: Deed, channel: Channel, standing: Option<Standing>) -> Option<Act> {
    let by_text = channel == Channel::Sms;
    match deed {
        Deed::Agrees => Some(Act::Agreed),
        Deed::Refuses | Deed::RefusesInOwnWords => Some(Act::OptedOut),
        // What staff do cannot be told from what the person does, where it reads the same.
        Deed::IsOptedOut => Some(Act::OptedOut),
        Deed::Complains => Some(Act::Complained),
        Deed::Bounces | Deed::IsRefused => Some(Act::Bounced),
        // By text it is a call for help.
        Deed::SignsUp => (!by_text).then_some(Act::SignedUp),
        Deed::Starts => None,
        Deed::IsAdded => Some(Act::Added),
        Deed::IsRemoved | Deed::IsErased => {
            standing.filter(|standing| *standing != Standing::Archived).map(|_| Act::Removed)
        }
    }
}
