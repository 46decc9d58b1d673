//! What the clinic's own record is told of beside opt-outs, where it takes that.

use chrono::TimeDelta;
use listwarden::domain::PatientRecord;
use listwarden::simulator::mailchimp::{Fault, Rule, Status};
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};

use crate::on_both_engines;
use crate::world::{Engine, World, email};

const SOURCE: &str = "kind = \"reference\"";

impl World {
    async fn takes(&mut self, notes: &str) {
        self.reconfigures(SOURCE, &format!("{SOURCE}\nnotes = {notes}")).await;
    }

    /// How often the clinic was told that of somebody.
    async fn times(&self, name: &str, kind: &str) -> usize {
        self.told(name).await.iter().filter(|told| *told == kind).count()
    }

    async fn clinic_does(&self, sqlite: &'static str, postgres: &'static str) {
        if let Some(url) = &self.store_url {
            let pool = PgPool::connect(url).await.unwrap();
            sqlx::query(AssertSqlSafe(postgres)).execute(&pool).await.unwrap();
            return;
        }
        let file = format!("sqlite://{}", self.folder.path().join("clinic.db").display());
        let pool = SqlitePool::connect(&file).await.unwrap();
        sqlx::query(AssertSqlSafe(sqlite)).execute(&pool).await.unwrap();
    }
}

on_both_engines! {
    async fn an_invitation_is_noted_once_in_the_record_of_all_who_share_the_address(mut world: World) {
        world.takes("[\"invited\"]").await;
        let ben = PatientRecord {
            email: Some(email("ann")),
            email_consent: world.explicit(),
            ..world.somebody("ben")
        };
        world.enters(ben).await;
        world.consenting("ann").await;
        world.adopts().await;
        assert_eq!(world.there("ann"), Some(Status::Pending));
        world.runs().await;
        for name in ["ann", "ben"] {
            assert_eq!(world.told(name).await, ["invited"], "{name}");
        }
        world.confirms("ann");
        world.runs().await;
        assert_eq!(world.told("ann").await, ["invited"], "confirmations it does not take");
        world.pass(TimeDelta::hours(1));
        world.unsubscribes("ann");
        world.runs().await;
        assert_eq!(world.times("ann", "withdrawn").await, 1, "an opt-out it is always told of");
        world.end().await;
    }
}

on_both_engines! {
    async fn an_invitation_whose_answer_was_lost_is_noted_once_it_is_found(mut world: World) {
        world.takes("[\"invited\", \"confirmed\"]").await;
        world.listed(&["zoe"]).await;
        world.consenting("ann").await;
        for method in ["PUT", "POST"] {
            world.simulator.script(Rule::next(Fault::LostReply).on(method, "/3.0/lists"));
        }
        for _ in 0..3 {
            world.try_run(true).await;
            world.pass(TimeDelta::minutes(5));
        }
        world.simulator.clear_faults();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending));
        assert_eq!(world.times("ann", "invited").await, 1);
        assert_eq!((world.times("zoe", "invited").await, world.times("zoe", "confirmed").await), (1, 1));
        world.end().await;
    }
}

on_both_engines! {
    async fn a_record_that_refuses_an_invitation_is_told_of_everything_else(mut world: World) {
        world.takes("[\"invited\", \"confirmed\"]").await;
        world.clinic_does(
            "CREATE TRIGGER no_invited BEFORE INSERT ON listwarden_feedback WHEN NEW.kind = 'invited'
             BEGIN SELECT RAISE(ABORT, 'unknown kind'); END",
            "ALTER TABLE listwarden_feedback ADD CONSTRAINT no_invited CHECK (kind <> 'invited')",
        ).await;
        world.listed(&["ann"]).await;
        world.unsubscribes("ann");
        world.runs().await;
        let told = world.told("ann").await;
        assert_eq!((told.len(), world.times("ann", "invited").await), (2, 0), "{told:?}");
        world.clinic_does(
            "DROP TRIGGER no_invited",
            "ALTER TABLE listwarden_feedback DROP CONSTRAINT no_invited",
        ).await;
        world.runs().await;
        assert_eq!(world.times("ann", "invited").await, 1, "told once it is taken");
        world.end().await;
    }
}

on_both_engines! {
    async fn a_record_that_was_not_said_to_take_invitations_hears_of_none(world: World) {
        world.listed(&["ann"]).await;
        assert_eq!(world.told("ann").await, ["confirmed"]);
        assert_eq!(world.store_says("SELECT CAST(event_id AS TEXT) FROM invited").await, [""; 0]);
        world.end().await;
    }
}
