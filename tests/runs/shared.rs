//! Two lists that share one audience: whoever either wants stays; an opt-out ends it for both (L27).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use listwarden::domain::{Class, PatientRecord, Reason};
use listwarden::reconcile::ListWord;
use listwarden::simulator::mailchimp::Status;

use crate::on_both_engines;
use crate::world::{Engine, World};

impl World {
    /// The newsletter is for physio patients; a second list on its audience is for massage.
    async fn shares_its_audience(&mut self) {
        let massage = format!(
            "[lists.massage]\naccount = \"main\"\naudience = \"{}\"\n\
             shared_with = [\"riverside/newsletter\"]\nselector = {{ any = [\"massage\"] }}\n\
             unknown = \"report\"\nunproven = \"archive_and_invite\"\n[lists.newsletter]\n\
             shared_with = [\"riverside/massage\"]\nselector = {{ any = [\"physio\"] }}",
            self.audience
        );
        self.reconfigures("[lists.newsletter]", &massage).await;
        for (name, tag) in [("ann", "physio"), ("ben", "massage")] {
            let record = self.somebody(name);
            let tags = BTreeSet::from([tag.to_owned()]);
            let email_consent = self.explicit();
            self.enters(PatientRecord { tags, email_consent, ..record }).await;
        }
        self.adopts().await;
    }
}

on_both_engines! {
    async fn l27_whoever_either_list_wants_stays_for_both(mut world: World) {
        world.shares_its_audience().await;
        assert_eq!(world.there("ann"), Some(Status::Pending));
        assert_eq!(world.there("ben"), Some(Status::Pending));
        world.confirms("ann");
        world.confirms("ben");
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        assert_eq!(world.there("ben"), Some(Status::Subscribed));
        let words = world.explain("ann").await;
        let reasons = |word: &ListWord| -> Vec<Reason> {
            word.reasons.iter().map(|because| because.reason).collect()
        };
        assert_eq!(words[0].list, "massage");
        assert_eq!(reasons(&words[0]), [Reason::WantedByAnother, Reason::NotSelected]);
        assert_eq!((words[0].class, words[0].next), (Class::InStep, None), "as the plan says");
        assert_eq!(reasons(&words[1]), [Reason::Wanted]);
        world.clinic.set_tags("ann", BTreeSet::new(), world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived), "neither list wants her now");
        world.end().await;
    }
}

on_both_engines! {
    async fn l27_an_opt_out_ends_it_for_both(mut world: World) {
        world.shares_its_audience().await;
        world.confirms("ben");
        world.runs().await;
        world.pass(TimeDelta::hours(1));
        world.unsubscribes("ben");
        world.runs().await;
        assert_eq!(world.there("ben"), Some(Status::Unsubscribed));
        assert_eq!(world.told("ben").await.iter().filter(|kind| *kind == "withdrawn").count(), 1);
        world.end().await;
    }
}
