use serde_json::json;

use super::clinic;
use crate::simulator::mailchimp::{ImportRow, Party, SeedMember, Status};

#[tokio::test]
async fn pending_sends_one_mail_and_its_link_confirms() {
    let clinic = clinic();
    let body = json!({"email_address": "ann@mail.test", "status": "pending"});
    let made = clinic.post(&clinic.members(), body.clone()).await;
    assert_eq!(
        (&made.body["status"], &made.body["timestamp_opt"]),
        (&json!("pending"), &json!(""))
    );
    clinic.put(&clinic.member("ann@mail.test"), body).await;
    clinic.patch(&clinic.member("ann@mail.test"), json!({"status": "pending"})).await;
    let outbox = clinic.sim.outbox();
    assert_eq!(outbox.len(), 1);
    clinic.sim.confirm_link(&outbox[0].token).unwrap();
    let member = clinic.shown("ann@mail.test");
    assert_eq!(
        (&member["status"], &member["ip_opt"]),
        (&json!("subscribed"), &json!("198.51.100.23"))
    );
}

#[tokio::test]
async fn a_detour_over_unsubscribed_sends_the_mail_again() {
    let clinic = clinic();
    clinic
        .post(&clinic.members(), json!({"email_address": "ann@mail.test", "status": "pending"}))
        .await;
    clinic.patch(&clinic.member("ann@mail.test"), json!({"status": "unsubscribed"})).await;
    clinic.patch(&clinic.member("ann@mail.test"), json!({"status": "pending"})).await;
    assert_eq!(clinic.sim.outbox().len(), 2);
}

#[tokio::test]
async fn a_contact_who_opted_out_comes_back_by_confirming() {
    let clinic = clinic().with(&["ann@mail.test"]);
    let ann = clinic.sim.contact(&clinic.list, "ann@mail.test");
    ann.unsubscribe().unwrap();
    assert_eq!(
        clinic.patch(&clinic.member("ann@mail.test"), json!({"status": "pending"})).await.status,
        200
    );
    assert_eq!(
        clinic.sim.member(&clinic.list, "ann@mail.test").unwrap().opted_out_by,
        Some(Party::Contact)
    );
    ann.confirm().unwrap();
    assert_eq!(clinic.sim.member(&clinic.list, "ann@mail.test").unwrap().opted_out_by, None);
}

#[tokio::test]
async fn a_pending_member_that_never_confirms_vanishes_after_sixty_days() {
    let clinic = clinic();
    for (email, by) in [("ann@mail.test", None), ("bob@mail.test", Some(Party::Contact))] {
        let member = SeedMember { opted_out_by: by, ..SeedMember::new(email, Status::Pending) };
        clinic.sim.seed_member(&clinic.list, member).unwrap();
    }
    clinic.wait(59 * 86_400);
    assert_eq!(clinic.status("ann@mail.test"), "pending");
    clinic.wait(2 * 86_400);
    assert!(clinic.sim.member(&clinic.list, "ann@mail.test").is_none());
    assert_eq!(clinic.status("bob@mail.test"), "unsubscribed");
    assert_eq!(clinic.subscribe("ann@mail.test").await.status, 200);
}

#[tokio::test]
async fn the_hosted_form_asks_again_on_double_opt_in() {
    let clinic = clinic();
    clinic.sim.set_double_optin(&clinic.list, true).unwrap();
    let ann = clinic.sim.contact(&clinic.list, "ann@mail.test");
    ann.sign_up().unwrap();
    assert_eq!(
        (clinic.status("ann@mail.test").as_str(), clinic.sim.outbox().len()),
        ("pending", 1)
    );
    ann.confirm().unwrap();
    let member = clinic.shown("ann@mail.test");
    assert_eq!(member["source"], "Hosted Signup Form");
    for field in ["ip_signup", "timestamp_signup", "ip_opt", "timestamp_opt"] {
        assert_ne!(member[field], "", "{field}");
    }
}

#[tokio::test]
async fn an_import_brings_nobody_back_who_opted_out_or_was_forgotten() {
    let clinic = clinic().with(&["ann@mail.test", "bob@mail.test"]);
    clinic.sim.contact(&clinic.list, "ann@mail.test").unsubscribe().unwrap();
    clinic.sim.staff(&clinic.list).delete_permanently("bob@mail.test").unwrap();
    let row = |email: &str| ImportRow { email: email.to_owned(), ..ImportRow::default() };
    let rows = ["ann@mail.test", "bob@mail.test", "cat@mail.test", "admin@mail.test"].map(row);
    let report = clinic.sim.staff(&clinic.list).import(&rows).unwrap();
    assert_eq!((report.imported, report.skipped), (1, 3));
    let cat = clinic.shown("cat@mail.test");
    assert_eq!(
        (&cat["source"], &cat["ip_opt"], &cat["status"]),
        (&json!("Import"), &json!(""), &json!("subscribed"))
    );
    assert_eq!(clinic.status("ann@mail.test"), "unsubscribed");
}

#[tokio::test]
async fn staff_may_archive_whom_the_api_may_not() {
    let clinic = clinic();
    clinic
        .sim
        .seed_member(&clinic.list, SeedMember::new("ann@mail.test", Status::Pending))
        .unwrap();
    clinic.sim.staff(&clinic.list).archive("ann@mail.test").unwrap();
    assert_eq!(clinic.status("ann@mail.test"), "archived");
}

#[tokio::test]
async fn signing_up_again_while_pending_sends_the_mail_again() {
    let clinic = clinic();
    clinic.sim.set_double_optin(&clinic.list, true).unwrap();
    let ann = clinic.sim.contact(&clinic.list, "ann@mail.test");
    ann.sign_up().unwrap();
    ann.sign_up().unwrap();
    assert_eq!(clinic.sim.outbox().len(), 2);
}

#[tokio::test]
async fn the_confirmation_link_is_a_page() {
    let clinic = clinic();
    let body = json!({"email_address": "ann@mail.test", "status": "pending"});
    clinic.post(&clinic.members(), body).await;
    let link = clinic.sim.outbox()[0].link.clone();
    let request = axum::http::Request::builder().uri(link).body(axum::body::Body::empty()).unwrap();
    assert_eq!(clinic.call(request).await.status, 200);
    assert_eq!(clinic.status("ann@mail.test"), "subscribed");
}
