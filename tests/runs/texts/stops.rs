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
