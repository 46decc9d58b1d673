//! Text messages: asked by a text of ours, answered by replies, on a list that lives with us.

use std::fs;

use chrono::TimeDelta;
use listwarden::commands::Deployment;
use listwarden::domain::{Address, Channel, Class, Consent, PatientRecord, PatientStatus, Reason};
use listwarden::reconcile::{ClinicOutcome, ListState, ListWord, Scope, Who};
use listwarden::simulator::twilio::{Fault, Rule, Running, Simulator};

use crate::on_both_engines;
use crate::world::{Engine, World};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const OURS: &str = "+447700900001";
const OTHER: &str = "+447700900002";
const ANN: &str = "+447911123456";
const BOB: &str = "+447911123457";

/// A world whose clinic sends texts too: at nine in the morning, in London.
struct Texting {
    world: World,
    twilio: Simulator,
    _server: Running,
}

impl Texting {
    async fn new(mut world: World) -> Self {
        let twilio = Simulator::new(world.clock.clone());
        let account = twilio.open_account("Riverside", TOKEN);
        twilio.add_number(&account, OURS).unwrap();
        twilio.add_number(&account, OTHER).unwrap();
        let server = twilio.serve_locally().await.unwrap();
        fs::write(world.folder.path().join("secrets/riverside/twilio"), TOKEN).unwrap();
        let url = server.url();
        let more = format!(
            r#"[accounts.sms]
provider = "twilio"
api_key = "twilio"
account_sid = "{account}"
sender = "{OURS}"
base_url = "{url}"
messaging_url = "{url}"
help_text = "Riverside: news by text. STOP to end."
[lists.texts]
account = "sms"
audience = "{OURS}"
unknown = "report"
unproven = "hold"
[lists.newsletter]"#
        );
        world.reconfigures("[lists.newsletter]", &more).await;
        Self { world, twilio, _server: server }
    }

    /// A patient with a number who consented to texts a month ago.
    async fn consenting(&self, name: &str, number: &str) {
        self.enters(name, number, self.world.explicit()).await;
    }

    async fn enters(&self, name: &str, number: &str, sms_consent: Consent) {
        let mobile = Address::mobile(number, None).ok();
        let record =
            PatientRecord { email: None, mobile, sms_consent, ..self.world.somebody(name) };
        self.world.enters(record).await;
    }

    async fn becomes(&self, name: &str, status: PatientStatus) {
        self.world.clinic.set_status(name, status, self.world.now()).await.unwrap();
    }

    async fn runs(&self) -> ClinicOutcome {
        run(&self.world.deployment).await
    }

    /// The first run and its approval.
    async fn adopts(&self) {
        for list in self.runs().await.lists {
            self.world.approves(list.run.unwrap()).await;
        }
        self.in_step().await;
    }

    /// A run that ends in step.
    async fn in_step(&self) {
        let outcome = self.runs().await;
        for list in &outcome.lists {
            assert_eq!(list.state, ListState::InStep, "{outcome:#?}");
        }
    }

    fn replies(&self, number: &str, body: &str) {
        self.twilio.person(number).texts(OURS, body).unwrap();
        self.pass(TimeDelta::minutes(2));
    }

    fn pass(&self, time: TimeDelta) {
        self.world.pass(time);
    }

    /// How many texts went to a number.
    fn texts_to(&self, number: &str) -> usize {
        self.twilio.outbox().iter().filter(|text| text.to == number).count()
    }

    /// The list's word on a number.
    async fn word(&self, number: &str) -> ListWord {
        let config = self.world.deployment.clinics().next().unwrap();
        let (id, lists) = self.world.deployment.known_lists(config).await.unwrap();
        let who = Who::Address(Address::mobile(number, None).unwrap());
        let found = self.world.deployment.reconciler().explain(id, &lists, &who).await.unwrap();
        found.unwrap().lists.into_iter().find(|word| word.list == "texts").unwrap()
    }

