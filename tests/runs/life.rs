//! A town of patients lives on for some days: whatever happens, nobody is listed wrongly.

use chrono::TimeDelta;
use listwarden::domain::{Channel, PatientStatus};
use listwarden::reconcile::ListState;
use listwarden::rehearsal::town::Town;
use listwarden::simulator::mailchimp::{ImportRow, Status};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::leaving::LOOSE;
use crate::on_both_engines;
use crate::world::{Engine, World, state};

const PATIENTS: usize = 150;
const DAYS: usize = 4;
const ACTS: usize = 25;

/// A town that lives by its seed.
struct Life<'a> {
    world: &'a World,
    chance: StdRng,
    patients: Vec<String>,
}

impl Life<'_> {
    async fn settle(world: &World, seed: u64) -> Life<'_> {
        let town = Town::new(PATIENTS, world.now(), seed);
        let patients = town.patients.iter().map(|record| record.source_id.clone()).collect();
        world.enter_all(&town.patients).await;
        for member in &town.members {
            if member.status == Status::Unsubscribed {
                let at = member.last_changed.unwrap();
                world.noes.lock().unwrap().insert(member.email.clone(), at);
            }
        }
        world.simulator.seed_members(&world.audience, town.members).unwrap();
        Life { world, chance: StdRng::seed_from_u64(seed), patients }
    }

    async fn a_day(&mut self) {
        for _ in 0..ACTS {
            self.world.pass(TimeDelta::minutes(self.chance.random_range(1..90)));
            if self.chance.random_bool(0.5) {
                self.somebody_acts_there();
            } else {
                self.the_clinic_acts().await;
            }
        }
    }

    fn somebody_acts_there(&mut self) {
        let world = self.world;
        let members = world.simulator.dump(&world.audience).unwrap();
        let member = &members[self.chance.random_range(0..members.len())];
        let name = member.email.split('@').next().unwrap();
        let contact = world.simulator.contact(&world.audience, &member.email);
        let listed = matches!(member.status, Status::Pending | Status::Subscribed);
        let _any_of_these_may_be_refused = match self.chance.random_range(0..10) {
            0..=3 => contact.confirm(),
            4 if listed => {
                world.noes.lock().unwrap().insert(member.email.clone(), world.now());
                contact.unsubscribe()
            }
            5 if listed => {
                world.noes.lock().unwrap().insert(member.email.clone(), world.now());
                contact.complain()
            }
            6 if listed => contact.hard_bounce(),
            7 => world.staff().archive(&member.email),
            8 if self.chance.random_bool(0.3) => world.staff().delete_permanently(&member.email),
            9 => contact.change_address(&format!("{name}.moved@post.test")),
            _ => {
                let row = ImportRow { email: member.email.clone(), ..ImportRow::default() };
                world.staff().import(&[row]).map(drop)
            }
        };
    }

    async fn the_clinic_acts(&mut self) {
        let (world, now) = (self.world, self.world.now());
        let id = self.patients[self.chance.random_range(0..self.patients.len())].clone();
        let Some(record) = world.clinic.record(&id).await.unwrap() else { return };
        if record.status == PatientStatus::Deleted {
            return;
        }
        match self.chance.random_range(0..9) {
            0 => world.clinic.archive(&id, now).await.unwrap(),
            1 => world.clinic.reactivate(&id, now).await.unwrap(),
            2 => world.clinic.delete(&id, now).await.unwrap(),
            3 => world.clinic.rename(&id, "New", "Name", now).await.unwrap(),
            4 => {
                let to =
                    listwarden::domain::Address::email(&format!("{id}.new@post.test")).unwrap();
                world.ever.lock().unwrap().insert(to.expose().to_owned());
                world.clinic.change_address(&id, Channel::Email, Some(to), now).await.unwrap();
            }
            5 => world.clinic.object(&id, now).await.unwrap(),
            6 => world.withdraws(&id).await,
            7 => world.consents_now(&id).await,
            _ => {
                let restricted = self.chance.random_bool(0.5);
                world.clinic.restrict(&id, restricted, now).await.unwrap();
            }
        }
    }

    async fn runs(&self) {
        let outcome = self.world.try_run(true).await;
        if state(&outcome) == ListState::Waiting {
            self.world.approves(outcome.lists[0].run.unwrap()).await;
        }
        self.world.runs().await;
    }
}

async fn lives(world: &World, seed: u64) {
    let mut life = Life::settle(world, seed).await;
    life.runs().await;
    for _ in 0..DAYS {
        life.a_day().await;
        life.runs().await;
    }
}

on_both_engines! {
    async fn a_town_of_seed_1_is_listed_right_every_day(world: World, with LOOSE) {
        lives(&world, 1).await;
        world.end().await;
    }
}

on_both_engines! {
    async fn a_town_of_seed_2_is_listed_right_every_day(world: World, with LOOSE) {
        lives(&world, 2).await;
        world.end().await;
    }
}

on_both_engines! {
    async fn a_town_of_seed_3_is_listed_right_every_day(world: World, with LOOSE) {
        lives(&world, 3).await;
        world.end().await;
    }
}
