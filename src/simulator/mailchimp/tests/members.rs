use serde_json::json;

use super::{clinic, hash};
use crate::simulator::mailchimp::{SeedMember, Status};

#[tokio::test]
async fn a_member_is_keyed_by_the_md5_of_its_lowercased_address() {
    let clinic = clinic();
    let made = clinic.subscribe("Ann.Lee@Mail.Test").await;
    assert_eq!(made.status, 200);
    assert_eq!(made.body["id"], hash("ann.lee@mail.test"));
    assert_eq!(made.body["email_address"], "Ann.Lee@Mail.Test");
    assert_eq!(made.body["contact_id"].as_str().unwrap().len(), 32);
    assert_eq!(made.body["unique_email_id"].as_str().unwrap().len(), 10);
    for name in ["ann.lee@mail.test", made.body["contact_id"].as_str().unwrap()] {
        assert_eq!(clinic.get(&format!("{}/{name}", clinic.members())).await.status, 200);
    }
}

#[tokio::test]
async fn an_api_made_member_carries_the_callers_address_as_its_opt_in() {
    let clinic = clinic();
    let made = clinic.subscribe("ann@mail.test").await.body;
    assert_eq!(made["source"], "API - Generic");
    assert_eq!(made["ip_opt"], "203.0.113.7");
    assert_eq!(made["timestamp_opt"], "2026-03-02T09:00:00+00:00");
    assert_eq!((&made["ip_signup"], &made["timestamp_signup"]), (&json!(""), &json!("")));
}

#[tokio::test]
async fn adding_a_member_twice_is_refused_in_these_words() {
    let clinic = clinic().with(&["ann@mail.test"]);
    let again = clinic.subscribe("ANN@mail.test").await;
    assert_eq!((again.status, again.title()), (400, "Member Exists"));
    assert_eq!(
        again.detail(),
        "ANN@mail.test is already a list member. Use PUT to insert or update list members."
    );
    assert!(again.body.get("type").is_none());
    assert_eq!(again.body["instance"], again.headers["x-request-id"].to_str().unwrap());
    assert_eq!(again.headers["content-type"], "application/problem+json; charset=utf-8");
}

#[tokio::test]
async fn double_opt_in_is_not_enforced_by_the_api() {
    let clinic = clinic();
    clinic.sim.set_double_optin(&clinic.list, true).unwrap();
    assert_eq!(clinic.subscribe("ann@mail.test").await.body["status"], "subscribed");
    assert!(clinic.sim.outbox().is_empty());
}

#[tokio::test]
async fn an_archived_member_comes_back_with_its_tags_and_a_new_opt_in() {
    let clinic = clinic().with(&["ann@mail.test"]);
    let tags = json!({"tags": [{"name": "knee", "status": "active"}]});
    assert_eq!(
        clinic.post(&format!("{}/tags", clinic.member("ann@mail.test")), tags).await.status,
        204
    );
    assert_eq!(clinic.delete(&clinic.member("ann@mail.test")).await.status, 204);
    clinic.wait(60);
    let put = json!({"email_address": "ann@mail.test", "status_if_new": "subscribed"});
    let left = clinic.put(&clinic.member("ann@mail.test"), put).await;
    assert_eq!((left.status, &left.body["status"]), (200, &json!("archived")));
    let back = clinic.subscribe("ann@mail.test").await;
    assert_eq!((back.status, &back.body["status"]), (200, &json!("subscribed")));
    assert_eq!(back.body["tags"][0]["name"], "knee");
    assert_eq!(back.body["timestamp_opt"], "2026-03-02T09:01:00+00:00");
}

#[tokio::test]
async fn archiving_twice_is_a_405_that_allows_get_and_put() {
    let clinic = clinic().with(&["ann@mail.test"]);
    let first = clinic.delete(&clinic.member("ann@mail.test")).await;
    assert_eq!((first.status, first.bytes.len()), (204, 0));
    assert_eq!(clinic.get(&clinic.member("ann@mail.test")).await.body["status"], "archived");
    let second = clinic.delete(&clinic.member("ann@mail.test")).await;
    assert_eq!((second.status, second.title()), (405, "Method Not Allowed"));
    assert_eq!(second.headers["allow"], "GET, PUT");
    assert_eq!(
        second.detail(),
        "This list member cannot be removed. Can not archive a contact that is bounced, pending or archived"
    );
    assert_eq!(clinic.delete(&clinic.member("bob@mail.test")).await.status, 404);
}

