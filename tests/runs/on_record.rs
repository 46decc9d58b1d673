//! What is on record of an address, and what is known of one that nobody has (L28, L29).

use chrono::TimeDelta;
use listwarden::commands::consent::{Record, record};
use listwarden::domain::{Because, Channel, Event, EventKind, PatientRecord, Reason};
use listwarden::reconcile::{Explanation, Who};
use listwarden::rights::{Desk, Idle, TakenDown, Wish, Written};
use listwarden::simulator::mailchimp::Status;

use crate::on_both_engines;
use crate::world::{Engine, World, email};

impl World {
    async fn known(&self, name: &str) -> Option<Explanation> {
        let config = self.deployment.clinics().next().unwrap();
        let (id, lists) = self.deployment.known_lists(config).await.unwrap();
        let who = Who::Address(email(name));
        self.deployment.reconciler().explain(id, &lists, &who).await.unwrap()
    }

    async fn on_record(&self, name: &str) -> Vec<Event> {
        let config = self.deployment.clinics().next().unwrap();
        let id = self.deployment.store.clinic_ensure(&config.slug).await.unwrap();
        let who = Who::Address(email(name));
        self.deployment.reconciler().on_record_of(id, &who).await.unwrap()
    }

    /// Has a wish taken down that was told `ago`, and returns what was answered.
    async fn says_at_the_desk(&self, name: &str, wish: Wish, ago: TimeDelta) -> Written {
        let deployment = &self.deployment;
        let reconciler = deployment.reconciler().attending(deployment.roster().await);
        let clinic = deployment.clinics().next().unwrap();
        let evidence = Because::parse("call of today").unwrap();
        let taken = TakenDown { by: "desk", evidence: &evidence, at: Some(self.now() - ago) };
        let desk = Desk { reconciler, clinic, patience: None };
        desk.take_down(name, &wish, &taken).await.unwrap().unwrap()
    }

    async fn idle(&self, name: &str, wish: Wish) -> Option<Idle> {
        self.pass(TimeDelta::minutes(1));
        self.says_at_the_desk(name, wish, TimeDelta::zero()).await.idle
    }

    async fn consents_at_the_desk(&self, name: &str) -> Option<Idle> {
        let given = Record {
            patient: name.to_owned(),
            channel: Channel::Email,
            by: "desk".to_owned(),
            method: "in person".to_owned(),
            wording: "v3".to_owned(),
            at: None,
            lifts_objection: None,
        };
        let clinic = self.deployment.clinics().next().unwrap();
        record(&self.deployment, clinic, &given).await.unwrap().unwrap().idle
    }

    async fn is_kept_off(&self, name: &str) {
        let config = self.deployment.clinics().next().unwrap();
        let id = self.deployment.store.clinic_ensure(&config.slug).await.unwrap();
        let because = Because::parse("asked by letter").unwrap();
        let reconciler = self.deployment.reconciler();
        reconciler.suppress(id, &email(name), EventKind::Objected, &because).await.unwrap();
    }
}

on_both_engines! {
    async fn l29_what_the_patient_told_is_on_record_of_the_address(world: World) {
        world.listed(&["ann"]).await;
        world.wishes("ann", Wish::Restrict).await;
        world.wishes("ann", Wish::Object).await;
        let lines = world.on_record("ann").await;
        for kind in [EventKind::Restricted, EventKind::Objected] {
            let line = lines.iter().find(|line| line.draft.kind == kind).unwrap();
            assert_eq!(line.draft.evidence.as_deref(), Some("call of today; taken down by desk"));
            assert_eq!(line.recorded_at, world.now());
        }
        let ids: std::collections::BTreeSet<_> = lines.iter().map(|line| line.id).collect();
        assert_eq!(ids.len(), lines.len(), "each once");
        world.end().await;
    }
}

on_both_engines! {
    async fn l29_of_whoever_has_left_the_address_only_that_it_binds_is_told(world: World) {
        let ben = PatientRecord { email: Some(email("ann")), ..world.somebody("ben") };
        world.enters(ben).await;
        world.listed(&["ann"]).await;
        world.wishes("ben", Wish::Restrict).await;
        world.says_at_the_desk("ben", Wish::Object, TimeDelta::zero()).await;
        world.moves("ben", "elsewhere").await;
        world.runs().await;
        let lines = world.on_record("ann").await;
        assert!(lines.iter().all(|line| line.draft.kind != EventKind::Restricted), "his alone");
        let line = lines.iter().find(|line| line.draft.kind == EventKind::Objected).unwrap();
        let draft = &line.draft;
        assert_eq!((draft.patient, &draft.evidence, &draft.method), (None, &None, &None));
        assert!(draft.occurred_at.is_some());
        let his = world.on_record("elsewhere").await;
        assert!(his.iter().any(|line| line.draft.kind == EventKind::Restricted));
        world.end().await;
    }
}

