//! Opt-outs by text, and how often each act is on record.

use listwarden::commands::{Exit, reconcile};

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
