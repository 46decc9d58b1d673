use chrono::{NaiveDate, TimeZone};
use serde_json::json;

use super::*;
use crate::domain::Consent;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "reads best with the row written in place")]
fn reading(changes: Value) -> Reading {
    let mut row = json!({ "id": 7, "status": "active", "email": "ann@mail.test", "updated_at": "2026-02-01T00:00:00Z" });
    for (column, value) in changes.as_object().unwrap() {
        row[column] = value.clone();
    }
    read(row.as_object().unwrap(), Context { country: Some("GB"), now: now() })
}

fn record(changes: Value) -> PatientRecord {
    let reading = reading(changes);
    assert_eq!(reading.problems, [], "nothing to complain about");
    reading.record.unwrap()
}

fn consent(changes: Value) -> Consent {
    record(changes).email_consent
}

#[test]
fn yes_and_no_are_read_in_every_form_that_databases_hold() {
    for yes in
        [json!(true), json!(1), json!("t"), json!("YES"), json!(" true "), json!("1"), json!(1.0)]
    {
        assert!(record(json!({ "restricted": yes })).restricted, "{yes}");
        assert_eq!(consent(json!({ "email_consent": yes })).answer, Answer::Granted, "{yes}");
    }
    for no in [json!(false), json!(0), json!("f"), json!("No"), json!(null), json!("")] {
        assert!(!record(json!({ "restricted": no })).restricted, "{no}");
        assert_eq!(consent(json!({ "email_consent": no })).answer, Answer::NotAsked, "{no}");
    }
}

#[test]
fn a_bare_no_is_a_withdrawal_only_after_a_yes() {
    assert!(withdrawn(Answer::Granted, Answer::NotAsked));
    assert!(withdrawn(Answer::SoftOptIn, Answer::Withdrawn));
    assert!(!withdrawn(Answer::NotAsked, Answer::NotAsked));
    assert!(!withdrawn(Answer::Withdrawn, Answer::NotAsked));
    assert!(!withdrawn(Answer::NotAsked, Answer::Granted));
}

#[test]
fn every_answer_is_read_as_its_word() {
    for &answer in Answer::ALL {
        assert_eq!(consent(json!({ "email_consent": answer.word() })).answer, answer);
    }
}

#[test]
fn times_are_read_in_every_form_that_databases_hold() {
    let at = Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap();
    for form in [
        json!("2026-01-02T03:04:05Z"),
        json!("2026-01-02 03:04:05+00"),
        json!("2026-01-02T05:04:05+02:00"),
        json!("2026-01-02 05:04:05.000 +0200"),
        json!("2026-01-02 03:04:05"),
        json!("2026-01-02T03:04:05.000"),
        json!(at.timestamp_millis()),
        json!(at.timestamp_millis().to_string()),
        json!(1_767_323_045_000.0),
    ] {
        assert_eq!(record(json!({ "updated_at": form })).updated_at, at, "{form}");
    }
    let seconds = reading(json!({ "email_consent_at": at.timestamp() }));
    assert!(seconds.problems[0].problem.contains("multiply by 1000"));
    assert_eq!(seconds.record.unwrap().email_consent.at, None);
}

#[test]
fn a_day_without_a_time_counts_against_the_one_who_wants_to_list() {
    let day = |answer| {
        consent(json!({ "email_consent": answer, "email_consent_at": "2026-01-02" })).at.unwrap()
    };
    assert_eq!(day("granted").to_rfc3339(), "2026-01-02T00:00:00+00:00");
    assert_eq!(day("withdrawn").to_rfc3339(), "2026-01-02T23:59:59.999+00:00");
}

#[test]
fn tags_are_a_list_or_words_between_commas() {
    let expected: std::collections::BTreeSet<String> = ["a b".to_owned(), "c".to_owned()].into();
    for form in [json!("a b, c,"), json!(["c", "a b"]), json!("[\"a b\", \"c\"]")] {
        assert_eq!(record(json!({ "tags": form })).tags, expected, "{form}");
    }
    assert!(record(json!({ "tags": null })).tags.is_empty());
    assert!(reading(json!({ "tags": "[1,{}]" })).record.is_none());
}

#[test]
fn an_address_that_is_none_leaves_the_record_without_it() {
    for bad in ["ann", "ann@mail.test\n", "ann@mail.test\nBcc: x@mail.test"] {
        let reading = reading(json!({ "email": bad, "mobile": "07400 123456" }));
        let record = reading.record.unwrap();
        assert_eq!(record.email, None, "{bad:?}");
        assert_eq!(record.mobile.unwrap().expose(), "+447400123456");
        assert_eq!((reading.problems[0].column, reading.problems[0].unreadable), ("email", false));
        assert!(!reading.problems[0].problem.contains("mail.test"));
    }
}

#[test]
fn what_decides_about_listing_is_read_well_or_not_at_all() {
    for (column, bad) in [
        ("status", json!("gone fishing")),
        ("status", json!("vanished")),
        ("status", json!(null)),
        ("restricted", json!("perhaps")),
        ("email_consent", json!("maybe")),
        ("sms_consent", json!({ "a": 1 })),
        ("privacy_policy", json!("?")),
        ("birth_date", json!("31/12/1990")),
        ("tags", json!({ "a": 1 })),
    ] {
        let mut changes = json!({});
        changes[column] = bad;
        let reading = reading(changes);
        assert!(reading.record.is_none(), "{column}");
        let problem = &reading.problems[0];
        assert!(problem.unreadable && problem.column == column, "{problem:?}");
        assert_eq!(problem.source_id.as_deref(), Some("7"));
    }
}

#[test]
fn a_row_without_an_id_is_known_to_be_there_and_to_be_nobody() {
    let reading = reading(json!({ "id": " " }));
    assert!(reading.record.is_none());
    assert!(reading.problems[0].unreadable && reading.problems[0].source_id.is_none());
}

#[test]
fn a_clock_ahead_gains_nothing() {
    let changes = json!({ "updated_at": "2026-03-01T12:06:00Z", "email_consent": "granted", "email_consent_at": "2026-02-01T00:00:00Z" });
    let reading = reading(changes);
    assert!(reading.ahead);
    let record = reading.record.unwrap();
    assert_eq!((record.updated_at, record.email_consent.at), (now(), None));
}

#[test]
fn a_consent_from_the_future_gains_nothing() {
    let reading = reading(json!({ "email_consent": true, "email_consent_at": "2027-01-01" }));
    assert_eq!(reading.problems[0].column, "email_consent_at");
    assert_eq!(reading.record.unwrap().email_consent.at, None);
}

#[test]
fn the_three_facts_hold_for_both_channels_unless_one_says_otherwise() {
    let record = record(json!({
        "obtained_in_course_of_sale": 1, "own_similar_services": true, "chance_to_refuse": "yes",
        "sms_chance_to_refuse": 0,
    }));
    assert!(record.email_consent.soft_opt_in.is_complete());
    assert!(!record.sms_consent.soft_opt_in.is_complete());
}

#[test]
fn a_birth_date_may_carry_a_time_and_the_null_date_is_none() {
    let born = |date: &str| record(json!({ "birth_date": date })).birth_date;
    assert_eq!(born("1990-12-31 00:00:00"), NaiveDate::from_ymd_opt(1990, 12, 31));
    assert_eq!(born("0000-00-00"), None);
}
