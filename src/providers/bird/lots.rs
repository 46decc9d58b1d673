//! Sorting writes into lots: one way of changing an audience each.

use std::collections::BTreeSet;

use crate::domain::Verb;
use crate::providers::{Lot, MemberWrite};

/// Members taken off.
pub const OFF: &str = "off";
/// Contacts erased.
pub const ERASE: &str = "erase";
/// Members put on.
pub const ON: &str = "on";
/// A text that asks for a confirmation.
pub const TEXT: &str = "text";
/// Changes that need no request: there is nothing to update at a number.
pub const NONE: &str = "none";

/// How many numbers one request looks up, and so how many contacts one lot erases.
pub const NUMBERS: usize = 50;

/// The routes, the ways out first, each with the most writes of one lot: what one request takes.
const ROUTES: [(&str, usize); 5] =
    [(OFF, 1_000), (ERASE, NUMBERS), (NONE, 1_000), (ON, 1_000), (TEXT, 1)];

const fn route(verb: Verb) -> &'static str {
    match verb {
        Verb::Unsubscribe | Verb::Archive => OFF,
        Verb::Erase => ERASE,
        Verb::Update => NONE,
        Verb::Subscribe => ON,
        Verb::Invite => TEXT,
    }
}

/// Sorts writes into lots. Where a number comes again, what was asked for first goes first.
pub fn lots(writes: Vec<MemberWrite>) -> Vec<Lot> {
    let mut lots = Vec::new();
    let (mut round, mut there) = (Vec::new(), BTreeSet::new());
    for write in writes {
        if !there.insert(write.address.clone()) {
            lots.extend(sorted(&std::mem::take(&mut round)));
            there = BTreeSet::from([write.address.clone()]);
        }
        round.push(write);
    }
    lots.extend(sorted(&round));
    lots
}

fn sorted(writes: &[MemberWrite]) -> Vec<Lot> {
    let mut lots: Vec<Lot> = Vec::new();
    for (name, most) in ROUTES {
        let own = writes.iter().filter(|write| route(write.verb) == name).cloned();
        let own: Vec<MemberWrite> = own.collect();
        let chunks = own.chunks(most);
        lots.extend(chunks.map(|writes| Lot { route: name, writes: writes.to_vec() }));
    }
    lots
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Address, MemberStatus};

    fn write(verb: Verb, number: u32) -> MemberWrite {
        MemberWrite {
            id: Uuid::nil(),
            verb,
            from: MemberStatus::Absent,
            member: None,
            address: Address::mobile(&format!("+4479111{number:05}"), None).unwrap(),
            payload: None,
            text: None,
        }
    }

    fn shape(writes: Vec<MemberWrite>) -> Vec<(&'static str, usize)> {
        lots(writes).iter().map(|lot| (lot.route, lot.writes.len())).collect()
    }

    #[test]
    fn the_ways_out_come_first_and_a_lot_is_as_large_as_one_request_takes() {
        let mut writes: Vec<_> = (0..1_001).map(|n| write(Verb::Subscribe, n)).collect();
        writes.push(write(Verb::Invite, 2_001));
        writes.push(write(Verb::Invite, 2_002));
        writes.extend((0..51).map(|n| write(Verb::Erase, 3_000 + n)));
        writes.push(write(Verb::Archive, 4_000));
        writes.push(write(Verb::Unsubscribe, 4_001));
        let expected =
            [(OFF, 2), (ERASE, 50), (ERASE, 1), (ON, 1_000), (ON, 1), (TEXT, 1), (TEXT, 1)];
        assert_eq!(shape(writes), expected);
        assert!(lots(Vec::new()).is_empty());
    }

    #[test]
    fn where_a_number_comes_again_what_came_first_goes_first() {
        let writes = vec![write(Verb::Subscribe, 1), write(Verb::Archive, 1)];
        assert_eq!(shape(writes), [(ON, 1), (OFF, 1)]);
    }
}