on_both_engines! {
    async fn l28_of_an_address_that_nobody_has_it_is_told_since_when_it_is_kept_off(world: World) {
        world.listed(&["ann"]).await;
        assert!(world.known("zed").await.is_none());
        let since = world.now();
        world.is_kept_off("zed").await;
        world.pass(TimeDelta::days(1));
        let known = world.known("zed").await.unwrap();
        assert!(known.contacts.is_empty() && known.lists.is_empty());
        let [kept] = known.kept_off.as_slice() else { panic!("{known:?}") };
        assert_eq!((kept.kind.unwrap().word(), kept.since, kept.lifted), ("objected", since, false));
        let config = world.deployment.clinics().next().unwrap();
        let (_, lists) = world.deployment.known_lists(config).await.unwrap();
        let asked = [email("zed"), email("nobody"), email("ann")];
        let said = world.deployment.reconciler().scrub(&lists[0], &asked).await.unwrap();
        let no = said[0].unwrap_err();
        assert_eq!((no.reason, no.since), (Reason::Objected, Some(since)));
        assert_eq!(said[1].unwrap_err(), Reason::UnknownMember.into());
        assert!(said[2].is_ok());
        world.enters(PatientRecord { email_consent: world.explicit(), ..world.somebody("zed") }).await;
        world.runs().await;
        assert_eq!(world.known("zed").await.unwrap().kept_off, std::slice::from_ref(kept), "known since");
        world.end().await;
    }
}

on_both_engines! {
    async fn an_act_that_changes_nothing_says_why(world: World, with "purpose = \"news\"\n") {
        world.listed(&["ann", "ben"]).await;
        let not = |purpose: &str| Wish::NotBy { channel: Channel::Email, purpose: Some(purpose.to_owned()) };
        let channel = Channel::Email;
        assert_eq!(world.idle("ann", Wish::Unrestrict).await, Some(Idle::NotRestricted));
        assert_eq!(world.idle("ann", Wish::Restrict).await, None);
        assert_eq!(world.idle("ann", Wish::Restrict).await, Some(Idle::Restricted));
        let before = world.says_at_the_desk("ann", Wish::Unrestrict, TimeDelta::hours(1)).await;
        assert_eq!(before.idle, Some(Idle::NewerWord));
        assert_eq!(world.idle("ann", Wish::Unrestrict).await, None);
        assert_eq!(world.idle("ann", not("nosuch")).await, Some(Idle::NoSuchPurpose));
        assert_eq!(world.idle("ann", not("news")).await, None);
        assert_eq!(world.idle("ann", not("news")).await, Some(Idle::AlreadyOut));
        let gladly = Wish::Gladly { channel, purpose: Some("news".to_owned()) };
        assert_eq!(world.idle("ann", gladly.clone()).await, None, "it takes the refusal back");
        assert_eq!(world.idle("ann", gladly).await, Some(Idle::ListsNobody));
        let not_texts = Wish::NotBy { channel: Channel::Sms, purpose: None };
        assert_eq!(world.idle("ann", not_texts).await, Some(Idle::NoAddress));
        assert_eq!(world.idle("ann", Wish::Object).await, None);
        assert_eq!(world.idle("ann", Wish::Object).await, Some(Idle::AlreadyOut));
        assert_eq!(world.consents_at_the_desk("ann").await, Some(Idle::ObjectionStands));
        world.unsubscribes("ben");
        world.runs().await;
        world.pass(TimeDelta::minutes(1));
        assert_eq!(world.consents_at_the_desk("ben").await, Some(Idle::OptOutStands), "too near (L2)");
        world.pass(TimeDelta::minutes(10));
        assert_eq!(world.consents_at_the_desk("ben").await, None);
        world.end().await;
    }
}

on_both_engines! {
    async fn a_no_after_a_sign_up_there_changes_something_and_one_from_before_it_nothing(world: World) {
        world.listed(&["ann"]).await;
        world.unsubscribes("ann");
        world.runs().await;
        world.pass(TimeDelta::days(2));
        world.contact("ann").sign_up().unwrap();
        world.confirms("ann");
        world.runs().await;
        let no = Wish::NotBy { channel: Channel::Email, purpose: None };
        world.pass(TimeDelta::hours(1));
        let before = world.says_at_the_desk("ann", no.clone(), TimeDelta::days(1)).await;
        assert_eq!(before.idle, Some(Idle::NewerConsent), "the sign-up is the address's, and newer");
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        assert_eq!(world.idle("ann", no.clone()).await, None, "she had signed up since her first no");
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        assert_eq!(world.idle("ann", no).await, Some(Idle::AlreadyOut));
        world.end().await;
    }
}

on_both_engines! {
    async fn an_objection_said_again_at_an_address_of_somebody_else_takes_them_off(world: World) {
        world.listed(&["ann", "ben"]).await;
        assert_eq!(world.idle("ann", Wish::Object).await, None);
        world.moves("ann", "ben").await;
        world.try_run(true).await;
        assert_eq!(world.there("ben"), Some(Status::Subscribed), "it follows her, not his address");
        assert_eq!(world.idle("ann", Wish::Object).await, None, "now it is said at his address");
        assert_eq!(world.there("ben"), Some(Status::Unsubscribed));
        assert_eq!(world.idle("ann", Wish::Object).await, Some(Idle::AlreadyOut));
        world.end().await;
    }
}

on_both_engines! {
    async fn that_somebody_was_erased_who_had_the_address_once_is_not_told_of_those_who_have_it(world: World) {
        world.consenting("ann").await;
        let ben = PatientRecord { email: Some(email("ann")), ..world.somebody("ben") };
        world.enters(ben).await;
        world.adopts().await;
        assert!(world.erases("ben").await.done);
        assert_eq!(world.known("ann").await.unwrap().erased, []);
        let config = world.deployment.clinics().next().unwrap();
        let (id, lists) = world.deployment.known_lists(config).await.unwrap();
        let who = Who::Patient("ben".to_owned());
        let his = world.deployment.reconciler().explain(id, &lists, &who).await.unwrap().unwrap();
        assert!(matches!(his.erased.as_slice(), [erased] if erased.erased_at.is_some()), "{his:?}");
        world.end().await;
    }
}
