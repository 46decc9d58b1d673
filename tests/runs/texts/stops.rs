//! Opt-outs by text, and how often each act is on record.

use listwarden::commands::{Exit, reconcile};
use listwarden::domain::Answer;

use super::*;
use crate::transport::{Side, Stopping};

on_both_engines! {
    async fn l8_a_stop_at_the_number_ends_the_mail_that_a_run_under_way_was_about_to_send(world: World) {
        let mut texting = Texting::new(world).await;
        texting.world.reconfigures("country =", "opt_out_scope = \"all\"\ncountry =").await;
        texting.world.asks_one_thing_at_a_time().await;
        texting.world.consenting("bob").await;
        let mobile = Address::mobile(ANN, None).ok();
        let sms_consent = texting.world.explicit();
        let ann = PatientRecord { mobile, sms_consent, ..texting.world.somebody("ann") };
        texting.world.enters(ann).await;
        texting.adopts().await;
        let _serving = texting.registers().await;
        texting.becomes("bob", PatientStatus::Archived).await;
        texting.world.consents_now("ann").await;
        let transport = Arc::new(Stopping::at(1, Side::After));
        let cron = texting.world.process_over(transport.clone()).await;
        let scope = Scope { list: Some("newsletter".to_owned()), full: true };
        let running =
            tokio::spawn(async move { reconcile::reconcile(&cron, &scope, true).await.unwrap() });
        transport.reached().await;
        assert_eq!(texting.world.there("bob"), Some(Status::Unsubscribed), "going; she is next");
        texting.twilio.person(ANN).texts(OURS, "STOP").unwrap();
        assert_eq!(texting.twilio.deliver_webhooks().await, 1);
        texting.pass(TimeDelta::seconds(1));
        transport.let_go();
        assert_eq!(running.await.unwrap(), Exit::InStep);
        assert_eq!(texting.world.invitations("ann"), 0, "she had said no by then");
        assert_eq!(texting.world.reasons("ann").await.first(), Some(&Reason::Withdrawn));
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_text_refused_because_of_a_stop_on_record_is_no_second_act(world: World) {
        let texting = Texting::new(world).await;
        texting.consenting("ann", ANN).await;
        texting.adopts().await;
        texting.replies(ANN, "YES");
        texting.in_step().await;
        texting.replies(ANN, "STOP");
        texting.in_step().await;
        texting.pass(TimeDelta::hours(1));
        texting.consents_anew("ann").await;
        texting.in_step().await;
        assert_eq!(texting.texts_to(ANN), 1, "refused: she had said STOP to this sender");
        assert_eq!(texting.withdrawals().await, 1);
        assert_eq!(texting.told("ann").await, ["confirmed", "withdrawn"]);
        let word = texting.word(ANN).await;
        assert_eq!((word.next, word.held_back), (Some(Verb::Invite), Some(Class::Parked)));
        texting.replies(ANN, "START");
        texting.pass(TimeDelta::hours(24));
        texting.in_step().await;
        assert_eq!(texting.texts_to(ANN), 2, "asked once more, now that it can be");
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn a_stop_that_a_refusal_shows_first_is_read_and_told_once(world: World) {
        let texting = Texting::new(world).await;
        texting.enters("ann", ANN, Consent::default()).await;
        texting.adopts().await;
        texting.pass(TimeDelta::hours(1));
        texting.in_step().await;
        // The log was read just now.
        texting.twilio.person(ANN).texts(OURS, "STOP").unwrap();
        texting.consents_anew("ann").await;
        texting.in_step().await;
        texting.stands(ANN, Class::InStep, Reason::Withdrawn).await;
        texting.pass(TimeDelta::hours(1));
        texting.in_step().await;
        assert_eq!(texting.withdrawals().await, 1);
        assert_eq!(texting.told("ann").await, ["withdrawn"]);
        texting.world.end().await;
    }
}

impl Texting {
    /// Ann said YES to two clinics on one sender, one after the other; returns the second.
    async fn ann_on_both_clinics(&mut self) -> Reference {
        self.opens_a_second_clinic().await;
        self.consenting("ann", ANN).await;
        let hill = self.hill().await;
        let mobile = Address::mobile(ANN, None).ok();
        let sms_consent = self.world.explicit();
        let ann = PatientRecord { email: None, mobile, sms_consent, ..self.world.somebody("ann") };
        hill.upsert(&[ann]).await.unwrap();
        for _ in 0..3 {
            self.every_clinic_runs().await;
        }
        for _ in 0..2 {
            self.replies(ANN, "YES");
            self.every_clinic_runs().await;
        }
        self.is_listed(ANN).await;
        assert_eq!(kinds(&hill).await, ["confirmed"]);
        hill
    }
}

on_both_engines! {
    async fn l27_a_no_at_one_clinics_desk_ends_the_shared_sender_for_all(world: World) {
        let mut texting = Texting::new(world).await;
        let hill = texting.ann_on_both_clinics().await;
        let (answer, at) = (Answer::Withdrawn, Some(texting.world.now()));
        let said = Consent { answer, at, method: Some("telephone".into()), ..Consent::default() };
        let clinic = &texting.world.clinic;
        clinic.set_consent("ann", Channel::Sms, said, texting.world.now()).await.unwrap();
        texting.every_clinic_runs().await;
        for _ in 0..2 {
            texting.pass(TimeDelta::hours(1));
            texting.every_clinic_runs().await;
            texting.stands(ANN, Class::InStep, Reason::Withdrawn).await;
            assert_eq!(kinds(&hill).await, ["confirmed", "withdrawn"]);
            assert_eq!(texting.withdrawals().await, 2, "one line in each ledger");
            let absent = "SELECT status FROM links WHERE status = 'absent'";
            assert_eq!(texting.world.store_says(absent).await.len(), 2, "off both lists");
        }
        texting.world.end().await;
    }
}

on_both_engines! {
    async fn l29_of_a_list_that_lives_with_us_no_other_list_keeps_anybody_on_it(world: World) {
        let mut texting = Texting::new(world).await;
        texting.ann_on_both_clinics().await;
        texting.becomes("ann", PatientStatus::Archived).await;
        let config = texting.world.deployment.expect_clinic("riverside").unwrap();
        let mut practice = texting.world.deployment.practice(config).await.unwrap();
        let scope = Scope { list: Some("newsletter".to_owned()), full: true };
        let reconciler = texting.world.deployment.reconciler();
        reconciler.reconcile(&mut practice, &scope).await.unwrap();
        texting.stands(ANN, Class::HeldButDropped, Reason::PatientArchived).await;
        assert_eq!(texting.word(ANN).await.next, Some(Verb::Archive));
        texting.world.end().await;
    }
}