#[tokio::test]
async fn pending_and_cleaned_members_cannot_be_archived() {
    let clinic = clinic();
    for (email, status) in [("ann@mail.test", Status::Pending), ("bob@mail.test", Status::Cleaned)]
    {
        clinic.sim.seed_member(&clinic.list, SeedMember::new(email, status)).unwrap();
        assert_eq!(clinic.delete(&clinic.member(email)).await.status, 405);
    }
    let opt_out = json!({"status": "unsubscribed"});
    assert_eq!(clinic.patch(&clinic.member("ann@mail.test"), opt_out).await.status, 200);
    assert_eq!(clinic.delete(&clinic.member("ann@mail.test")).await.status, 204);
}

#[tokio::test]
async fn a_deleted_contact_never_comes_back_through_the_api() {
    let clinic = clinic().with(&["ann@mail.test"]);
    let path = format!("{}/actions/delete-permanent", clinic.member("ann@mail.test"));
    assert_eq!(clinic.post(&path, json!(null)).await.status, 204);
    assert_eq!(clinic.get(&clinic.member("ann@mail.test")).await.status, 404);
    for status in ["subscribed", "pending", "unsubscribed"] {
        let body = json!({"email_address": "ann@mail.test", "status": status});
        let refused = clinic.put(&clinic.member("ann@mail.test"), body).await;
        assert_eq!((refused.status, refused.title()), (400, "Forgotten Email Not Subscribed"));
        assert_eq!(
            refused.detail(),
            "ann@mail.test was permanently deleted and cannot be re-imported. \
             The contact must re-subscribe to get back on the list."
        );
        assert!(refused.body.get("type").is_none());
    }
    clinic.sim.contact(&clinic.list, "ann@mail.test").sign_up().unwrap();
    assert_eq!(clinic.status("ann@mail.test"), "subscribed");
}

#[tokio::test]
async fn an_opt_out_by_api_can_be_undone_and_one_by_the_contact_cannot() {
    let clinic = clinic().with(&["ann@mail.test", "bob@mail.test"]);
    let (ann, bob) = (clinic.member("ann@mail.test"), clinic.member("bob@mail.test"));
    clinic.patch(&ann, json!({"status": "unsubscribed"})).await;
    clinic.wait(5);
    let back = clinic.patch(&ann, json!({"status": "subscribed"})).await;
    assert_eq!(back.status, 200);
    assert_eq!(back.body["timestamp_opt"], "2026-03-02T09:00:00+00:00");

    clinic.sim.contact(&clinic.list, "bob@mail.test").unsubscribe().unwrap();
    let refused = clinic.patch(&bob, json!({"status": "subscribed"})).await;
    assert_eq!((refused.status, refused.title()), (400, "Member In Compliance State"));
    assert_eq!(
        refused.detail(),
        "bob@mail.test is in a compliance state due to unsubscribe, bounce, or compliance review \
         and cannot be subscribed."
    );
    clinic.delete(&bob).await;
    assert_eq!(clinic.subscribe("bob@mail.test").await.title(), "Member In Compliance State");
    clinic.patch(&bob, json!({"status": "pending"})).await;
    assert_eq!(clinic.status("bob@mail.test"), "pending");
    assert_eq!(clinic.patch(&bob, json!({"status": "subscribed"})).await.status, 400);
}

#[tokio::test]
async fn a_cleaned_member_cannot_be_subscribed() {
    let clinic = clinic().with(&["ann@mail.test"]);
    clinic.sim.contact(&clinic.list, "ann@mail.test").hard_bounce().unwrap();
    let refused =
        clinic.patch(&clinic.member("ann@mail.test"), json!({"status": "subscribed"})).await;
    assert_eq!(refused.title(), "Member In Compliance State");
}

#[tokio::test]
async fn nobody_is_archived_by_status() {
    let clinic = clinic().with(&["ann@mail.test"]);
    for method in ["PUT", "PATCH"] {
        let refused = clinic
            .send(method, &clinic.member("ann@mail.test"), json!({"status": "archived"}))
            .await;
        assert_eq!((refused.status, refused.title()), (400, "Invalid Resource"));
        assert_eq!(refused.body["errors"][0]["field"], "status");
    }
    let transactional = json!({"status": "transactional"});
    assert_eq!(clinic.patch(&clinic.member("ann@mail.test"), transactional).await.status, 400);
}

