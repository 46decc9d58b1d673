//! Who comes onto a list, and by what: the answer to one invitation (L3, L10, L12, L25).

use chrono::TimeDelta;
use listwarden::domain::{Consent, PatientStatus};

use crate::stage::Stage;
use crate::world::{PRIVATE, World, id};

for_every_provider! {
    async fn l10_everybody_is_asked_once_and_listed_only_by_the_answer(world) {
        world.consenting(0..3).await;
        world.adopts().await;
        for n in 0..3 {
            assert_eq!(world.asked(n), 1);
            assert!(!world.receives(n).await, "nobody has answered yet");
        }
        world.agrees(0);
        world.runs().await;
        assert!(world.receives(0).await);
        assert_eq!(world.told(0).await, ["confirmed"]);
        world.pass(TimeDelta::hours(1));
        world.runs().await;
        for n in 1..3 {
            assert!(!world.receives(n).await, "silence is no answer");
            assert_eq!(world.asked(n), 1, "and nobody is asked twice");
        }
    }

    async fn l10_nobody_is_asked_who_did_not_consent(world) {
        let mut record = world.patient(0, world.now());
        record.email_consent = Consent::default();
        record.sms_consent = Consent::default();
        world.clinic.upsert(&[record]).await.unwrap();
        world.adopts().await;
        assert_eq!(world.asked(0), 0);
        assert!(!world.receives(0).await);
        assert_eq!(world.stage.writes(), []);
    }

    async fn l12_an_answer_too_late_lists_nobody(world) {
        world.consenting(0..1).await;
        world.adopts().await;
        world.pass(TimeDelta::hours(49));
        world.runs().await;
        world.agrees(0);
        world.runs().await;
        assert!(!world.receives(0).await);
        assert_eq!(world.asked(0), 1, "an invitation that lapsed is not repeated");
    }

    async fn l12_an_answer_too_late_lists_nobody_though_no_run_came_between(world) {
        world.consenting(0..1).await;
        world.adopts().await;
        world.pass(TimeDelta::hours(49));
        world.agrees(0);
        world.runs().await;
        assert!(!world.receives(0).await);
        assert_eq!((world.asked(0), world.told(0).await), (1, Vec::<String>::new()));
    }

    async fn l12_an_answer_after_the_clinic_archived_somebody_lists_nobody(world) {
        world.consenting(0..1).await;
        world.adopts().await;
        world.becomes(0, PatientStatus::Archived).await;
        world.agrees(0);
        world.runs().await;
        assert!(!world.receives(0).await);
    }

    async fn l7_a_family_with_one_address_is_asked_once_and_stays_while_one_of_it_does(world) {
        let mut child = world.patient(0, world.now() - TimeDelta::days(20));
        child.source_id = id(1);
        world.consenting(0..1).await;
        world.clinic.upsert(&[child]).await.unwrap();
        world.adopts().await;
        assert_eq!(world.asked(0), 1);
        world.agrees(0);
        world.runs().await;
        world.becomes(0, PatientStatus::Archived).await;
        world.runs().await;
        assert!(world.receives(0).await, "the other holder is wanted");
        world.becomes(1, PatientStatus::Archived).await;
        world.runs().await;
        assert!(!world.receives(0).await);
    }

    async fn l7_an_opt_out_from_a_shared_address_speaks_for_all_its_holders(world) {
        let mut child = world.patient(0, world.now() - TimeDelta::days(20));
        child.source_id = id(1);
        world.clinic.upsert(&[child]).await.unwrap();
        world.listed(0..1).await;
        world.refuses(0);
        world.runs().await;
        assert!(!world.receives(0).await);
        for n in 0..2 {
            assert_eq!(world.told(n).await.last().unwrap(), "withdrawn");
        }
    }

    async fn l20_an_opt_out_from_before_the_first_run_is_taken_in_and_nobody_is_asked(world) {
        world.staff_add(0..1);
        world.refuses(0);
        world.pass(TimeDelta::days(1));
        world.consenting(0..2).await;
        world.adopts().await;
        assert_eq!((world.asked(0), world.asked(1)), (0, 1));
        assert!(!world.receives(0).await);
        assert_eq!(world.told(0).await, ["withdrawn"]);
    }

    async fn l25_nothing_leaves_but_the_address_and_mapped_fields(world) {
        world.listed(0..2).await;
        world.clinic.rename(&id(1), "Else", "Familyname-too", world.now()).await.unwrap();
        world.becomes(0, PatientStatus::Archived).await;
        world.runs().await;
        let writes = world.stage.writes();
        assert!(!writes.is_empty());
        for write in writes {
            let text = format!("{} {}", write.path, write.body);
            let told = PRIVATE.iter().find(|word| text.contains(**word));
            assert_eq!(told, None, "{} {}", write.method, write.path);
        }
    }
}

for_every_list! {
    async fn l21_whoever_is_listed_without_proof_is_taken_off_and_asked(world) {
        world.staff_add(0..1);
        world.consenting(0..1).await;
        world.adopts().await;
        assert!(!world.receives(0).await);
        assert_eq!(world.asked(0), 1);
        world.agrees(0);
        world.runs().await;
        assert!(world.receives(0).await);
    }
}
