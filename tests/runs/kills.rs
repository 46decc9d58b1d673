//! A process killed at any request: the next one ends where it would have ended (L17).

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use listwarden::domain::{PatientRecord, PatientStatus};
use listwarden::simulator::mailchimp::{SeedMember, Status, Write};

use crate::on_both_engines;
use crate::transport::{Side, Stopping};
use crate::world::{Engine, World, address, run_on};

/// No brake.
const BARE: &str = "[lists.newsletter.brake]\nat_least = 100000\nat_most = 100000\n\
    invitations = 100000\n";

/// What a round of life comes to at the provider.
#[derive(Debug, PartialEq, Eq)]
struct End {
    states: BTreeMap<String, Option<Status>>,
    mails: BTreeMap<String, usize>,
    changes: usize,
}

impl World {
    /// Runs a process that dies at its `nth` request. Tells whether it came that far.
    async fn dies_at(&self, nth: usize, side: Side) -> bool {
        let transport = Arc::new(Stopping::at(nth, side));
        let doomed = self.process_over(transport.clone()).await;
        tokio::select! {
            biased;
            () = transport.reached() => true,
            _ = run_on(&doomed, true) => false,
        }
    }

    /// Ten people whose names end in `round`, and everything that may happen to them in a day.
    async fn a_day(&self, round: &str) {
        let name = |who: &str| format!("{who}{round}");
        for who in ["archived", "moved", "withdrawn", "deleted", "renamed", "left"] {
            self.consenting(&name(who)).await;
        }
        self.consenting(&name("waiting")).await;
        self.try_run(true).await;
        for who in ["archived", "moved", "withdrawn", "deleted", "renamed", "left"] {
            self.confirms(&name(who));
        }
        self.runs().await;
        self.pass(TimeDelta::hours(1));
        let now = self.now();
        self.clinic.archive(&name("archived"), now).await.unwrap();
        self.clinic.archive(&name("waiting"), now).await.unwrap();
        self.clinic.delete(&name("deleted"), now).await.unwrap();
        self.clinic.rename(&name("renamed"), "Zoe", "Young", now).await.unwrap();
        self.withdraws(&name("withdrawn")).await;
        self.moves(&name("moved"), &name("there")).await;
        self.unsubscribes(&name("left"));
        self.consenting(&name("new")).await;
    }

    /// What became of the people of one round, by their names without it.
    async fn end_of(&self, round: &str, writes_before: usize) -> End {
        let mut end = End { states: BTreeMap::new(), mails: BTreeMap::new(), changes: 0 };
        for who in [
            "archived",
            "moved",
            "there",
            "withdrawn",
            "deleted",
            "renamed",
            "left",
            "waiting",
            "new",
        ] {
            let name = format!("{who}{round}");
            end.states.insert(who.to_owned(), self.there(&name));
            end.mails.insert(who.to_owned(), self.invitations(&name));
            let told = self.told(&name).await;
            assert_eq!(told.contains(&"withdrawn".to_owned()), who == "left", "{name}: {told:?}");
        }
        end.changes = self.simulator.writes()[writes_before..].iter().map(changes).sum();
        end
    }
}

/// How many members a request changed.
fn changes(write: &Write) -> usize {
    if !(200..300).contains(&write.status) && write.status != 599 {
        return 0;
    }
    let body: serde_json::Value = serde_json::from_str(&write.body).unwrap_or_default();
    if let Some(operations) = body["operations"].as_array() {
        return operations.iter().filter(|operation| operation["method"] != "GET").count();
    }
    body["members"].as_array().map_or(1, Vec::len)
}

on_both_engines! {
    async fn l17_a_kill_at_any_request_changes_nothing_in_the_end(mut world: World, with BARE) {
        world.asks_one_thing_at_a_time().await;
        world.adopts().await;
        world.a_day("x").await;
        let before = world.writes();
        world.runs().await;
        let usual = world.end_of("x", before).await;
        let mut deaths = 0;
        for side in [Side::Before, Side::After] {
            for nth in 1.. {
                let round = format!("{nth}{side:?}").to_lowercase();
                world.pass(TimeDelta::days(2));
                world.a_day(&round).await;
                let before = world.writes();
                if !world.dies_at(nth, side).await {
                    break;
                }
                deaths += 1;
                world.pass(TimeDelta::minutes(3));
                world.runs().await;
                assert_eq!(world.end_of(&round, before).await, usual, "killed {side:?} {nth}");
            }
        }
        assert!(deaths > 20, "{deaths}");
        world.end().await;
    }
}

/// Removals of one job.
const MANY: usize = 205;

impl World {
    /// Many archived patients who are still on the list.
    async fn many_to_remove(&self, round: &str) {
        let gone = |number: usize| PatientRecord {
            status: PatientStatus::Archived,
            email_consent: self.explicit(),
            ..self.somebody(&format!("{round}x{number}"))
        };
        let records: Vec<_> = (0..MANY).map(gone).collect();
        self.enter_all(&records).await;
        let members =
            (0..MANY).map(|number| SeedMember::subscribed(address(&format!("{round}x{number}"))));
        self.simulator.seed_members(&self.audience, members).unwrap();
    }
}

on_both_engines! {
    async fn l17_a_kill_around_a_job_removes_everybody_once(mut world: World, with BARE) {
        world.asks_one_thing_at_a_time().await;
        world.adopts().await;
        let mut deaths = 0;
        for side in [Side::Before, Side::After] {
            for nth in 5.. {
                let round = format!("{nth}{side:?}").to_lowercase();
                world.pass(TimeDelta::days(2));
                world.many_to_remove(&round).await;
                let before = world.writes();
                if !world.dies_at(nth, side).await {
                    break;
                }
                deaths += 1;
                world.pass(TimeDelta::minutes(3));
                world.runs().await;
                for number in 0..MANY {
                    let there = world.there(&format!("{round}x{number}"));
                    assert_eq!(there, Some(Status::Archived), "killed {side:?} {nth}");
                }
                let writes = world.simulator.writes();
                let changed: usize = writes[before..].iter().map(changes).sum();
                assert_eq!(changed, MANY, "killed {side:?} {nth}");
            }
        }
        assert!(deaths >= 4, "{deaths}");
        world.end().await;
    }
}
