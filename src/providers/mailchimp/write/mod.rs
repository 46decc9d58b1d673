//! Writing: which way each write goes, how lots are made of them, and what came of each.

mod bulk;
mod job;
mod outcome;
mod single;
mod steps;

use std::collections::BTreeSet;

use self::steps::way;
use super::Mailchimp;
use crate::domain::Verb;
use crate::providers::{Lot, LotResult, MemberWrite, ProviderError};

/// New members in one request.
const BULK: &str = "bulk";
/// One member, by single calls.
const CALL: &str = "call";
/// Many members, as a job.
const JOB: &str = "job";
/// The most writes one job carries.
const JOB_SIZE: usize = 5_000;

/// Sorts writes into lots, removals first.
pub fn lots(writes: Vec<MemberWrite>, list: &str, single_call_limit: usize) -> Vec<Lot> {
    let (bulk, others): (Vec<_>, Vec<_>) = writes.into_iter().partition(goes_in_bulk);
    let (mut free, mut ordered): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|write| way(list, write).any_order());
    let mut lots = Vec::new();
    if free.len() >= single_call_limit {
        lots.extend(packed(JOB, free, JOB_SIZE));
    } else {
        ordered.append(&mut free);
    }
    lots.extend(packed(CALL, ordered, 1));
    lots.extend(packed(BULK, bulk, bulk::MOST));
    lots.sort_by_key(|lot| !lot.writes.iter().any(|write| write.verb.removes()));
    lots
}

fn goes_in_bulk(write: &MemberWrite) -> bool {
    let enters = matches!(write.verb, Verb::Invite | Verb::Subscribe);
    enters && !write.from.is_present() && !bulk::is_role(&write.address)
}

/// Fills lots of at most `most` writes in order, none of them with an address twice.
fn packed(route: &'static str, writes: Vec<MemberWrite>, most: usize) -> Vec<Lot> {
    let mut lots: Vec<Lot> = Vec::new();
    let mut addresses = BTreeSet::new();
    for write in writes {
        let fits = lots.last().is_some_and(|lot| lot.writes.len() < most);
        if !fits || addresses.contains(&write.address) {
            addresses.clear();
            lots.push(Lot { route, writes: Vec::new() });
        }
        addresses.insert(write.address.clone());
        if let Some(lot) = lots.last_mut() {
            lot.writes.push(write);
        }
    }
    lots
}

impl Mailchimp {
    pub(super) async fn send_lot(&self, lot: &Lot) -> Result<LotResult, ProviderError> {
        match lot.route {
            BULK => self.send_bulk(&lot.writes).await,
            JOB => self.send_job(&lot.writes).await,
            _ => self.send_singly(&lot.writes).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Address, MemberKey, MemberStatus};

    pub(super) fn write(verb: Verb, from: MemberStatus) -> MemberWrite {
        numbered(verb, from, 0)
    }

    pub(super) fn numbered(verb: Verb, from: MemberStatus, number: u128) -> MemberWrite {
        let name = if number == 0 { "ann".to_owned() } else { format!("ann{number}") };
        MemberWrite {
            id: Uuid::from_u128(number),
            verb,
            from,
            member: from.is_present().then(|| MemberKey("c1".to_owned())),
            address: Address::email(&format!("{name}@mail.test")).unwrap(),
            payload: None,
            text: None,
        }
    }

    fn many(verb: Verb, from: MemberStatus, count: u128) -> Vec<MemberWrite> {
        (1..=count).map(|number| numbered(verb, from, number)).collect()
    }

    fn shape(writes: Vec<MemberWrite>) -> Vec<(&'static str, usize)> {
        lots(writes, "a1", 200).into_iter().map(|lot| (lot.route, lot.writes.len())).collect()
    }

    #[test]
    fn a_thousand_invitations_are_two_requests() {
        let invitations = many(Verb::Invite, MemberStatus::Absent, 1_000);
        assert_eq!(shape(invitations), [(BULK, 500), (BULK, 500)]);
    }

    #[test]
    fn removals_go_singly_while_few_and_as_a_job_once_many() {
        let archive = |count| many(Verb::Archive, MemberStatus::Subscribed, count);
        assert_eq!(shape(archive(199)), vec![(CALL, 1); 199]);
        assert_eq!(shape(archive(200)), [(JOB, 200)]);
        let pending = many(Verb::Archive, MemberStatus::Pending, 200);
        assert_eq!(shape(pending), vec![(CALL, 1); 200], "two steps need their order");
    }

    #[test]
    fn removals_come_first_and_an_address_comes_once_in_a_lot() {
        let mut writes = many(Verb::Invite, MemberStatus::Absent, 2);
        writes.push(write(Verb::Unsubscribe, MemberStatus::Subscribed));
        writes.push(numbered(Verb::Invite, MemberStatus::Absent, 2));
        assert_eq!(shape(writes), [(CALL, 1), (BULK, 2), (BULK, 1)]);
    }

    #[test]
    fn a_role_address_is_invited_singly() {
        let mut role = write(Verb::Invite, MemberStatus::Absent);
        role.address = Address::email("admin@mail.test").unwrap();
        assert_eq!(shape(vec![role]), [(CALL, 1)]);
    }
}
