use std::time::Duration;

use listwarden::domain::{EventKind, MemberStatus};
use listwarden::store::Counter;

use crate::world::{at, record};

stories! {
    async fn what_two_processes_counted_is_added_up(world: World) {
        let other = world.another_process(world.keys.clone()).await;
        for store in [&world.store, &other] {
            store.counts(|tally| {
                tally.add(Counter::Runs, "in_step", "", 2);
                tally.observe(Counter::RunTime, "", Duration::from_millis(700));
            });
        }
        let (one, two) = tokio::join!(world.store.tallies_keep(), other.tallies_keep());
        one.unwrap();
        two.unwrap();
        // What was kept is kept once.
        other.tallies_keep().await.unwrap();
        let tally = world.store.tallies().await.unwrap();
        assert_eq!(tally.of(Counter::Runs).collect::<Vec<_>>(), [("in_step", "", 4)]);
        let took: Vec<_> = tally.of(Counter::RunTime).collect();
        assert_eq!(took, [("", "1", 2), ("", "sum", 1_400)]);
    }

    async fn what_cannot_be_kept_is_kept_with_the_next(world: World) {
        world.store.counts(|tally| tally.add(Counter::Throttles, "x", "", 3));
        world.tampers("ALTER TABLE tallies RENAME TO elsewhere").await;
        assert!(world.store.tallies_keep().await.is_err());
        world.tampers("ALTER TABLE elsewhere RENAME TO tallies").await;
        world.store.counts(|tally| tally.add(Counter::Throttles, "x", "", 1));
        world.store.tallies_keep().await.unwrap();
        let tally = world.store.tallies().await.unwrap();
        assert_eq!(tally.of(Counter::Throttles).collect::<Vec<_>>(), [("x", "", 4)]);
    }

    async fn an_opt_out_is_on_its_way_until_the_list_and_the_clinic_have_it(world: World) {
        let store = &world.store;
        let name = "ann@mail.test";
        world.reads(&[record("1", name)]).await;
        world.observes(&[world.member("a", name, MemberStatus::Subscribed)]).await;
        store.links_ensure(&world.lease, &world.list).await.unwrap();
        world.settles().await;
        assert_eq!(store.spreading_on_lists().await.unwrap(), []);
        let told = async |unique: &str| {
            let mut withdrawn = world.event(EventKind::Withdrawn, unique);
            withdrawn.draft.contact = world.contact(name).await;
            world.appends(vec![withdrawn]).await;
        };
        world.clock.set(at(10));
        told("once").await;
        world.clock.set(at(12));
        told("again").await;
        let waits = [(world.list.id, at(10))];
        assert_eq!(store.spreading_on_lists().await.unwrap(), waits, "the older one counts");
        assert_eq!(store.spreading_untold().await.unwrap(), [(world.clinic, at(10))]);

        world.clock.set(at(20));
        world.observes(&[world.member("a", name, MemberStatus::Unsubscribed)]).await;
        assert_eq!(store.spreading_on_lists().await.unwrap(), []);
        store.spreading_over(world.clinic).await.unwrap();
        assert_eq!(store.spreading_untold().await.unwrap().len(), 1, "the clinic was not told yet");
        let page = store.feedback_page(world.clinic, 9).await.unwrap();
        let ids: Vec<_> = page.iter().map(|feedback| feedback.id).collect();
        store.feedback_done(&world.lease, world.clinic, &ids).await.unwrap();
        store.spreading_over(world.clinic).await.unwrap();
        assert_eq!(store.spreading_untold().await.unwrap(), []);
        store.tallies_keep().await.unwrap();
        let tally = store.tallies().await.unwrap();
        let took: Vec<_> = tally.of(Counter::Propagation).collect();
        assert_eq!(took, [("", "900", 1), ("", "sum", 600_000)], "ten minutes");
    }
}