    async fn stands(&self, number: &str, class: Class, reason: Reason) {
        let word = self.word(number).await;
        let first = word.reasons.first().map(|because| because.reason);
        assert_eq!((word.class, first), (class, Some(reason)), "{word:#?}");
    }

    async fn is_listed(&self, number: &str) {
        self.stands(number, Class::InStep, Reason::Wanted).await;
    }

    async fn told(&self, name: &str) -> Vec<String> {
        self.world.told(name).await
    }

    async fn reviews(&self) -> Vec<String> {
        self.world.store_says("SELECT kind FROM reviews WHERE closed_at IS NULL ORDER BY id").await
    }
}

async fn run(deployment: &Deployment) -> ClinicOutcome {
    let config = deployment.clinics().next().unwrap();
    let mut practice = deployment.practice(config).await.unwrap();
    let reconciler = deployment.reconciler().attending(deployment.roster().await);
    reconciler.reconcile(&mut practice, &Scope { list: None, full: true }).await.unwrap()
}

on_both_engines! {
    async fn a_yes_to_the_one_text_lists_the_number_and_a_stop_takes_it_off(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        assert_eq!(texting.texts_to(ANN), 1);
        let said = &texting.twilio.outbox()[0].body;
        assert!(said.starts_with("Riverside:") && said.contains("STOP"), "{said}");
        texting.stands(ANN, Class::Pending, Reason::Invited).await;
        texting.replies(ANN, "Yes!");
        texting.in_step().await;
        texting.is_listed(ANN).await;
        assert_eq!(texting.told("ann").await, ["confirmed"]);
        texting.replies(ANN, "stop");
        texting.in_step().await;
        texting.stands(ANN, Class::InStep, Reason::Withdrawn).await;
        assert_eq!(texting.told("ann").await, ["confirmed", "withdrawn"]);
        texting.replies(ANN, "START");
        texting.replies(ANN, "YES");
        texting.in_step().await;
        texting.stands(ANN, Class::InStep, Reason::Withdrawn).await;
        assert_eq!(texting.texts_to(ANN), 1);
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_late_yes_restores_nothing_and_is_shown(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.pass(TimeDelta::hours(73));
        texting.in_step().await;
        texting.stands(ANN, Class::InStep, Reason::InvitationUsed).await;
        texting.replies(ANN, "YES");
        texting.in_step().await;
        texting.stands(ANN, Class::InStep, Reason::InvitationUsed).await;
        assert_eq!(texting.reviews().await, ["late_yes"]);
        assert_eq!(texting.texts_to(ANN), 1);
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_yes_after_an_archive_restores_nothing(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.becomes("ann", PatientStatus::Archived).await;
        texting.replies(ANN, "YES");
        texting.in_step().await;
        texting.stands(ANN, Class::InStep, Reason::PatientArchived).await;
        assert_eq!(texting.reviews().await, ["late_yes"]);
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn plain_words_opt_out_at_once_and_are_shown(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.replies(ANN, "YES");
        texting.in_step().await;
        texting.replies(ANN, "please stop texting me");
        texting.in_step().await;
        texting.stands(ANN, Class::InStep, Reason::Withdrawn).await;
        assert_eq!(texting.reviews().await, ["own_words"]);
        texting.in_step().await;
        assert_eq!(texting.reviews().await, ["own_words"], "shown once");
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_stop_from_a_number_of_two_patients_speaks_for_both(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.consenting("bob", ANN).await;
        texting.adopts().await;
        assert_eq!(texting.texts_to(ANN), 1, "a family is asked once");
        texting.replies(ANN, "YES");
        texting.in_step().await;
        texting.replies(ANN, "STOP");
        texting.in_step().await;
        texting.stands(ANN, Class::InStep, Reason::Withdrawn).await;
        for name in ["ann", "bob"] {
            assert_eq!(texting.told(name).await.last().unwrap(), "withdrawn");
        }
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn an_opt_out_follows_to_a_new_number(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.replies(ANN, "STOP");
        texting.in_step().await;
        let to = Address::mobile(BOB, None).ok();
        texting.world.clinic.change_address("ann", Channel::Sms, to, texting.world.now()).await.unwrap();
        texting.in_step().await;
        texting.stands(BOB, Class::InStep, Reason::Withdrawn).await;
        assert_eq!(texting.texts_to(BOB), 0);
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_recycled_number_is_asked_anew_and_never_listed_by_its_past(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.replies(ANN, "YES");
        texting.in_step().await;
        texting.world.clinic.change_address("ann", Channel::Sms, None, texting.world.now()).await.unwrap();
        texting.in_step().await;
        texting.stands(ANN, Class::InStep, Reason::AddressGone).await;
        texting.pass(TimeDelta::days(90));
        texting.enters("bob", ANN, texting.world.explicit_at(texting.world.now())).await;
        texting.in_step().await;
        texting.stands(ANN, Class::Pending, Reason::Invited).await;
        assert_eq!(texting.texts_to(ANN), 2);
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn nobody_is_asked_at_night(world: World) {
        let texting = Texting::new(world).await;
        texting.adopts().await;
        texting.pass(TimeDelta::hours(11));
        texting.consenting("ann", ANN).await;
        texting.in_step().await;
        assert_eq!(texting.texts_to(ANN), 0, "it is eight in the evening");
        texting.stands(ANN, Class::Due, Reason::Wanted).await;
        texting.pass(TimeDelta::hours(13));
        texting.in_step().await;
        assert_eq!(texting.texts_to(ANN), 1, "it is nine in the morning");
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_text_in_doubt_is_never_sent_again(world: World) {
        let texting = Texting::new(world).await;
        texting.adopts().await;
        texting.consenting("ann", ANN).await;
        texting.twilio.script(Rule::next(Fault::LostReply).on("POST", "/2010-04-01"));
        texting.runs().await;
        texting.in_step().await;
        assert_eq!(texting.texts_to(ANN), 1);
        texting.stands(ANN, Class::Pending, Reason::Invited).await;
        texting.replies(ANN, "YES");
        texting.in_step().await;
        texting.is_listed(ANN).await;
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_refusal_because_of_a_stop_is_an_opt_out(world: World) {
        let texting = Texting::new(world).await;
        texting.twilio.person(ANN).texts(OURS, "STOP").unwrap();
        texting.pass(TimeDelta::days(400));
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.stands(ANN, Class::InStep, Reason::Withdrawn).await;
        let told = texting.told("ann").await;
        assert_eq!(told, ["withdrawn", "withdrawn"], "the old STOP, and that it holds there still");
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_landline_is_undeliverable_at_once_and_a_silent_handset_after_three_in_a_week(
        world: World
    ) {
        let texting = Texting::new(world).await;
        texting.twilio.person(ANN).has_a_landline();
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.pass(TimeDelta::minutes(2));
        texting.in_step().await;
        assert_eq!(texting.told("ann").await, ["bounced"]);
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn help_is_answered_once(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.replies(ANN, "HELP");
        texting.in_step().await;
        texting.pass(TimeDelta::minutes(2));
        texting.in_step().await;
        let help = texting.twilio.outbox();
        let help = help.iter().filter(|text| text.body.contains("STOP to end")).count();
        assert_eq!(help, 1);
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn one_text_asks_for_every_list_of_the_clinic(world: World) {
        let mut texting = Texting::new(world).await;
        let second = "[lists.offers]\naccount = \"sms\"\naudience = \"+447700900001\"\n\
            unknown = \"report\"\nunproven = \"hold\"\nshared_with = [\"riverside/texts\"]\n[lists.texts]\nshared_with = [\"riverside/offers\"]";
        texting.world.reconfigures("[lists.texts]", second).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        assert_eq!(texting.texts_to(ANN), 1);
        texting.replies(ANN, "YES");
        texting.in_step().await;
        texting.is_listed(ANN).await;
        assert_eq!(texting.texts_to(ANN), 1);
        texting.world.end().await;
    }
}