#[tokio::test]
async fn a_put_that_changes_nothing_leaves_last_changed_alone() {
    let clinic = clinic().with(&["ann@mail.test"]);
    clinic.wait(1);
    let same =
        clinic.put(&clinic.member("ann@mail.test"), json!({"merge_fields": {"FNAME": ""}})).await;
    assert_eq!(
        (same.status, &same.body["last_changed"]),
        (200, &json!("2026-03-02T09:00:00+00:00"))
    );
    let body = json!({"merge_fields": {"FNAME": "Ann", "NO_SUCH": "ignored"}});
    let other = clinic.put(&clinic.member("ann@mail.test"), body).await;
    assert_eq!(other.body["last_changed"], "2026-03-02T09:00:01+00:00");
    assert_eq!(other.body["merge_fields"]["FNAME"], "Ann");
    assert!(other.body["merge_fields"].get("NO_SUCH").is_none());
}

#[tokio::test]
async fn a_new_address_moves_the_id_and_keeps_the_contact_id() {
    let clinic = clinic().with(&["ann@mail.test", "bob@mail.test"]);
    let before = clinic.shown("ann@mail.test");
    let ann = clinic.member("ann@mail.test");
    let moved = clinic.patch(&ann, json!({"email_address": "ann@new.test"})).await;
    assert_eq!(moved.body["id"], hash("ann@new.test"));
    assert_ne!(moved.body["unique_email_id"], before["unique_email_id"]);
    for kept in ["contact_id", "web_id", "timestamp_opt"] {
        assert_eq!(moved.body[kept], before[kept]);
    }
    assert_eq!(clinic.get(&ann).await.status, 404);
    let taken = json!({"email_address": "bob@mail.test"});
    let refused = clinic.put(&clinic.member("ann@new.test"), taken).await;
    assert_eq!(refused.title(), "Member Exists");
    let taken = json!({"email_address": "bob@mail.test"});
    let foreign = clinic.put(&clinic.member("nobody@mail.test"), taken).await;
    assert_eq!(foreign.title(), "Member Exists");
}

#[tokio::test]
async fn only_a_subscribed_member_may_change_address() {
    let clinic = clinic().with(&["ann@mail.test"]);
    clinic.sim.contact(&clinic.list, "ann@mail.test").hard_bounce().unwrap();
    let body = json!({"email_address": "ann@new.test"});
    assert_eq!(
        clinic.patch(&clinic.member("ann@mail.test"), body).await.detail(),
        "This member's status is \"cleaned.\" You can only update email addresses for members with a \
         status of \"subscribed.\""
    );
}

#[tokio::test]
async fn fake_and_broken_addresses_are_refused() {
    let clinic = clinic();
    for email in ["ann@example.com", "foo@mail.test", "ann@trash-mail.com"] {
        let refused = clinic.subscribe(email).await;
        let expected = format!("{email} looks fake or invalid, please enter a real email address.");
        assert_eq!((refused.status, refused.detail()), (400, expected.as_str()));
    }
    for email in ["", "ann", "ann@mail", "änn@mail.test", "a b@mail.test"] {
        assert_eq!(clinic.subscribe(email).await.detail(), "Please provide a valid email address.");
    }
    assert_eq!(clinic.subscribe("ann@münchen.test").await.status, 200);
    assert_eq!(clinic.subscribe("ann+news@mail.test").await.status, 200);
    clinic.sim.overexpose(&clinic.list, "bob@mail.test").unwrap();
    assert_eq!(
        clinic.subscribe("bob@mail.test").await.detail(),
        "bob@mail.test has signed up to a lot of lists very recently; \
         we're not allowing more signups for now"
    );
}

#[tokio::test]
async fn a_null_is_a_schema_error() {
    let clinic = clinic();
    let body = json!({"email_address": null, "status": "subscribed", "merge_fields": []});
    let refused = clinic.post(&clinic.members(), body).await;
    assert_eq!(
        refused.detail(),
        "The resource submitted could not be validated. For field-specific details, see the 'errors' array."
    );
    assert_eq!(
        refused.body["errors"],
        json!([
            {"field": "email_address", "message": "Schema describes string, NULL found instead"},
            {"field": "merge_fields", "message": "Schema describes object, array found instead"},
        ])
    );
}

#[tokio::test]
async fn a_required_merge_field_stops_a_write_unless_validation_is_skipped() {
    let clinic = clinic();
    clinic.sim.require_merge_field(&clinic.list, "LNAME", true).unwrap();
    let refused = clinic.subscribe("ann@mail.test").await;
    assert_eq!(refused.detail(), "Your merge fields were invalid.");
    assert_eq!(
        refused.body["errors"],
        json!([{"field": "LNAME", "message": "Please enter a value"}])
    );
    let path = format!("{}?skip_merge_validation=true", clinic.members());
    let body = json!({"email_address": "ann@mail.test", "status": "subscribed",
                      "merge_fields": {"BIRTHDAY": "not a day"}});
    let taken = clinic.post(&path, body).await;
    assert_eq!((taken.status, &taken.body["merge_fields"]["BIRTHDAY"]), (200, &json!("not a day")));
}

