use std::io::Read;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::{Clinic, Seen, clinic, hash};

async fn submit(clinic: &Clinic) -> Seen {
    let subscribe = json!({"email_address": "ann@mail.test", "status": "subscribed"}).to_string();
    let unknown = format!("/lists/{}/members/{}", clinic.list, hash("nobody@mail.test"));
    let operations = json!([
        {"method": "POST", "path": clinic.members(), "operation_id": "add", "body": subscribe},
        {"method": "GET", "path": clinic.members(), "operation_id": "page", "params": {"count": 1}},
        {"method": "GET", "path": unknown, "operation_id": "miss"},
    ]);
    clinic.post("/batches", json!({"operations": operations})).await
}

async fn download(clinic: &Clinic, url: &str) -> Seen {
    let path = url.strip_prefix("http://mailchimp.test").unwrap();
    clinic.call(Request::builder().uri(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_batch_runs_later_and_reports_in_an_archive() {
    let clinic = clinic();
    let made = submit(&clinic).await.body;
    assert_eq!((&made["status"], &made["total_operations"]), (&json!("pending"), &json!(0)));
    assert_eq!((&made["completed_at"], &made["response_body_url"]), (&json!(""), &json!("")));
    assert!(clinic.sim.member(&clinic.list, "ann@mail.test").is_none());
    clinic.wait(1);
    let path = format!("/batches/{}", made["id"].as_str().unwrap());
    let done = clinic.get(&path).await.body;
    assert_eq!((&done["status"], &done["finished_operations"]), (&json!("finished"), &json!(3)));
    assert_eq!(done["errored_operations"], 1);
    assert_eq!(clinic.status("ann@mail.test"), "subscribed");

    let archive = download(&clinic, done["response_body_url"].as_str().unwrap()).await;
    assert_eq!(archive.status, 200);
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive.bytes.as_slice()));
    let mut names = Vec::new();
    let mut outcomes: Vec<Value> = Vec::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        names.push(String::from_utf8(entry.path_bytes().to_vec()).unwrap());
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        outcomes.extend(serde_json::from_str::<Vec<Value>>(&text).unwrap_or_default());
    }
    assert_eq!(names[0], "./");
    assert!(names[1].starts_with("./") && names[1].len() == "./0123456789.json".len());
    let miss = outcomes.iter().find(|o| o["operation_id"] == "miss").unwrap();
    assert_eq!(miss["status_code"], 404);
    let problem: Value = serde_json::from_str(miss["response"].as_str().unwrap()).unwrap();
    assert_eq!(problem["title"], "Resource Not Found");
}

#[tokio::test]
async fn the_results_url_works_for_ten_minutes_and_is_renewed_by_asking() {
    let clinic = clinic();
    let made = submit(&clinic).await.body;
    clinic.wait(1);
    let path = format!("/batches/{}", made["id"].as_str().unwrap());
    let url = clinic.get(&path).await.body["response_body_url"].as_str().unwrap().to_owned();
    clinic.wait(601);
    assert_eq!(download(&clinic, &url).await.status, 400);
    let renewed = clinic.get(&path).await.body["response_body_url"].as_str().unwrap().to_owned();
    assert_eq!(download(&clinic, &renewed).await.status, 200);
    assert_eq!(clinic.get("/batches").await.total(), 1);
}

#[tokio::test]
async fn a_stopped_batch_does_nothing() {
    let clinic = clinic();
    let made = submit(&clinic).await.body;
    let path = format!("/batches/{}", made["id"].as_str().unwrap());
    assert_eq!(clinic.delete(&path).await.status, 204);
    clinic.wait(1);
    assert!(clinic.sim.member(&clinic.list, "ann@mail.test").is_none());
}
