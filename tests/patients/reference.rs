//! The reference clinic on both engines.

use chrono::TimeDelta;
use listwarden::domain::{
    Actor, Address, Answer, Channel, Consent, EventId, EventKind, NoteKind, PatientRecord,
    PatientStatus,
};
use listwarden::patients::{Note, PatientSource, SourceError};

use super::world::{ENGINES, all, database, day, ids, patient};

#[tokio::test]
async fn a_record_comes_back_as_it_went_in() {
    for engine in ENGINES {
        let database = database(engine).await;
        let clinic = database.reference().await;
        clinic.migrate().await.unwrap();
        let mut odd = patient("b");
        odd.email = None;
        odd.birth_date = None;
        odd.privacy_policy = None;
        odd.status = PatientStatus::Merged;
        odd.restricted = true;
        odd.sms_consent.soft_opt_in.in_course_of_sale = true;
        odd.sms_consent.purpose = Some("news".to_owned());
        let records = vec![patient("a"), odd];
        clinic.upsert(&records).await.unwrap();
        let whole = all(&clinic, None).await;
        assert_eq!((whole.records, whole.problems), (records.clone(), vec![]), "{engine:?}");
        assert_eq!(clinic.record("b").await.unwrap(), Some(records[1].clone()));
        assert_eq!(clinic.record("c").await.unwrap(), None);
        database.close().await;
    }
}

#[tokio::test]
async fn writing_the_same_again_changes_nothing_and_any_difference_shows() {
    for engine in ENGINES {
        let database = database(engine).await;
        let clinic = database.reference().await;
        clinic.upsert(&[patient("a")]).await.unwrap();
        let later = PatientRecord { updated_at: day(9), ..patient("a") };
        clinic.upsert(std::slice::from_ref(&later)).await.unwrap();
        assert_eq!(clinic.record("a").await.unwrap().unwrap().updated_at, day(2), "{engine:?}");
        let mut changed = later.clone();
        changed.sms_consent.answer = Answer::Withdrawn;
        clinic.upsert(std::slice::from_ref(&changed)).await.unwrap();
        assert_eq!(clinic.record("a").await.unwrap(), Some(changed), "{engine:?}");
        database.close().await;
    }
}

#[tokio::test]
async fn everything_that_staff_do_shows_in_the_view_as_changed_then() {
    for engine in ENGINES {
        let database = database(engine).await;
        let clinic = database.reference().await;
        clinic.upsert(&[patient("a"), patient("b")]).await.unwrap();
        let (a, at) = ("a", day(10));
        clinic.archive(a, at).await.unwrap();
        assert_eq!(clinic.record(a).await.unwrap().unwrap().status, PatientStatus::Archived);
        clinic.reactivate(a, at).await.unwrap();
        clinic.merge(a, at).await.unwrap();
        clinic.die(a, at).await.unwrap();
        clinic.delete(a, at).await.unwrap();
        clinic.restrict(a, true, at).await.unwrap();
        clinic.answer_policy(a, Some(false), at).await.unwrap();
        clinic.rename(a, "Bea", "Lee", at).await.unwrap();
        clinic.set_tags(a, ["vip".to_owned()].into(), at).await.unwrap();
        let address = Address::email("new@mail.test").unwrap();
        clinic.change_address(a, Channel::Email, Some(address.clone()), at).await.unwrap();
        clinic.change_address(a, Channel::Sms, None, at).await.unwrap();
        clinic.flip_flag(a, Channel::Sms, true, at).await.unwrap();
        let record = clinic.record(a).await.unwrap().unwrap();
        assert_eq!(
            (record.status, record.restricted, record.privacy_policy),
            (PatientStatus::Deleted, true, Some(false))
        );
        assert_eq!((record.email, record.mobile), (Some(address), None));
        assert_eq!(record.sms_consent, Consent { answer: Answer::Granted, ..Consent::default() });
        assert_eq!(record.given_name.expose(), "Bea");
        assert_eq!(ids(&all(&clinic, Some(at)).await), ["a"], "{engine:?}");
        clinic.object("b", day(11)).await.unwrap();
        let b = clinic.record("b").await.unwrap().unwrap();
        assert_eq!(
            (b.email_consent.answer, b.sms_consent.answer, b.sms_consent.at),
            (Answer::Objected, Answer::Objected, Some(day(11)))
        );
        clinic.vanish("b").await.unwrap();
        assert_eq!(ids(&all(&clinic, None).await), ["a"]);
        assert_eq!(clinic.count().await.unwrap(), 1);
        assert!(matches!(clinic.vanish("b").await, Err(SourceError::NoSuchPatient)));
        assert!(matches!(clinic.archive("b", at).await, Err(SourceError::NoSuchPatient)));
        database.close().await;
    }
}

