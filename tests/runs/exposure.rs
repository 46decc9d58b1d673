//! Who was on a list without a basis, from when to when: what a breach assessment needs.

use chrono::TimeDelta;
use listwarden::domain::Reason;
use listwarden::rights::exposure::exposure;
use listwarden::rights::{Exposure, Window};

use crate::on_both_engines;
use crate::world::{Engine, World};

impl World {
    async fn exposed(&self, window: Window, with_people: bool) -> Exposure {
        let config = self.deployment.clinics().next().unwrap();
        let (_, lists) = self.deployment.known_lists(config).await.unwrap();
        let store = &self.deployment.store;
        let found = exposure(store, &lists, window, with_people, self.now()).await.unwrap();
        found.into_iter().next().unwrap()
    }
}

on_both_engines! {
    async fn whoever_was_dropped_is_exposed_until_the_list_let_go(world: World) {
        world.listed(&["ann", "ben"]).await;
        let archived = world.now();
        world.clinic.archive("ann", archived).await.unwrap();
        world.pass(TimeDelta::hours(6));
        world.runs().await;
        let removed = world.now();
        world.pass(TimeDelta::days(1));
        world.runs().await;
        let found = world.exposed(Window::default(), true).await;
        assert_eq!((found.exposed, found.still), (1, 0), "{found:#?}");
        assert_eq!(found.reasons.get(&Reason::PatientArchived), Some(&1));
        assert_eq!((found.earliest, found.latest), (Some(archived), Some(removed)));
        assert_eq!(found.people[0].patients, ["ann"]);
        assert_eq!(found.people[0].stretches.len(), 1);
        let told = serde_json::to_string(&found).unwrap();
        assert!(!told.contains("post.test") && !told.contains("Given"), "{told}");
        let counts = world.exposed(Window::default(), false).await;
        assert!(counts.people.is_empty() && counts.exposed == 1);
        let earlier = Window { from: None, to: Some(archived - TimeDelta::hours(1)) };
        assert_eq!(world.exposed(earlier, true).await.exposed, 0);
        let later = Window { from: Some(removed + TimeDelta::hours(1)), to: None };
        assert_eq!(world.exposed(later, true).await.exposed, 0);
        world.end().await;
    }
}

on_both_engines! {
    async fn a_no_at_the_desk_exposes_until_the_next_run(world: World) {
        world.listed(&["ann", "ben"]).await;
        let said = world.now();
        world.withdraws("ann").await;
        world.pass(TimeDelta::hours(2));
        world.runs().await;
        let found = world.exposed(Window::default(), true).await;
        assert_eq!(found.people.len(), 1, "{found:#?}");
        let stretch = &found.people[0].stretches[0];
        assert_eq!((stretch.from, stretch.until), (Some(said), Some(world.now())));
        assert_eq!(stretch.reasons, [Reason::Withdrawn]);
        world.end().await;
    }
}

on_both_engines! {
    async fn who_left_by_themselves_was_not_exposed_and_a_stranger_still_is(world: World) {
        world.listed(&["ann"]).await;
        world.unsubscribes("ann");
        world.runs().await;
        assert_eq!(world.exposed(Window::default(), true).await.exposed, 0);
        world.pass(TimeDelta::hours(1));
        world.staff_import("stranger");
        world.runs().await;
        let found = world.exposed(Window::default(), true).await;
        assert_eq!((found.exposed, found.still), (1, 1), "{found:#?}");
        assert_eq!(found.reasons.get(&Reason::UnknownMember), Some(&1));
        assert!(found.people[0].patients.is_empty());
        assert_eq!(found.latest, None);
        world.end().await;
    }
}

on_both_engines! {
    async fn an_erased_address_is_counted_as_one_that_cannot_be_told(world: World) {
        world.listed(&["ann"]).await;
        world.erases("ann").await;
        let found = world.exposed(Window::default(), true).await;
        assert_eq!((found.exposed, found.erased), (0, 1));
        world.end().await;
    }
}
