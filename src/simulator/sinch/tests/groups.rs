use serde_json::json;

use super::{ANN, clinic};

#[tokio::test]
async fn members_come_back_without_a_plus_and_none_twice() {
    let clinic = clinic();
    let add = json!({"add": [ANN, "447700900123", "0044 7700 900456"]});
    let group = clinic.send("POST", &clinic.at(""), add).await;
    assert_eq!((group.status, group.body["size"].as_u64()), (200, Some(2)));
    let members = clinic.get(&clinic.at("/members")).await;
    assert_eq!(members.body, json!(["447700900123", "447700900456"]));
    clinic.sim.configure(|settings| settings.wrap_members = true);
    let members = clinic.get(&clinic.at("/members")).await;
    assert_eq!(members.body["members"][0], "447700900123");
}

#[tokio::test]
async fn who_is_added_and_removed_in_one_call_is_out() {
    let clinic = clinic();
    let both = json!({"add": [ANN, "+447700900456"], "remove": [ANN, "+447700900999"]});
    assert_eq!(clinic.send("POST", &clinic.at(""), both).await.status, 200);
    assert_eq!(clinic.members(), ["447700900456"]);
}

#[tokio::test]
async fn a_put_replaces_every_member() {
    let clinic = clinic();
    clinic.sim.add_members(&clinic.group, [ANN]).unwrap();
    let body = json!({"name": "News", "members": ["+447700900456"]});
    assert_eq!(clinic.send("PUT", &clinic.at(""), body).await.status, 200);
    assert_eq!(clinic.members(), ["447700900456"]);
    let body = json!({"name": "News"});
    assert_eq!(clinic.send("PUT", &clinic.at(""), body).await.status, 400);
}

#[tokio::test]
async fn a_name_has_twenty_characters_and_is_nobody_elses() {
    let clinic = clinic();
    let made = clinic.send("POST", "/groups", json!({"name": "a".repeat(20)})).await;
    assert_eq!(made.status, 201);
    let long = clinic.send("POST", "/groups", json!({"name": "a".repeat(21)})).await;
    assert_eq!((long.status, &long.body["code"]), (400, &json!("syntax_constraint_violation")));
    let taken = clinic.send("POST", "/groups", json!({"name": "News"})).await;
    assert_eq!((taken.status, &taken.body["code"]), (403, &json!("conflict_group_name")));
    let kept = clinic.send("POST", &clinic.at(""), json!({"name": "News"})).await;
    assert_eq!(kept.status, 200);
}

#[tokio::test]
async fn what_is_no_number_refuses_the_whole_call() {
    let clinic = clinic();
    let body = json!({"add": [ANN, "not a number"]});
    let refused = clinic.send("POST", &clinic.at(""), body).await;
    assert_eq!(refused.body["code"], "syntax_invalid_parameter_format");
    let many: Vec<String> = (0..10_001).map(|n| format!("+4477{n:08}")).collect();
    let refused = clinic.send("POST", &clinic.at(""), json!({"add": many})).await;
    assert_eq!(refused.body["code"], "syntax_constraint_violation");
    assert!(clinic.members().is_empty());
}

#[tokio::test]
async fn groups_are_listed_newest_first_and_deleted_for_good() {
    let clinic = clinic();
    for number in 0..3 {
        clinic.send("POST", "/groups", json!({"name": format!("g{number}")})).await;
    }
    let page = clinic.get("/groups?page=1&page_size=3").await.body;
    assert_eq!((page["count"].as_u64(), &page["groups"][0]["name"]), (Some(4), &json!("News")));
    assert_eq!(clinic.get("/groups?page_size=101").await.status, 400);
    assert_eq!(clinic.send("DELETE", &clinic.at(""), json!({})).await.status, 200);
    assert_eq!(clinic.get(&clinic.at("")).await.status, 404);
    assert_eq!(clinic.send("POST", &clinic.at(""), json!({"add": [ANN]})).await.status, 404);
}

#[tokio::test]
async fn a_keyword_lets_people_in_and_out() {
    let clinic = clinic();
    let auto = json!({"auto_update": {
        "to": super::SENDER, "add": {"first_word": "JOIN"}, "remove": {"first_word": "stop"},
    }});
    let group = clinic.send("POST", &clinic.at(""), auto).await;
    assert_eq!(group.body["auto_update"]["remove"]["first_word"], "stop");
    clinic.sim.text(0, ANN, super::SENDER, "Join please").unwrap();
    assert_eq!(clinic.members(), ["447700900123"]);
    clinic.sim.text(0, ANN, "+447700900002", "STOP").unwrap();
    assert_eq!(clinic.members().len(), 1, "another number of the account");
    clinic.sim.text(0, ANN, super::SENDER, "STOP").unwrap();
    assert!(clinic.members().is_empty());
}
