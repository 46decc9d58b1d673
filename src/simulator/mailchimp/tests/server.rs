use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::KEY;
use crate::clock::SystemClock;
use crate::simulator::mailchimp::{Fault, Rule, Running, Simulator};

async fn served() -> (Simulator, Running, String) {
    let sim = Simulator::new(std::sync::Arc::new(SystemClock));
    let account = sim.open_account("Clinic", KEY);
    let list = sim.open_audience(account, "Patients").unwrap();
    let running = sim.serve_locally().await.unwrap();
    (sim, running, list)
}

async fn raw(running: &Running, method: &str, path: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(running.address()).await?;
    let length = body.len();
    let request = format!(
        "{method} /3.0{path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_reset_leaves_no_answer() {
    let (sim, running, _) = served().await;
    sim.script(Rule::next(Fault::Reset));
    assert_eq!(raw(&running, "GET", "/ping", "").await.unwrap_or_default(), "");
    assert!(raw(&running, "GET", "/ping", "").await.unwrap().starts_with("HTTP/1.1 200"));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_lost_reply_breaks_the_connection_after_the_write() {
    let (sim, running, list) = served().await;
    sim.configure(|settings| settings.stall_ms = 20);
    sim.script(Rule::next(Fault::LostReply));
    let body = json!({"email_address": "ann@mail.test", "status": "subscribed"}).to_string();
    let answer = raw(&running, "POST", &format!("/lists/{list}/members"), &body).await;
    assert_eq!(answer.unwrap_or_default(), "");
    let member = sim.member_json(&list, "ann@mail.test").unwrap();
    assert_eq!(member["ip_opt"], "127.0.0.1");
}

#[tokio::test]
async fn the_eleventh_request_at_once_is_refused_and_a_hung_up_one_still_counts() {
    let (sim, running, _) = served().await;
    sim.configure(|settings| settings.latency_ms = 400);
    let mut held = Vec::new();
    for _ in 0..10 {
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        let request =
            format!("GET /3.0/ping HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        held.push(stream);
    }
    while sim.counters().in_flight_peak < 10 {
        tokio::task::yield_now().await;
    }
    drop(held);
    let refused = raw(&running, "GET", "/ping", "").await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    assert!(refused.contains("You have exceeded the limit of 10 simultaneous connections."));
    let clock = SystemClock;
    crate::clock::Clock::sleep(&clock, Duration::from_millis(900)).await;
    assert!(raw(&running, "GET", "/ping", "").await.unwrap().starts_with("HTTP/1.1 200"));
}
