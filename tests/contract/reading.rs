//! Lists longer than a page are read whole (L22, L26).

use listwarden::domain::Class;

use crate::stage::Stage;
use crate::world::World;

/// More than fits on a page of any provider.
const MANY: usize = 1_500;

impl<S: Stage> World<S> {
    /// How many members the list is said to hold without a basis.
    async fn without_basis(&self) -> u64 {
        let config = self.deployment.clinics().next().unwrap();
        let (id, lists) = self.deployment.known_lists(config).await.unwrap();
        let attested = self.deployment.reconciler().attest(id, &lists).await.unwrap().remove(0);
        let classes = attested.classes.unwrap_or_default();
        classes.get(&Class::HeldWithoutBasis).copied().unwrap_or_default()
    }
}

for_every_provider! {
    async fn l26_a_list_of_many_pages_is_read_whole(world) {
        if !world.keeps_a_list() {
            return;
        }
        world.staff_add(100..100 + MANY);
        world.listed(0..1).await;
        assert_eq!(world.without_basis().await, MANY as u64);
        assert!(world.receives(100 + MANY - 1).await, "strangers are left alone");
    }

    async fn l26_rows_that_move_between_pages_are_not_overlooked(world) {
        if !world.keeps_a_list() {
            return;
        }
        world.staff_add(100..100 + MANY);
        world.listed(0..1).await;
        world.stage.drifts();
        world.run().await;
        world.stage.clears_up();
        world.runs().await;
        assert_eq!(world.without_basis().await, MANY as u64);
        assert!(world.receives(0).await);
    }
}
