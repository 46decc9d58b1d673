//! Many deliveries at once, in any order, twice, to two processes; and beside an erasure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use http::StatusCode;
use listwarden::simulator::mailchimp::{Attempt, ContactAct, Status};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::on_both_engines;
use crate::webhooks::{Catcher, Serving, request};
use crate::world::{Engine, World, address};

/// People, and deliveries of them: a third says one thing, a third two, a third three.
const PEOPLE: usize = 501;
const DELIVERIES: usize = 1002;

/// No brake, and all of them invited at once.
const BARE: &str = "[lists.newsletter.brake]\nat_least = 100000\nat_most = 100000\n\
    invitations = 100000\n";

/// What many deliveries came to: who stands how at the provider, what the clinic was told of whom,
/// and how many lines of which kind the ledger has.
type End = (BTreeMap<String, Option<Status>>, BTreeSet<(String, String)>, BTreeMap<String, usize>);

impl World {
    /// Everybody says no at the provider: some at once, some after a change of their name, some
    /// after a change of their address. Returns what it sends of that, undelivered.
    async fn everybody_leaves(&self) -> Vec<Attempt> {
        self.many_listed("p", PEOPLE).await;
        self.registers().await;
        for number in 0..PEOPLE {
            let name = format!("p{number}");
            let mut contact = self.contact(&name);
            match number % 3 {
                1 => contact.edit_profile("FNAME", "Zoe").unwrap(),
                2 => {
                    let to = format!("new{number}");
                    contact.act(&ContactAct::ChangeAddress { to: address(&to) }).unwrap();
                    contact = self.contact(&to);
                }
                _ => {}
            }
            self.pass(TimeDelta::seconds(1));
            contact.unsubscribe().unwrap();
        }
        let catcher = Arc::new(Catcher::default());
        self.simulator.connect_webhooks(catcher.clone());
        self.simulator.deliver_webhooks().await;
        catcher.caught()
    }

    async fn end_of_all(&self) -> End {
        let names = (0..PEOPLE).flat_map(|number| [format!("p{number}"), format!("new{number}")]);
        let there = names.map(|name| (name.clone(), self.there(&name))).collect();
        let told = self.clinic.feedback().await.unwrap();
        let told = told.into_iter().map(|line| (line.patient_id, line.kind)).collect();
        let mut lines = BTreeMap::new();
        for kind in self.store_says("SELECT kind FROM ledger").await {
            *lines.entry(kind).or_default() += 1;
        }
        (there, told, lines)
    }
}

impl Serving {
    async fn takes(&self, attempts: &[Attempt]) {
        for attempt in attempts {
            assert_eq!(self.answers(request(attempt)).await, StatusCode::OK);
        }
    }
}

on_both_engines! {
    async fn a_thousand_deliveries_in_any_order_twice_to_two_processes_end_as_in_order(
        world: World, with BARE
    ) {
        let ordered = World::new(world.engine, BARE).await;
        let in_order = ordered.everybody_leaves().await;
        assert_eq!(in_order.len(), DELIVERIES);
        let one = Serving::of(&ordered).await;
        one.takes(&in_order).await;
        one.attends().await;
        ordered.runs().await;

        let mut shuffled = world.everybody_leaves().await;
        shuffled.extend_from_within(..);
        shuffled.shuffle(&mut StdRng::seed_from_u64(7));
        let (one, other) = (Serving::of(&world).await, Serving::of(&world).await);
        let (left, right) = shuffled.split_at(DELIVERIES);
        tokio::join!(one.takes(left), other.takes(right));
        let noes = world.withdrawals_on_record().await;
        assert_eq!(noes, PEOPLE, "each is on record before anything is attended to");
        let (first, second) = tokio::join!(one.reconciler.attend(), other.reconciler.attend());
        first.unwrap();
        second.unwrap();
        one.attends().await;
        world.runs().await;

        let ((there, told, lines), as_in_order) = (world.end_of_all().await, ordered.end_of_all().await);
        assert!(there == as_in_order.0, "they stand as in order");
        let of_one: Vec<_> = told.symmetric_difference(&as_in_order.1).take(5).collect();
        assert!(of_one.is_empty(), "told in one of both: {of_one:?}");
        assert_eq!(lines, as_in_order.2);
        ordered.end().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn l14_who_says_no_while_they_are_erased_is_erased_and_stays_out(world: World) {
        let names: Vec<String> = (0..10).map(|number| format!("p{number}")).collect();
        world.listed(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        world.registers().await;
        for name in &names {
            world.unsubscribes(name);
            let catcher = Arc::new(Catcher::default());
            world.simulator.connect_webhooks(catcher.clone());
            world.simulator.deliver_webhooks().await;
            let serving = Serving::of(&world).await;
            let attempts = catcher.caught();
            let (receipt, ()) = tokio::join!(world.erases(name), async {
                serving.takes(&attempts).await;
                serving.reconciler.attend().await.unwrap();
            });
            assert!(receipt.done || world.erases(name).await.done, "{receipt:#?}");
            serving.attends().await;
            world.pass(TimeDelta::hours(1));
        }
        world.runs().await;
        let kept = world.kept().await;
        for name in &names {
            assert!(!kept.contains(&address(name)), "{name} is still kept");
            assert_eq!(world.there(name), None);
        }
        let store = &world.deployment.store;
        let clinic = store.clinics().await.unwrap()[0].id;
        assert_eq!(store.ledger_verify(clinic).await.unwrap().first_bad, None);
        world.end().await;
    }
}
