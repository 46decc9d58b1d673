//! Bad weather at the provider: in the end all is as it would be on a fair day (L17, L24).

use chrono::TimeDelta;
use listwarden::domain::PatientStatus;
use listwarden::reconcile::ListState;

use crate::stage::{Requests, Stage, Weather};
use crate::world::World;

impl<S: Stage> World<S> {
    /// Two are asked, two must leave, while the weather is as the caller made it; afterwards
    /// everything is as it ought to be.
    async fn weathers(&self) {
        self.consenting(2..4).await;
        self.becomes(0, PatientStatus::Archived).await;
        self.run().await;
        self.stage.clears_up();
        self.pass(TimeDelta::hours(2));
        self.runs().await;
        for n in 2..4 {
            assert_eq!(self.asked(n), 1, "{n} is asked once");
            self.agrees(n);
        }
        self.runs().await;
        assert!(!self.receives(0).await, "who was archived is off");
        for n in 1..4 {
            assert!(self.receives(n).await, "{n} is on");
        }
        assert_eq!(self.opt_outs().await, 0, "the weather is nobody's opt-out");
    }
}

for_every_provider! {
    async fn l24_throttled_requests_are_made_again(world) {
        world.listed(0..2).await;
        world.stage.strikes(Weather::Throttled, Requests::All, 3);
        world.weathers().await;
    }

    async fn l24_a_run_that_throttling_ends_is_made_good_by_the_next(world) {
        world.listed(0..2).await;
        world.stage.strikes(Weather::Throttled, Requests::Changes, 1_000);
        world.weathers().await;
    }

    async fn l24_errors_of_the_server_while_reading_change_nothing(world) {
        world.listed(0..2).await;
        world.stage.strikes(Weather::Broken, Requests::Reads, 3);
        world.weathers().await;
    }

    async fn l26_a_provider_that_cannot_be_read_fails_the_run_and_nobody_is_dropped(world) {
        world.listed(0..2).await;
        let before = world.stage.writes().len();
        world.stage.strikes(Weather::Broken, Requests::Reads, 1_000);
        let outcome = world.run().await;
        assert_eq!(outcome.state, ListState::Failed, "{outcome:#?}");
        assert_eq!(world.stage.writes().len(), before);
        world.stage.clears_up();
        world.weathers().await;
    }

    async fn l17_connections_that_break_before_a_read_change_nothing(world) {
        world.listed(0..2).await;
        world.stage.strikes(Weather::Reset, Requests::Reads, 2);
        world.weathers().await;
    }

    async fn l17_a_lost_reply_to_an_invitation_neither_asks_twice_nor_loses_the_answer(world) {
        world.listed(0..2).await;
        world.stage.strikes(Weather::LostReply, Requests::Invitations, 1);
        world.weathers().await;
    }

    async fn l17_lost_replies_to_all_kinds_of_changes_neither_ask_twice_nor_lose(world) {
        world.listed(0..2).await;
        world.stage.strikes(Weather::LostReply, Requests::Changes, 1);
        world.weathers().await;
    }

    async fn l17_a_connection_that_broke_before_an_invitation_never_asks_twice(world) {
        world.adopts().await;
        world.consenting(0..2).await;
        world.stage.strikes(Weather::Reset, Requests::Invitations, 1);
        world.run().await;
        world.pass(TimeDelta::hours(2));
        world.runs().await;
        for n in 0..2 {
            assert!(world.asked(n) <= 1, "one that may have gone out is not sent again");
            assert!(!world.receives(n).await);
        }
        assert!(world.asked(0) + world.asked(1) > 0, "the other one is asked");
    }

    async fn l26_one_that_the_provider_turns_away_leaves_the_others_done(world) {
        world.stage.turns_away(&world.address(1));
        world.consenting(0..4).await;
        world.adopts().await;
        for n in [0, 2, 3] {
            assert_eq!(world.asked(n), 1);
            world.agrees(n);
        }
        world.runs().await;
        for n in [0, 2, 3] {
            assert!(world.receives(n).await);
        }
        assert!(!world.receives(1).await);
    }
}
