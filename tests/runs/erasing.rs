//! Erasure on request: at the providers first, then here, and never back by itself (L11, L14).

use std::sync::Arc;

use chrono::TimeDelta;
use listwarden::commands::Deployment;
use listwarden::domain::{Because, Class, PatientRecord, Reason};
use listwarden::rights::{Desk, Erased, Receipt, RightsError, receipt};
use listwarden::simulator::mailchimp::{Fault, Rule, Status};

use crate::on_both_engines;
use crate::transport::{Side, Stopping};
use crate::world::{Engine, World, address, email};

async fn desk(deployment: &Deployment) -> Desk<'_> {
    let reconciler = deployment.reconciler().attending(deployment.roster().await);
    Desk { reconciler, clinic: deployment.clinics().next().unwrap(), patience: None }
}

async fn erase_on(deployment: &Deployment, name: &str) -> Receipt {
    let reason = Because::parse("letter of 3 March").unwrap();
    desk(deployment).await.erase(name, "desk", &reason).await.unwrap().unwrap()
}

impl World {
    pub async fn erases(&self, name: &str) -> Receipt {
        erase_on(&self.deployment, name).await
    }

    async fn receipt(&self, name: &str) -> Receipt {
        let clinic = self.deployment.clinics().next().unwrap();
        receipt(&self.deployment.store, clinic, name).await.unwrap().unwrap()
    }

    async fn refuses_to_erase(&self, name: &str) -> Result<(), RightsError> {
        let reason = Because::parse("a claim is open").unwrap();
        desk(&self.deployment).await.refuse_erasure(name, "desk", &reason).await.map(drop)
    }

    /// Everything personal that the store keeps, as one text.
    pub async fn kept(&self) -> String {
        let mut kept = Vec::new();
        for sql in [
            "SELECT record FROM patients",
            "SELECT COALESCE(address, '') FROM contacts",
            "SELECT payload FROM ledger_detail",
            "SELECT COALESCE(payload, '') FROM operations",
            "SELECT COALESCE(member_key, '') FROM links",
        ] {
            kept.extend(self.store_says(sql).await);
        }
        kept.join("\n")
    }

    fn is_forgotten_there(&self, name: &str) -> bool {
        self.there(name).is_none() && self.simulator.is_forgotten(&self.audience, &address(name))
    }
}

on_both_engines! {
    async fn l14_who_asked_is_erased_there_and_here_while_the_clinic_keeps_its_record(world: World) {
        world.listed(&["ann", "ben"]).await;
        let receipt = world.erases("ann").await;
        assert!(receipt.done, "{receipt:#?}");
        assert!(world.is_forgotten_there("ann"));
        let held = world.classes().await.get(&Class::HeldButDropped).copied();
        assert_eq!(held, None, "the report knows at once");
        assert_eq!(receipt.lists[0].state, Erased::Erased);
        assert!(receipt.lists[0].verified_at.is_some());
        assert_eq!((receipt.addresses_erased, receipt.addresses_of_others), (1, 0));
        assert_eq!(receipt.reason.as_deref(), Some("letter of 3 March"));
        assert_eq!(receipt.remains.len(), 1);
        for text in ["Givenann", "ann@post.test"] {
            assert!(!world.kept().await.contains(text), "{text} is still kept");
        }
        assert_eq!(world.there("ben"), Some(Status::Subscribed));
        let store = &world.deployment.store;
        let clinic = store.clinics().await.unwrap()[0].id;
        assert_eq!(store.ledger_verify(clinic).await.unwrap().first_bad, None);
        world.end().await;
    }
}

on_both_engines! {
    async fn l14_an_address_of_before_is_erased_too_when_its_provider_is_back(world: World) {
        world.listed(&["ann"]).await;
        world.moves("ann", "lee").await;
        world.runs().await;
        world.pass(TimeDelta::hours(1));
        // MD5 of ann@post.test.
        let path = format!("/3.0/lists/{}/members/6173ba9bb220d8c89ad8ac6425e293ff", world.audience);
        world.simulator.script(Rule::next(Fault::InternalError).on("POST", &path).times(999));
        let receipt = world.erases("ann").await;
        assert!(!receipt.done, "{receipt:#?}");
        world.simulator.clear_faults();
        world.pass(TimeDelta::hours(1));
        world.runs().await;
        world.runs().await;
        assert!(world.receipt("ann").await.done);
        for name in ["ann", "lee"] {
            assert!(!world.kept().await.contains(&address(name)), "{name} is still kept");
            assert!(world.there(name).is_none());
        }
        world.end().await;
    }
}

on_both_engines! {
    async fn of_how_somebody_stood_an_erasure_leaves_only_what_keeps_them_off(world: World) {
        world.listed(&["ann"]).await;
        let standing = "SELECT standing FROM patient_standings";
        let before = world.store_says(standing).await.join("\n");
        assert!(before.contains("grants"), "{before}");
        assert!(world.erases("ann").await.done);
        let after = world.store_says(standing).await.join("\n");
        assert!(!after.contains("grants") && !after.contains("proof"), "{after}");
        world.runs().await;
        assert!(world.reasons("ann").await.contains(&Reason::Erased), "and it still does");
        world.end().await;
    }
}