fn note(event: u128, channel: Option<Channel>, kind: EventKind) -> Note {
    Note {
        event: EventId(uuid::Uuid::from_u128(event)),
        source_id: "a".to_owned(),
        channel,
        kind: NoteKind::of(kind).unwrap(),
        at: day(12),
        list: Some("news".to_owned()),
        by: Actor::Person,
    }
}

#[tokio::test]
async fn an_opt_out_that_comes_back_becomes_the_clinics_own_record() {
    for engine in ENGINES {
        let database = database(engine).await;
        let clinic = database.reference().await;
        clinic.upsert(&[patient("a")]).await.unwrap();
        clinic.write_back(&[note(1, Some(Channel::Email), EventKind::Confirmed)]).await.unwrap();
        assert_eq!(clinic.record("a").await.unwrap().unwrap(), patient("a"), "{engine:?}");
        clinic.write_back(&[note(2, Some(Channel::Email), EventKind::Withdrawn)]).await.unwrap();
        let record = clinic.record("a").await.unwrap().unwrap();
        assert_eq!(
            (record.email_consent.answer, record.email_consent.at),
            (Answer::Withdrawn, Some(day(12)))
        );
        assert_eq!((record.sms_consent.answer, record.updated_at), (Answer::NotAsked, day(12)));
        clinic.write_back(&[note(3, None, EventKind::Objected)]).await.unwrap();
        let record = clinic.record("a").await.unwrap().unwrap();
        assert_eq!(record.sms_consent.answer, Answer::Objected);
        let feedback = clinic.feedback().await.unwrap();
        assert_eq!(
            feedback.iter().map(|f| f.kind.as_str()).collect::<Vec<_>>(),
            ["confirmed", "withdrawn", "objected"]
        );
        assert_eq!(
            (feedback[1].list.as_deref(), feedback[1].by.as_str()),
            (Some("news"), "person")
        );
        database.close().await;
    }
}

#[tokio::test]
async fn a_newer_answer_at_the_clinic_outlives_an_older_opt_out() {
    for engine in ENGINES {
        let database = database(engine).await;
        let clinic = database.reference().await;
        let mut newer = patient("a");
        newer.email_consent.at = Some(day(20));
        newer.updated_at = day(20);
        clinic.upsert(std::slice::from_ref(&newer)).await.unwrap();
        clinic.write_back(&[note(1, Some(Channel::Email), EventKind::Withdrawn)]).await.unwrap();
        assert_eq!(clinic.record("a").await.unwrap().unwrap(), newer, "{engine:?}");
        database.close().await;
    }
}

#[tokio::test]
async fn ten_thousand_patients_are_written_and_read_in_pages() {
    for engine in ENGINES {
        let database = database(engine).await;
        let clinic = database.reference().await;
        let many: Vec<PatientRecord> = (0..10_000).map(|i| patient(&format!("p{i:05}"))).collect();
        clinic.upsert(&many).await.unwrap();
        assert_eq!(clinic.count().await.unwrap(), 10_000);
        let whole = all(&clinic, None).await;
        assert_eq!(whole.records.len(), 10_000, "{engine:?}");
        assert!(all(&clinic, Some(day(2) + TimeDelta::days(3))).await.records.is_empty());
        database.close().await;
    }
}

#[tokio::test]
async fn a_clinic_in_memory_is_one_clinic() {
    let url = secrecy::SecretString::from("sqlite::memory:");
    let clinic = listwarden::patients::Reference::open(
        &url,
        listwarden::patients::SqlOptions::default(),
        super::world::clock(),
    )
    .unwrap();
    clinic.migrate().await.unwrap();
    clinic.upsert(&[patient("a")]).await.unwrap();
    assert_eq!(ids(&all(&clinic, None).await), ["a"]);
}
