//! Text messages: asked by a text of ours, answered by replies, on a list that lives with us.

mod stops;

use std::fs;
use std::sync::Arc;

use chrono::TimeDelta;
use listwarden::commands::{Deployment, webhook};
use listwarden::domain::{
    Address, Channel, Class, Consent, PatientRecord, PatientStatus, Personal, Reason, Verb,
};
use listwarden::patients::Reference;
use listwarden::reconcile::{ClinicOutcome, ListState, ListWord, Scope, Who};
use listwarden::simulator::mailchimp::Status;
use listwarden::simulator::twilio::{Fault, Rule, Running, Simulator};

use crate::on_both_engines;
use crate::webhooks::Serving;
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
    account: String,
    server: Running,
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
        Self { world, twilio, account, server }
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

    /// A patient consents to texts once more, now.
    async fn consents_anew(&self, name: &str) {
        let (consent, now) = (self.world.explicit_at(self.world.now()), self.world.now());
        self.world.clinic.set_consent(name, Channel::Sms, consent, now).await.unwrap();
    }

    async fn becomes(&self, name: &str, status: PatientStatus) {
        self.world.clinic.set_status(name, status, self.world.now()).await.unwrap();
    }

    /// The clinic sends a text of its own, as it may: the fate of it is told.
    async fn clinic_texts(&self, number: &str) {
        use listwarden::providers::transport::HttpTransport;
        use listwarden::providers::twilio::{Connection, Settings};
        use listwarden::providers::{TextSender, Transport};
        let url = self.server.url();
        let settings = serde_json::from_value::<Settings>(serde_json::json!({
            "account_sid": self.account, "sender": OURS, "base_url": url, "messaging_url": url,
        }));
        let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new().unwrap());
        let key = secrecy::SecretString::from(TOKEN.to_owned());
        let clock = self.world.clock.clone();
        let clinic = Connection::new(settings.unwrap(), &key, transport, clock).unwrap();
        let to = Address::mobile(number, None).unwrap();
        let body = Personal::new("See you at three.");
        clinic.text(uuid::Uuid::nil(), &to, &body).await.unwrap();
        self.pass(TimeDelta::minutes(2));
    }

    /// Another clinic that texts from the same number.
    async fn opens_a_second_clinic(&mut self) {
        let clinics = self.world.folder.path().join("clinics");
        let first = fs::read_to_string(clinics.join("riverside.toml")).unwrap();
        let accounts = first.find("[accounts.main]").unwrap();
        let sms = first.find("[accounts.sms]").unwrap();
        let newsletter = first.find("[lists.newsletter]").unwrap();
        let head = first[..accounts].replace("name = \"riverside\"", "name = \"hill\"");
        let head: Vec<&str> = head.lines().filter(|line| !line.starts_with("url =")).collect();
        let own = &first[sms.min(newsletter)..sms.max(newsletter)];
        let shared =
            own.replace("[lists.texts]", "[lists.texts]\nshared_with = [\"riverside/texts\"]");
        fs::write(clinics.join("hill.toml"), format!("{}\n{shared}", head.join("\n"))).unwrap();
        let secrets = self.world.folder.path().join("secrets/hill");
        fs::create_dir_all(&secrets).unwrap();
        fs::write(secrets.join("twilio"), TOKEN).unwrap();
        self.world
            .reconfigures("[lists.texts]", "[lists.texts]\nshared_with = [\"hill/texts\"]")
            .await;
    }

    async fn hill(&self) -> Reference {
        let config = self.world.deployment.expect_clinic("hill").unwrap();
        let hill = self.world.deployment.reference(config).unwrap().unwrap();
        hill.migrate().await.unwrap();
        hill
    }

    /// Every clinic runs; what waits for an approval gets it.
    async fn every_clinic_runs(&self) {
        let deployment = &self.world.deployment;
        for config in deployment.clinics() {
            let mut practice = deployment.practice(config).await.unwrap();
            let reconciler = deployment.reconciler().attending(deployment.roster().await);
            let scope = Scope { list: None, full: true };
            let outcome = reconciler.reconcile(&mut practice, &scope).await.unwrap();
            for list in outcome.lists.iter().filter(|list| list.state == ListState::Waiting) {
                self.world.approves(list.run.unwrap()).await;
            }
        }
    }

    async fn runs(&self) -> ClinicOutcome {
        run(&self.world.deployment).await
    }

    /// The first run and its approval.
    async fn adopts(&self) {
        for list in self.runs().await.lists.iter().filter(|l| l.state == ListState::Waiting) {
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

    /// Webhooks are registered and come to the returned process.
    async fn registers(&self) -> Serving {
        let serving = Serving::of(&self.world).await;
        self.twilio.connect_webhooks(Arc::new(serving.clone()));
        webhook::register(&self.world.deployment, Some("texts")).await.unwrap();
        serving
    }

    /// Ann is on the list; webhooks come to the returned process.
    async fn ann_and_webhooks(&self) -> Serving {
        self.consenting("ann", ANN).await;
        self.adopts().await;
        self.replies(ANN, "YES");
        self.in_step().await;
        self.pass(TimeDelta::hours(1));
        self.registers().await
    }

    async fn withdrawals(&self) -> usize {
        self.world.store_says("SELECT kind FROM ledger WHERE kind = 'withdrawn'").await.len()
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
        let config = self.world.deployment.expect_clinic("riverside").unwrap();
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
    async fn l13_a_recycled_number_is_asked_anew_also_where_who_returns_is_restored(world: World) {
        let mut texting = Texting::new(world).await;
        let restores = "unproven = \"hold\"\non_return = \"restore\"";
        texting.world.reconfigures("unproven = \"hold\"", restores).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.replies(ANN, "YES");
        texting.in_step().await;
        let (clinic, now) = (&texting.world.clinic, texting.world.now());
        clinic.change_address("ann", Channel::Sms, None, now).await.unwrap();
        texting.in_step().await;
        texting.pass(TimeDelta::days(90));
        texting.consenting("bob", ANN).await;
        texting.in_step().await;
        texting.stands(ANN, Class::Pending, Reason::Invited).await;
        assert_eq!(texting.texts_to(ANN), 2);
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn l13_a_number_that_we_erased_is_asked_again_when_its_patient_returns(world: World) {
        let mut texting = Texting::new(world).await;
        let erases = "unproven = \"hold\"\non_drop = \"erase\"";
        texting.world.reconfigures("unproven = \"hold\"", erases).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.replies(ANN, "YES");
        texting.in_step().await;
        texting.becomes("ann", PatientStatus::Archived).await;
        texting.in_step().await;
        texting.stands(ANN, Class::InStep, Reason::PatientArchived).await;
        texting.pass(TimeDelta::days(1));
        texting.becomes("ann", PatientStatus::Active).await;
        texting.in_step().await;
        texting.stands(ANN, Class::Pending, Reason::Invited).await;
        assert_eq!(texting.texts_to(ANN), 2, "no form would let her in again");
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
    async fn a_yes_that_comes_before_the_sending_is_known_counts_all_the_same(world: World) {
        let texting = Texting::new(world).await;
        texting.adopts().await;
        texting.consenting("ann", ANN).await;
        texting.twilio.script(Rule::next(Fault::LostReply).on("POST", "/2010-04-01"));
        texting.runs().await;
        texting.twilio.person(ANN).texts(OURS, "YES").unwrap();
        texting.pass(TimeDelta::hours(1));
        texting.in_step().await;
        texting.in_step().await;
        texting.is_listed(ANN).await;
        assert_eq!(texting.texts_to(ANN), 1);
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_page_of_texts_ends_with_the_hours(mut world: World) {
        world.reconfigures("api_key =", "in_flight = 1\napi_key =").await;
        let texting = Texting::new(world).await;
        texting.adopts().await;
        texting.pass(TimeDelta::hours(10) + TimeDelta::minutes(59));
        texting.consenting("ann", ANN).await;
        texting.consenting("bob", BOB).await;
        texting.twilio.configure(|settings| settings.latency_ms = 90_000);
        texting.in_step().await;
        let asked = texting.texts_to(ANN) + texting.texts_to(BOB);
        texting.twilio.configure(|settings| settings.latency_ms = 0);
        assert!(asked <= 1, "the second would have gone out after eight in the evening");
        texting.pass(TimeDelta::hours(13));
        texting.in_step().await;
        assert_eq!((texting.texts_to(ANN), texting.texts_to(BOB)), (1, 1));
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn an_erased_number_leaves_no_trace_to_find_it_by(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.replies(ANN, "please stop texting me");
        texting.in_step().await;
        texting.becomes("ann", PatientStatus::Deleted).await;
        texting.in_step().await;
        texting.in_step().await;
        for gone in [
            "SELECT member_key FROM links WHERE member_key IS NOT NULL",
            "SELECT address FROM contacts WHERE address IS NOT NULL",
            "SELECT unique_hash FROM notices WHERE contact_id IS NOT NULL",
            "SELECT kind FROM reviews",
        ] {
            assert!(texting.world.store_says(gone).await.is_empty(), "{gone}");
        }
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_refusal_because_of_a_stop_of_long_ago_is_that_stop(world: World) {
        let texting = Texting::new(world).await;
        texting.twilio.person(ANN).texts(OURS, "STOP").unwrap();
        texting.pass(TimeDelta::days(400));
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.stands(ANN, Class::Due, Reason::Wanted).await;
        assert_eq!(texting.word(ANN).await.held_back, Some(Class::Parked));
        assert_eq!((texting.texts_to(ANN), texting.told("ann").await.len()), (0, 1));
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_landline_is_undeliverable_at_once(world: World) {
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
    async fn help_is_answered_once_while_it_is_fresh(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.replies(BOB, "HELP");
        texting.pass(TimeDelta::hours(2));
        texting.adopts().await;
        texting.replies(ANN, "HELP");
        texting.in_step().await;
        texting.pass(TimeDelta::minutes(2));
        texting.in_step().await;
        let help = texting.twilio.outbox();
        let help: Vec<_> =
            help.iter().filter(|text| text.body.contains("STOP to end")).map(|t| &t.to).collect();
        assert_eq!(help, [ANN], "an old question is left alone");
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

on_both_engines! {
    async fn a_stop_is_in_the_ledger_when_its_webhook_is_answered(world: World) {
        let texting = Texting::new(world).await;
        let serving = texting.ann_and_webhooks().await;
        texting.twilio.person(ANN).texts(OURS, "Stop please").unwrap();
        assert_eq!(texting.twilio.deliver_webhooks().await, 1);
        assert_eq!(texting.withdrawals().await, 1);
        serving.attends().await;
        assert_eq!(texting.told("ann").await, ["confirmed", "withdrawn"]);
        texting.in_step().await;
        texting.stands(ANN, Class::InStep, Reason::Withdrawn).await;
        assert_eq!(texting.withdrawals().await, 1, "told by webhook and by the log, it is one line");
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_yes_by_webhook_is_read_again_in_the_log_and_lists_at_once(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        let serving = texting.registers().await;
        texting.pass(TimeDelta::hours(1));
        texting.twilio.person(ANN).texts(OURS, "YES").unwrap();
        texting.twilio.deliver_webhooks().await;
        serving.attends().await;
        texting.is_listed(ANN).await;
        assert_eq!(texting.told("ann").await, ["confirmed"]);
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_reply_signed_with_another_secret_says_nothing(world: World) {
        let texting = Texting::new(world).await;
        let serving = texting.ann_and_webhooks().await;
        let account = texting.account.clone();
        texting.twilio.rotate_auth_token(&account, "fedcba9876543210fedcba9876543210").unwrap();
        texting.twilio.person(ANN).texts(OURS, "STOP").unwrap();
        texting.twilio.deliver_webhooks().await;
        assert_eq!(texting.withdrawals().await, 0);
        assert!(texting.world.store_says("SELECT unique_key FROM deliveries").await.is_empty());
        serving.attends().await;
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_stop_ends_every_channel_where_the_clinic_says_so(world: World) {
        let mut texting = Texting::new(world).await;
        texting.world.reconfigures("country =", "opt_out_scope = \"all\"\ncountry =").await;
        let mobile = Address::mobile(ANN, None).ok();
        let record = PatientRecord {
            mobile,
            email_consent: texting.world.explicit(),
            sms_consent: texting.world.explicit(),
            ..texting.world.somebody("ann")
        };
        texting.world.enters(record).await;
        texting.adopts().await;
        texting.world.confirms("ann");
        texting.replies(ANN, "YES");
        texting.in_step().await;
        texting.replies(ANN, "STOP");
        texting.in_step().await;
        texting.stands(ANN, Class::InStep, Reason::Withdrawn).await;
        assert_eq!(texting.world.there("ann"), Some(Status::Unsubscribed));
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn three_failures_in_a_week_are_too_many_and_a_delivery_clears_them(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.pass(TimeDelta::hours(1));
        let ann = texting.twilio.person(ANN);
        ann.is_out_of_reach(30003);
        for (failures, told) in [(1, 0), (2, 0), (3, 1)] {
            texting.clinic_texts(ANN).await;
            texting.in_step().await;
            let bounced = texting.told("ann").await.iter().filter(|t| *t == "bounced").count();
            assert_eq!(bounced, told, "after {failures}");
        }
        // Even once nobody remembers the failures themselves.
        texting.pass(TimeDelta::days(100));
        texting.world.deployment.forget_old().await.unwrap();
        ann.is_in_reach();
        texting.clinic_texts(ANN).await;
        texting.in_step().await;
        texting.in_step().await;
        let cleared = "SELECT kind FROM ledger WHERE kind = 'delivered'";
        assert_eq!(texting.world.store_says(cleared).await.len(), 1);
        let told = texting.told("ann").await;
        assert_eq!(told.iter().filter(|kind| *kind == "bounced").count(), 1, "{told:?}");
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_file_is_scrubbed_line_by_line(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.consenting("bob", BOB).await;
        texting.adopts().await;
        texting.replies(ANN, "YES");
        texting.in_step().await;
        let asked = [ANN, BOB, "+447911123458"].map(|n| Address::mobile(n, None).unwrap());
        let config = texting.world.deployment.clinics().next().unwrap();
        let (_, lists) = texting.world.deployment.known_lists(config).await.unwrap();
        let list = lists.iter().find(|list| list.row.slug == "texts").unwrap();
        let answers = texting.world.deployment.reconciler().scrub(list, &asked).await.unwrap();
        let no = |reason: Reason| Err(reason.into());
        assert_eq!(answers, [Ok(()), no(Reason::Invited), no(Reason::UnknownMember)]);
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn l27_a_sender_of_two_clinics_asks_a_number_for_one_at_a_time(world: World) {
        let mut texting = Texting::new(world).await;
        texting.opens_a_second_clinic().await;
        texting.consenting("ann", ANN).await;
        let hill = texting.hill().await;
        let mobile = Address::mobile(ANN, None).ok();
        let sms_consent = texting.world.explicit();
        let record = PatientRecord { email: None, mobile, sms_consent, ..texting.world.somebody("ann") };
        hill.upsert(&[record]).await.unwrap();
        for _ in 0..3 {
            texting.every_clinic_runs().await;
        }
        assert_eq!(texting.texts_to(ANN), 1, "two questions at once could not be told apart");
        texting.replies(ANN, "YES");
        texting.every_clinic_runs().await;
        assert_eq!(kinds(&hill).await, ["confirmed"], "the one that had asked");
        texting.stands(ANN, Class::Pending, Reason::Invited).await;
        assert_eq!(texting.texts_to(ANN), 2, "now the other may ask");
        texting.every_clinic_runs().await;
        texting.stands(ANN, Class::Pending, Reason::Invited).await;
        texting.replies(ANN, "STOP");
        texting.every_clinic_runs().await;
        texting.stands(ANN, Class::InStep, Reason::Withdrawn).await;
        assert_eq!(kinds(&hill).await, ["confirmed", "withdrawn"]);
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn l27_an_erasure_by_one_clinic_is_no_answer_to_another(world: World) {
        let mut texting = Texting::new(world).await;
        texting.opens_a_second_clinic().await;
        texting.consenting("ann", ANN).await;
        let hill = texting.hill().await;
        let mobile = Address::mobile(ANN, None).ok();
        let record = PatientRecord { email: None, mobile, ..texting.world.somebody("ann") };
        hill.upsert(std::slice::from_ref(&record)).await.unwrap();
        for _ in 0..3 {
            texting.every_clinic_runs().await;
        }
        texting.replies(ANN, "YES");
        texting.every_clinic_runs().await;
        texting.pass(TimeDelta::hours(1));
        let updated_at = texting.world.now();
        hill.upsert(&[PatientRecord { status: PatientStatus::Deleted, updated_at, ..record }]).await.unwrap();
        texting.every_clinic_runs().await;
        let deployment = &texting.world.deployment;
        let hills = deployment.expect_clinic("hill").unwrap();
        let (hill, _) = deployment.known_lists(hills).await.unwrap();
        let asked = [Address::mobile(ANN, None).unwrap()];
        let kept = deployment.reconciler().kept_off(hill, &asked[0], None).await.unwrap();
        assert_eq!(kept[0].kind.unwrap().word(), "erased", "{kept:?}");
        let config = deployment.expect_clinic("riverside").unwrap();
        let (_, lists) = deployment.known_lists(config).await.unwrap();
        let list = lists.iter().find(|list| list.row.slug == "texts").unwrap();
        assert_eq!(deployment.reconciler().scrub(list, &asked).await.unwrap(), [Ok(())]);
        texting.world.end().await;
    }
}

async fn kinds(clinic: &Reference) -> Vec<String> {
    clinic.feedback().await.unwrap().into_iter().map(|line| line.kind).collect()
}
