//! The door: who knocks too often is not heard for a while. All its memories are bounded.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Bad tokens from one address before it is locked out.
const BAD_TOKENS: u32 = 10;
/// How long bad tokens count, and how long who brought them is locked out.
const LOCKED: TimeDelta = TimeDelta::minutes(1);
/// Addresses, and tokens, remembered at once.
const REMEMBERED: usize = 10_000;
/// Requests of one token within a second.
const A_SECOND: u32 = 50;
/// Requests of one token that are refused within a minute, each on record for good.
const REFUSED: u32 = 100;

/// What somebody did since when, and how often.
type Counts<K> = Mutex<BTreeMap<K, (DateTime<Utc>, u32)>>;

/// Counts bad tokens by address, and by token what it asks and is refused.
#[derive(Debug, Default)]
pub(super) struct Door {
    bad: Counts<IpAddr>,
    asked: Counts<Uuid>,
    refused: Counts<Uuid>,
}

impl Door {
    /// Returns for how many seconds the address is still locked out.
    pub(super) fn locked_out(&self, from: IpAddr, now: DateTime<Utc>) -> Option<u64> {
        let (since, bad) = *locked(&self.bad).get(&neighbourhood(from))?;
        let left = (since + LOCKED - now).num_seconds();
        (bad >= BAD_TOKENS && left > 0).then(|| left.unsigned_abs())
    }

    /// Remembers a bad token.
    pub(super) fn bad_token(&self, from: IpAddr, now: DateTime<Utc>) {
        let mut bad = locked(&self.bad);
        let entry = counted(&mut bad, neighbourhood(from), LOCKED, now);
        if entry.1 == BAD_TOKENS {
            entry.0 = now;
        }
    }

    /// Returns for how many seconds the token has asked enough; only tokens that hold come here.
    pub(super) fn too_often(&self, token: Uuid, now: DateTime<Utc>) -> Option<u64> {
        let mut asked = locked(&self.asked);
        let (_, times) = counted(&mut asked, token, TimeDelta::seconds(1), now);
        (*times > A_SECOND).then_some(1)
    }

    /// Counts a refusal; returns for how many seconds the token was refused often enough.
    pub(super) fn refused(&self, token: Uuid, now: DateTime<Utc>) -> Option<u64> {
        let mut refused = locked(&self.refused);
        let (_, times) = counted(&mut refused, token, LOCKED, now);
        (*times > REFUSED).then_some(LOCKED.num_seconds().unsigned_abs())
    }
}

/// Whoever has one IPv6 address has a network of them: they count as one.
fn neighbourhood(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(from) => {
            let [a, b, c, d, ..] = from.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        from @ IpAddr::V4(_) => from,
    }
}

/// Counts once more, anew where the last count began longer than `lasts` ago.
fn counted<K: Ord>(
    counts: &mut BTreeMap<K, (DateTime<Utc>, u32)>,
    key: K,
    lasts: TimeDelta,
    now: DateTime<Utc>,
) -> &mut (DateTime<Utc>, u32) {
    if counts.len() >= REMEMBERED && !counts.contains_key(&key) {
        // Under such an attack nobody is remembered for long; a token is guessed by none all the same.
        counts.clear();
    }
    let entry = counts.entry(key).or_insert((now, 0));
    if now - entry.0 >= lasts {
        *entry = (now, 0);
    }
    entry.1 += 1;
    entry
}

fn locked<K>(counts: &Counts<K>) -> MutexGuard<'_, BTreeMap<K, (DateTime<Utc>, u32)>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_locked_out_after_bad_tokens_and_let_in_again() {
        let (door, from, other) =
            (Door::default(), IpAddr::from([1, 2, 3, 4]), [9, 9, 9, 9].into());
        let now = DateTime::UNIX_EPOCH;
        for _ in 1..BAD_TOKENS {
            door.bad_token(from, now);
            assert_eq!(door.locked_out(from, now), None);
        }
        door.bad_token(from, now);
        assert_eq!(door.locked_out(from, now), Some(60));
        assert_eq!(door.locked_out(other, now), None);
        assert_eq!(door.locked_out(from, now + LOCKED), None);
    }

    #[test]
    fn the_addresses_of_one_network_are_locked_out_together() {
        let (door, now) = (Door::default(), DateTime::UNIX_EPOCH);
        let from = |host| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, host]);
        for host in 0..10 {
            door.bad_token(from(host), now);
        }
        assert_eq!(door.locked_out(from(99), now), Some(60));
        assert_eq!(door.locked_out([0x2001, 0xdb8, 0, 8, 0, 0, 0, 1].into(), now), None);
    }

    #[test]
    fn a_token_is_put_off_for_the_rest_of_a_second() {
        let (door, token, now) = (Door::default(), Uuid::nil(), DateTime::UNIX_EPOCH);
        assert!((0..A_SECOND).all(|_| door.too_often(token, now).is_none()));
        assert_eq!(door.too_often(token, now), Some(1));
        assert_eq!(door.too_often(Uuid::max(), now), None);
        assert_eq!(door.too_often(token, now + TimeDelta::seconds(1)), None);
    }

    #[test]
    fn a_token_that_is_refused_and_refused_fills_no_log() {
        let (door, token, now) = (Door::default(), Uuid::nil(), DateTime::UNIX_EPOCH);
        assert!((0..REFUSED).all(|_| door.refused(token, now).is_none()));
        assert_eq!(door.refused(token, now), Some(60));
        assert_eq!(door.refused(token, now + LOCKED), None);
    }

    #[test]
    fn however_many_addresses_bring_bad_tokens_few_are_remembered() {
        let door = Door::default();
        for n in 0..30_000_u32 {
            door.bad_token(IpAddr::from(n.to_be_bytes()), DateTime::UNIX_EPOCH);
        }
        assert!(locked(&door.bad).len() <= REMEMBERED);
    }
}
