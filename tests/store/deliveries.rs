use listwarden::domain::{
    Actor, Channel, Draft, EventId, EventKind, MemberStatus, Origin, Reason, TimeSource,
};
use listwarden::store::{NewDelivery, NewEndpoint, PlannedLink, ProvenOptOut, Store, Which};

use crate::world::{World, at, id, record};

/// Rounds of the race, and addresses in each.
const ROUNDS: usize = 25;
const MANY: usize = 12;

stories! {
    async fn one_act_told_twice_together_is_one_line(world: World) {
        let endpoint = world.endpoint().await;
        let name = "ann@mail.test";
        world.reads(&[record("1", name)]).await;
        let twice = ["user/1", "admin/1"].map(|key| delivery(world, endpoint, key, name));
        assert_eq!(world.store.deliveries_take(&twice).await.unwrap(), [true; 2]);
        assert_eq!(world.store.ledger_length(world.clinic).await.unwrap(), 1);
        // The same act as it is read off the member.
        let contact = world.contact(name).await.unwrap();
        let mut read = twice[0].opt_outs[0].draft.clone();
        read.contact = Some(contact);
        read.unique = Draft::act(contact, read.kind, at(-1));
        let event = read.into_event(EventId(id()), at(1));
        let appended = world.store.ledger_append(None, world.clinic, vec![event]).await.unwrap();
        assert_eq!((appended.new, appended.duplicate), (0, 1));
    }

    async fn l15_a_delivery_is_kept_with_the_opt_out_that_it_proves_or_not_at_all(world: World) {
        let endpoint = world.endpoint().await;
        let name = "ann@mail.test";
        world.reads(&[record("1", name)]).await;
        let told = [delivery(world, endpoint, "user/1", name)];
        let takes = async |store: Store| store.deliveries_take(&told).await.map(drop);
        world.keeps_all_or_nothing(takes).await;
        assert_eq!(world.store.ledger_length(world.clinic).await.unwrap(), 1);
    }

    async fn an_opt_out_that_is_held_is_the_one_on_record_until_the_address_confirms(world: World) {
        let endpoint = world.endpoint().await;
        let name = "ann@mail.test";
        world.reads(&[record("1", name)]).await;
        let said = delivery(world, endpoint, "said", name);
        let held = |key: &str| {
            let mut held = delivery(world, endpoint, key, name);
            held.opt_outs[0].held_since = Some(at(-1_000));
            held.opt_outs[0].draft.occurred_at = Some(at(600));
            held.opt_outs[0].at = None;
            held
        };
        world.clock.set(at(700));
        world.store.deliveries_take(&[said, held("refused")]).await.unwrap();
        assert_eq!(world.store.ledger_length(world.clinic).await.unwrap(), 1, "one act");
        let mut confirmed = world.event(EventKind::Confirmed, "yes");
        confirmed.draft.contact = world.contact(name).await;
        confirmed.draft.occurred_at = Some(at(300));
        world.appends(vec![confirmed]).await;
        world.store.deliveries_take(&[held("refused again")]).await.unwrap();
        assert_eq!(world.store.ledger_length(world.clinic).await.unwrap(), 3, "another");
    }

    async fn receivers_and_a_run_wait_for_each_other_and_lose_nothing(world: World) {
        let endpoint = world.endpoint().await;
        let other = world.another_process(world.keys.clone()).await;
        for round in 0..ROUNDS {
            let names: Vec<String> =
                (0..MANY).map(|number| format!("p{round}-{number}@mail.test")).collect();
            // Half are patients already; of the others receivers and the run learn at once.
            let known: Vec<_> = names.iter().step_by(2).map(|name| record(name, name)).collect();
            world.reads(&known).await;
            let told = |backwards: bool, from: &str| {
                let mut told: Vec<_> = names
                    .iter()
                    .map(|name| delivery(world, endpoint, &format!("{from}/{name}"), name))
                    .collect();
                if backwards {
                    told.reverse();
                }
                told
            };
            let (one, two) = (told(false, "user"), told(true, "admin"));
            let (first, second, ()) = tokio::join!(
                world.store.deliveries_take(&one),
                other.deliveries_take(&two),
                run(world, &names),
            );
            assert_eq!((first.unwrap(), second.unwrap()), (vec![true; MANY], vec![true; MANY]), "round {round}");
        }
        let links = world.links().await;
        let out = |row: &&listwarden::store::LinkRow| {
            row.facts.contact.as_ref().is_some_and(|c| !c.standing.opt_outs.is_empty())
        };
        assert_eq!(links.iter().filter(out).count(), ROUNDS * MANY);
    }
}

impl World {
    async fn endpoint(&self) -> uuid::Uuid {
        let new = NewEndpoint {
            clinic: self.clinic,
            account: "main".to_owned(),
            audience: None,
            origin: Origin::Contact,
        };
        self.store.endpoint_add(&new).await.unwrap().id
    }
}

/// What a run writes meanwhile: patients, members and plans, in its own order.
async fn run(world: &World, names: &[String]) {
    let records: Vec<_> = names.iter().rev().map(|name| record(name, name)).collect();
    let members: Vec<_> = names
        .iter()
        .rev()
        .map(|name| world.member(&format!("k{name}"), name, MemberStatus::Subscribed))
        .collect();
    let store: &Store = &world.store;
    let (lease, list) = (&world.lease, &world.list);
    tokio::join!(async { world.reads(&records).await }, async {
        world.observes(&members).await;
        let links = store.links_page(list, -1, 5_000, Which::All).await.unwrap();
        let planned: Vec<_> = links.iter().map(planned).collect();
        store.links_planned(lease, world.clinic, &planned).await.unwrap();
    });
}

fn planned(row: &listwarden::store::LinkRow) -> PlannedLink {
    PlannedLink {
        link: row.link.id,
        version: row.version,
        class: listwarden::domain::Class::InStep,
        reason: Reason::Wanted,
        due_at: None,
        stale: false,
    }
}

fn delivery(world: &World, endpoint: uuid::Uuid, key: &str, address: &str) -> NewDelivery {
    let mut draft =
        Draft::new(EventKind::Withdrawn, Actor::Person, TimeSource::Provider, "newsletter");
    draft.channel = Some(Channel::Email);
    draft.occurred_at = Some(at(-1));
    draft.unique = format!("delivery/{key}");
    let hashes = world.hashes(address);
    NewDelivery {
        clinic: world.clinic,
        endpoint,
        key: key.to_owned(),
        body: Vec::new(),
        media_type: "text/plain".to_owned(),
        proven: true,
        opt_outs: vec![ProvenOptOut {
            held_since: None,
            clinic: world.clinic,
            channel: Channel::Email,
            hashes,
            at: Some(at(-1)),
            draft,
        }],
    }
}
