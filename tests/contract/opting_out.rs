//! Opt-outs at the provider: they reach ledger and clinic, and nothing undoes them (L11, L15).

use chrono::TimeDelta;

use crate::stage::Stage;
use crate::world::World;

/// Somebody opted out there; once it is attended to or polled, this is how things stand.
async fn is_out<S: Stage>(world: &World<S>) {
    assert!(!world.receives(0).await);
    assert_eq!(world.opt_outs().await, 1, "one act, one line");
    assert_eq!(world.told(0).await, ["confirmed", "withdrawn"]);
    assert!(world.receives(1).await);
}

for_every_provider! {
    async fn l15_an_opt_out_is_on_record_when_the_webhook_is_answered(world) {
        world.listed(0..2).await;
        let door = world.registers_webhooks().await;
        world.stage.refuses(&world.address(0));
        assert!(world.stage.delivers().await > 0);
        assert_eq!(world.opt_outs().await, 1, "on record before the provider was answered");
        door.attends().await;
        world.pass(TimeDelta::minutes(2));
        is_out(&world).await;
        world.runs().await;
        is_out(&world).await;
    }

    async fn l15_with_every_webhook_lost_polling_ends_in_the_same_state(world) {
        world.listed(0..2).await;
        let door = world.registers_webhooks().await;
        world.refuses(0);
        world.runs().await;
        is_out(&world).await;
        // They come after all, when all is done.
        assert!(world.stage.delivers().await > 0);
        door.attends().await;
        world.runs().await;
        is_out(&world).await;
    }

    async fn l11_nothing_resubscribes_whoever_opted_out(world) {
        world.listed(0..2).await;
        world.refuses(0);
        world.runs().await;
        is_out(&world).await;
        // Staff import an old file; then somebody answers the old invitation once more.
        world.pass(TimeDelta::hours(1));
        world.staff_add(0..1);
        world.runs().await;
        world.agrees(0);
        world.runs().await;
        assert!(!world.receives(0).await);
        assert_eq!(world.asked(0), 1);
    }

    async fn l11_only_a_newer_consent_asks_once_more_and_only_the_answer_lists(world) {
        world.listed(0..2).await;
        world.refuses(0);
        world.runs().await;
        world.pass(TimeDelta::hours(1));
        world.consents_anew(0).await;
        world.runs().await;
        assert!(!world.receives(0).await, "straight in is no way back");
        world.pass(TimeDelta::hours(1));
        world.runs().await;
        assert!(world.asked(0) <= 2, "once for each consent, where the provider lets it through");
        assert!(!world.receives(0).await);
        assert!(world.receives(1).await);
    }

    async fn l12_an_opt_out_before_the_answer_voids_the_invitation(world) {
        world.consenting(0..1).await;
        world.adopts().await;
        world.refuses(0);
        world.runs().await;
        world.agrees(0);
        world.runs().await;
        assert!(!world.receives(0).await);
        assert_eq!(world.told(0).await.last().unwrap(), "withdrawn");
    }
}