on_both_engines! {
    async fn l11_nothing_of_whoever_was_erased_is_taken_over_from_the_clinic_again(world: World) {
        world.listed(&["ann"]).await;
        let receipt = world.erases("ann").await;
        let writes = world.writes();
        for _ in 0..3 {
            world.pass(TimeDelta::days(1));
            world.clinic.rename("ann", "Annabel", "Lee", world.now()).await.unwrap();
            world.runs().await;
        }
        assert_eq!(world.writes(), writes);
        for text in ["Annabel", "Givenann", "ann@post.test"] {
            assert!(!world.kept().await.contains(text), "{text} came back");
        }
        assert_eq!(world.receipt("ann").await, receipt, "a receipt stays true");
        assert_eq!(world.erases("ann").await, receipt, "and is the same when asked for again");
        world.end().await;
    }
}

on_both_engines! {
    async fn l11_a_newer_explicit_consent_of_whoever_was_erased_invites_them(world: World) {
        world.listed(&["ann"]).await;
        world.erases("ann").await;
        world.pass(TimeDelta::days(1));
        world.consents_now("ann").await;
        world.try_run(true).await;
        assert!(world.kept().await.contains("Givenann"), "a patient again");
        let reasons = world.reasons("ann").await;
        assert!(!reasons.contains(&Reason::Erased), "{reasons:?}");
        let receipt = world.receipt("ann").await;
        assert_eq!((receipt.asked_at, receipt.done), (None, false));
        world.pass(TimeDelta::days(1));
        world.withdraws("ann").await;
        world.try_run(true).await;
        assert!(world.reasons("ann").await.contains(&Reason::Withdrawn), "is heard again");
        world.end().await;
    }
}

on_both_engines! {
    async fn l14_who_shares_the_address_stays_and_only_the_one_who_asked_is_erased(world: World) {
        let ben = PatientRecord {
            email: Some(email("ann")),
            email_consent: world.explicit(),
            ..world.somebody("ben")
        };
        world.enters(ben).await;
        world.listed(&["ann"]).await;
        let receipt = world.erases("ann").await;
        assert!(receipt.done, "{receipt:#?}");
        assert_eq!((receipt.addresses_erased, receipt.addresses_of_others), (0, 1));
        assert_eq!(world.there("ann"), Some(Status::Subscribed), "ben is listed there");
        let kept = world.kept().await;
        assert!(!kept.contains("Givenann") && kept.contains("Givenben"));
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_erasures_ordered_one_by_one_are_held_up_by_no_brake(world: World) {
        let names: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        world.listed(&names).await;
        for name in &names {
            assert!(world.erases(name).await.done, "{name}");
            assert!(world.is_forgotten_there(name), "{name}");
        }
        world.runs().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn l20_an_erasure_waits_for_the_first_approval_and_says_so(world: World) {
        world.consenting("ann").await;
        world.has("ann", Status::Subscribed);
        let first = world.try_run(true).await;
        let receipt = world.erases("ann").await;
        assert_eq!((receipt.done, receipt.lists[0].state), (false, Erased::WaitsForApproval));
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        world.approves(first.lists[0].run.unwrap()).await;
        let receipt = world.erases("ann").await;
        assert!(receipt.done, "{receipt:#?}");
        assert_eq!(world.there("ann"), None);
        world.end().await;
    }
}

on_both_engines! {
    async fn l17_an_erasure_that_is_killed_anywhere_goes_on_where_it_was(mut world: World) {
        world.asks_one_thing_at_a_time().await;
        world.listed(&["warm"]).await;
        let stride = match world.engine { Engine::Sqlite => 1, Engine::Postgres => 3 };
        let mut deaths = 0;
        for side in [Side::Before, Side::After] {
            for nth in (1..).step_by(stride) {
                let name = format!("x{nth}{side:?}").to_lowercase();
                world.consenting(&name).await;
                world.try_run(true).await;
                world.confirms(&name);
                world.try_run(true).await;
                let transport = Arc::new(Stopping::at(nth, side));
                let doomed = world.process_over(transport.clone()).await;
                let died = tokio::select! {
                    biased;
                    () = transport.reached() => true,
                    _ = erase_on(&doomed, &name) => false,
                };
                world.pass(TimeDelta::minutes(3));
                let receipt = world.erases(&name).await;
                assert!(receipt.done, "killed {side:?} {nth}: {receipt:#?}");
                assert!(world.is_forgotten_there(&name), "killed {side:?} {nth}");
                if !died {
                    break;
                }
                deaths += 1;
            }
        }
        assert!(deaths >= 2, "{deaths}");
        world.runs().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn a_refused_erasure_archives_objects_and_is_on_record(world: World) {
        world.listed(&["ann"]).await;
        world.refuses_to_erase("ann").await.unwrap();
        assert_eq!(world.there("ann"), Some(Status::Archived));
        let reasons = world.reasons("ann").await;
        assert!(reasons.contains(&Reason::Objected) && reasons.contains(&Reason::Restricted));
        let kept = world.kept().await;
        assert!(kept.contains("Givenann") && kept.contains("erasure refused: a claim is open"));
        assert_eq!(world.told("ann").await, ["confirmed", "objected"]);
        world.pass(TimeDelta::days(1));
        world.consents_now("ann").await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived), "no consent lifts it by itself");
        assert!(world.erases("ann").await.done, "the duty to keep ends one day");
        let error = world.refuses_to_erase("ann").await.unwrap_err();
        assert!(matches!(error, RightsError::UnderWay { .. }), "{error}");
        world.end().await;
    }
}
