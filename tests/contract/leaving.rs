//! Who leaves a list, and stays away (L9, L14, L15, L16).

use chrono::TimeDelta;
use listwarden::domain::{Answer, PatientStatus};

use crate::stage::Stage;
use crate::world::{World, id};

for_every_provider! {
    async fn l14_whatever_the_reason_whoever_must_leave_is_off_the_list(world) {
        world.listed(0..9).await;
        world.becomes(0, PatientStatus::Archived).await;
        world.becomes(1, PatientStatus::Merged).await;
        world.becomes(2, PatientStatus::Deceased).await;
        world.clinic.vanish(&id(3)).await.unwrap();
        world.says(4, Answer::Withdrawn).await;
        world.says(5, Answer::Objected).await;
        world.clinic.restrict(&id(6), true, world.now()).await.unwrap();
        world.clinic.answer_policy(&id(7), Some(false), world.now()).await.unwrap();
        world.run().await;
        world.pass(TimeDelta::hours(1));
        world.runs().await;
        for n in 0..8 {
            assert!(!world.receives(n).await, "{n} has to leave");
            let told = world.told(n).await;
            assert_eq!(told, ["confirmed"], "our own way out is nobody's opt-out");
        }
        assert!(world.receives(8).await, "nothing was said of the last one");
    }

    async fn l14_who_is_deleted_is_erased_there_and_here_and_stays_so(world) {
        world.listed(0..2).await;
        let before = world.patient(0, world.now() - TimeDelta::days(30));
        world.becomes(0, PatientStatus::Deleted).await;
        world.runs().await;
        assert!(!world.receives(0).await);
        assert!(!world.can.erases || !world.stage.holds(&world.address(0)), "nothing is readable");
        let kept = world.store_says("SELECT address FROM contacts WHERE address IS NOT NULL").await;
        assert_eq!(kept.len(), 1, "the other one is still known here");
        // Staff import an old file there, and the clinic's record comes back with its old consent.
        world.pass(TimeDelta::days(1));
        world.staff_add(0..1);
        world.clinic.upsert(&[before]).await.unwrap();
        world.runs().await;
        assert!(!world.receives(0).await);
        assert_eq!(world.asked(0), 1);
        assert!(world.receives(1).await);
    }
}

for_every_list! {
    async fn l15_a_staff_import_of_somebody_dropped_is_undone(world) {
        world.listed(0..1).await;
        world.becomes(0, PatientStatus::Archived).await;
        world.runs().await;
        world.pass(TimeDelta::hours(1));
        world.staff_add(0..1);
        assert!(world.receives(0).await);
        world.runs().await;
        assert!(!world.receives(0).await);
        assert_eq!(world.told(0).await, ["confirmed"]);
    }

    async fn l16_who_was_removed_there_by_staff_is_not_added_again(world) {
        world.listed(0..1).await;
        world.stage.staff_remove(&world.address(0));
        world.runs().await;
        world.pass(TimeDelta::days(1));
        world.runs().await;
        assert!(!world.receives(0).await);
        assert_eq!(world.asked(0), 1);
        assert_eq!(world.told(0).await, ["confirmed"], "the clinic's consent is left alone");
        // A newer grant outranks it: asked once more, listed by the answer.
        world.consents_anew(0).await;
        world.runs().await;
        assert_eq!(world.asked(0), 2);
        world.agrees(0);
        world.runs().await;
        assert!(world.receives(0).await);
    }

    async fn l22_a_stranger_is_kept_or_archived_as_the_clinic_decided(mut world) {
        world.staff_add(7..8);
        world.listed(0..1).await;
        assert!(world.receives(7).await, "reported, and left alone");
        world.reconfigures("unknown = \"report\"", "unknown = \"archive\"").await;
        world.runs().await;
        assert!(!world.receives(7).await);
        assert!(world.receives(0).await);
        assert_eq!(world.asked(7), 0);
    }
}
