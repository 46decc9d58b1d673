use std::time::Instant;

use serde_json::json;

use super::clinic;
use crate::simulator::mailchimp::{SeedMember, Status};

#[tokio::test]
async fn a_listing_hides_the_archived_unless_asked_for_them() {
    let clinic = clinic().with(&["ann@mail.test", "bob@mail.test"]);
    clinic.delete(&clinic.member("bob@mail.test")).await;
    assert_eq!(clinic.get(&clinic.members()).await.emails(), ["ann@mail.test"]);
    let archived = clinic.get(&format!("{}?status=archived", clinic.members())).await;
    assert_eq!(archived.emails(), ["bob@mail.test"]);
}

#[tokio::test]
async fn a_page_has_ten_rows_or_what_was_asked_for_up_to_a_thousand() {
    let clinic = clinic();
    let many = (0..1_100).map(|n| SeedMember::subscribed(format!("p{n}@mail.test")));
    clinic.sim.seed_members(&clinic.list, many).unwrap();
    for (query, rows) in [
        ("", 10),
        ("?count=0", 0),
        ("?count=5000", 1_000),
        ("?offset=1095", 5),
        ("?offset=9999", 0),
    ] {
        let page = clinic.get(&format!("{}{query}", clinic.members())).await;
        assert_eq!((page.emails().len(), page.total()), (rows, 1_100), "{query}");
    }
    assert_eq!(clinic.get(&format!("{}?count=many", clinic.members())).await.status, 400);
}

#[tokio::test]
async fn the_offset_of_an_instant_is_ignored_and_seconds_are_cut() {
    let clinic = clinic().with(&["ann@mail.test"]);
    for (since, rows) in [
        ("2026-03-02T08:59:59%2B00:00", 1),
        ("2026-03-02T08:59:59%2B05:00", 1),
        ("2026-03-02T08:59:59-11:00", 1),
        ("2026-03-02T08:59:59.999Z", 1),
        ("2026-03-02T09:00:00%2B00:00", 0),
        ("2026-03-02T10:00:00.1234567Z", 1),
    ] {
        let page = clinic.get(&format!("{}?since_last_changed={since}", clinic.members())).await;
        assert_eq!(page.emails().len(), rows, "{since}");
    }
    assert_eq!(
        clinic.get(&format!("{}?since_last_changed=lately", clinic.members())).await.status,
        400
    );
}

#[tokio::test]
async fn a_page_shows_only_the_fields_asked_for() {
    let clinic = clinic().with(&["ann@mail.test"]);
    let page = clinic
        .get(&format!(
            "{}?fields=members.id,members.merge_fields.FNAME,total_items",
            clinic.members()
        ))
        .await;
    assert_eq!(
        page.body,
        json!({"members": [{"id": super::hash("ann@mail.test"), "merge_fields": {"FNAME": ""}}], "total_items": 1})
    );
    let less = clinic.get(&format!("{}?exclude_fields=members", clinic.members())).await;
    assert!(less.body.get("members").is_none() && less.body.get("total_items").is_some());
    for bad in ["fields=members.nme", "fields=nonsense", "fields=members&exclude_fields=members"] {
        assert_eq!(clinic.get(&format!("{}?{bad}", clinic.members())).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_listing_is_sorted_on_request() {
    let clinic = clinic().with(&["ann@mail.test", "bob@mail.test"]);
    clinic.wait(1);
    clinic.put(&clinic.member("ann@mail.test"), json!({"vip": true})).await;
    let sorted = |dir: &str| format!("{}?sort_field=last_changed&sort_dir={dir}", clinic.members());
    assert_eq!(clinic.get(&sorted("ASC")).await.emails(), ["bob@mail.test", "ann@mail.test"]);
    assert_eq!(clinic.get(&sorted("DESC")).await.emails(), ["ann@mail.test", "bob@mail.test"]);
}

#[tokio::test]
async fn members_are_found_by_unique_email_id_and_by_search() {
    let clinic = clinic().with(&["ann@mail.test", "joann@mail.test"]);
    let id = clinic.shown("ann@mail.test")["unique_email_id"].as_str().unwrap().to_owned();
    let page = clinic.get(&format!("{}?unique_email_id={id}", clinic.members())).await;
    assert_eq!(page.emails(), ["ann@mail.test"]);
    let found = clinic.get("/search-members?query=ann@mail.test").await.body;
    assert_eq!(found["exact_matches"]["total_items"], 1);
    assert_eq!(found["full_search"]["total_items"], 2);
}

#[tokio::test]
async fn the_numbers_of_a_list_lag_five_minutes() {
    let clinic = clinic();
    let list = format!("/lists/{}?fields=stats.member_count,double_optin", clinic.list);
    assert_eq!(
        clinic.get(&list).await.body,
        json!({"stats": {"member_count": 0}, "double_optin": false})
    );
    clinic.subscribe("ann@mail.test").await;
    assert_eq!(clinic.get(&list).await.body["stats"]["member_count"], 0);
    clinic.wait(300);
    assert_eq!(clinic.get(&list).await.body["stats"]["member_count"], 1);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "measures real time")]
async fn a_hundred_thousand_members_are_seeded_and_paged_quickly() {
    let clinic = clinic();
    let start = Instant::now();
    let many = (0..100_000).map(|n| SeedMember::subscribed(format!("patient{n}@mail.test")));
    clinic.sim.seed_members(&clinic.list, many).unwrap();
    let seeded = start.elapsed();
    let path = format!(
        "{}?count=1000&sort_field=last_changed&fields=members.contact_id,members.id,members.status,members.last_changed,total_items",
        clinic.members()
    );
    clinic.get(&path).await;
    let start = Instant::now();
    for page in 1..=10 {
        clinic.get(&format!("{path}&offset={}", page * 1_000)).await;
    }
    println!("seeded in {seeded:?}, a page in {:?}", start.elapsed() / 10);
    assert_eq!(clinic.sim.statuses(&clinic.list).unwrap()[&Status::Subscribed], 100_000);
}