#[tokio::test]
async fn merge_fields_have_types() {
    let clinic = clinic().with(&["ann@mail.test"]);
    let fields = format!("/lists/{}/merge-fields", clinic.list);
    let made = clinic.post(&fields, json!({"tag": "LTV", "name": "Value", "type": "number"})).await;
    assert_eq!((made.status, &made.body["merge_id"]), (200, &json!(6)));
    let ann = clinic.member("ann@mail.test");
    let refused = clinic.put(&ann, json!({"merge_fields": {"LTV": "much"}})).await;
    assert_eq!(
        refused.body["errors"],
        json!([{"field": "LTV", "message": "Please enter a number"}])
    );
    let taken =
        clinic.put(&ann, json!({"merge_fields": {"LTV": "12", "FNAME": "x".repeat(300)}})).await;
    assert_eq!(taken.body["merge_fields"]["LTV"], 12);
    assert_eq!(taken.body["merge_fields"]["FNAME"].as_str().unwrap().len(), 255);
}

#[tokio::test]
async fn tags_are_obeyed_on_creation_and_ignored_on_updates() {
    let clinic = clinic();
    let body = json!({"email_address": "ann@mail.test", "status": "subscribed", "tags": ["knee"]});
    assert_eq!(clinic.post(&clinic.members(), body).await.body["tags_count"], 1);
    let ann = clinic.member("ann@mail.test");
    assert_eq!(clinic.put(&ann, json!({"tags": ["hip"]})).await.body["tags_count"], 1);
    let unknown = format!("{}/tags", clinic.member("bob@mail.test"));
    let change = json!({"tags": [{"name": "knee", "status": "inactive"}], "is_syncing": true});
    assert_eq!(clinic.post(&unknown, change.clone()).await.status, 404);
    clinic.delete(&ann).await;
    assert_eq!(clinic.post(&format!("{ann}/tags"), change).await.status, 204);
    assert_eq!(clinic.get(&format!("{ann}/tags")).await.total(), 0);
}

#[tokio::test]
async fn a_very_old_member_is_out_of_reach_of_its_computed_hash() {
    let clinic = clinic();
    let old = SeedMember { legacy_id: true, ..SeedMember::subscribed("Ann@Mail.Test") };
    clinic.sim.seed_member(&clinic.list, old).unwrap();
    assert_eq!(clinic.get(&clinic.member("ann@mail.test")).await.status, 404);
    let shown = clinic.shown("ann@mail.test");
    for name in [&shown["id"], &shown["contact_id"]] {
        let path = format!("{}/{}", clinic.members(), name.as_str().unwrap());
        assert_eq!(clinic.get(&path).await.status, 200);
    }
    assert_eq!(clinic.subscribe("ann@mail.test").await.title(), "Member Exists");
}

#[tokio::test]
async fn many_are_added_at_once_and_failures_are_listed() {
    let clinic = clinic().with(&["ann@mail.test", "cat@mail.test"]);
    clinic.sim.contact(&clinic.list, "cat@mail.test").unsubscribe().unwrap();
    let member = |email: &str| json!({"email_address": email, "status": "subscribed"});
    let list = format!("/lists/{}", clinic.list);
    let emails =
        ["ann@mail.test", "bob@mail.test", "bob@mail.test", "admin@mail.test", "x@example.com"];
    let items: Vec<_> = emails.map(member).into();
    let seen = clinic.post(&list, json!({"members": items})).await;
    assert_eq!(seen.status, 200);
    assert_eq!((&seen.body["total_created"], &seen.body["error_count"]), (&json!(1), &json!(4)));
    assert_eq!(seen.body["errors"][0]["error_code"], "ERROR_CONTACT_EXISTS");
    assert_eq!(seen.body["errors"][1]["error_code"], "ERROR_GENERIC");
    assert_eq!(clinic.subscribe("admin@mail.test").await.status, 200);

    let body = json!({"members": [member("ann@mail.test"), member("cat@mail.test")], "update_existing": true});
    let seen = clinic.post(&list, body).await;
    assert_eq!((&seen.body["total_updated"], &seen.body["error_count"]), (&json!(1), &json!(0)));
    assert_eq!(clinic.status("cat@mail.test"), "unsubscribed");

    let many: Vec<_> = (0..501).map(|n| member(&format!("p{n}@mail.test"))).collect();
    assert_eq!(clinic.post(&list, json!({"members": many})).await.status, 400);
}
