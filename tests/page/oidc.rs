//! Signing in by `OpenID` Connect, in Chromium, at a provider's own process on another host.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use listwarden::clock::{Clock, SystemClock};
use listwarden::config::RETURN;
use listwarden::domain::Role;
use listwarden::store::AuditOutcome;
use serde_json::json;

use crate::browser::Browser;
use crate::served::{Process, Served, free_port};
use crate::world::{CLIENT_SECRET, Engine};

/// Starts the provider; its issuer is at `localhost`, another site than 127.0.0.1.
fn provider(page: &str) -> (Process, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new("node")
        .arg(root.join("tests/page/provider.mjs"))
        .args([CLIENT_SECRET, &format!("{page}{RETURN}")])
        .current_dir(root.join("target/browser"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("these tests need Node.js: run them by `bash .ci/test`");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let issuer = lines.find_map(|line| line.ok().filter(|line| line.starts_with("http")));
    std::thread::spawn(move || lines.for_each(drop));
    (Process(child), issuer.expect("oidc-provider is missing: run by `bash .ci/test`"))
}

async fn signing_in_as(name: &str, engine: Engine) -> (Process, Served, Browser) {
    let port = free_port();
    let page = format!("http://127.0.0.1:{port}");
    let (provider, issuer) = provider(&page);
    let more = format!(
        "[serve.oidc]\nissuer = \"{issuer}\"\nclient_id = \"listwarden\"\npage_url = \"{page}\"\n\
         [serve.oidc.roles]\nwatchers = \"viewer\"\n\
         front-desk = {{ role = \"operator\", clinics = [\"riverside\"] }}\n"
    );
    let (served, browser) = (Served::at(port, engine, &more).await, Browser::new().await);
    browser.goes(&served.url).await;
    browser.follows("Sign in at localhost").await;
    browser.types("input[name=login]", name).await;
    browser.types("input[name=password]", "anything").await;
    browser.presses_on("button[type=submit]").await;
    browser.sees("Authorize").await;
    browser.presses_on("button[type=submit]").await;
    (provider, served, browser)
}

async fn a_group_gives_a_role_for_its_clinics_until_one_signs_out(engine: Engine) {
    let (_provider, served, browser) = signing_in_as("front-desk", engine).await;
    browser.sees("Overview").await;
    browser.sees("oidc:front-desk · operator").await;
    let text = browser.text().await;
    assert!(text.contains("riverside") && !text.contains("oak"), "{text}");
    browser.goes(&format!("{}/clinics/oak", served.url)).await;
    browser.sees("there is no such clinic").await;
    browser.goes(&format!("{}/clinics/riverside", served.url)).await;
    browser.presses("Resync").await;
    // The view that is left has the same words as the next one: what was asked is seen in the log.
    let asked = "POST /clinics/{clinic}/resyncs";
    let mut log = served.world.store.audit_page(None, i64::MAX, 50).await.unwrap();
    while !log.iter().any(|line| line.what == asked && line.outcome == AuditOutcome::Done) {
        SystemClock.sleep(Duration::from_millis(100)).await;
        log = served.world.store.audit_page(None, i64::MAX, 50).await.unwrap();
    }
    let of = |what: &str| log.iter().find(|line| line.what.starts_with(what)).unwrap();
    for what in ["GET /sign-in/oidc/return", asked] {
        assert_eq!(of(what).who, "oidc:front-desk");
    }
    browser.presses_on("header button").await;
    browser.sees("Sign in at localhost").await;
    let tokens = served.world.store.tokens().await.unwrap();
    let session = tokens.iter().find(|token| token.name == "oidc:front-desk").unwrap();
    assert!(session.revoked_at.is_some(), "whoever kept the cookie is out too");
    browser.end().await;
    served.end().await;
}

async fn a_group_that_may_look_may_not_release(engine: Engine) {
    let (_provider, served, browser) = signing_in_as("watchers", engine).await;
    browser.sees("Overview").await;
    let errors = browser.console().await;
    assert!(errors.iter().all(|error| !error.contains(&served.url)), "{errors:?}");
    browser.goes(&format!("{}/clinics/riverside/lists/news", served.url)).await;
    browser.sees("A token of the role operator or owner decides.").await;
    let buttons = browser.runs("return document.querySelectorAll('main button').length").await;
    assert_eq!(buttons, json!(0));
    browser.end().await;
    served.end().await;
}

async fn whoever_is_in_no_group_is_refused_and_told_and_a_token_still_works(engine: Engine) {
    let (_provider, served, browser) = signing_in_as("strangers", engine).await;
    browser.sees("You are oidc:strangers, and in no group that is let in.").await;
    let log = served.world.store.audit_page(None, i64::MAX, 1).await.unwrap();
    assert_eq!(log[0].outcome, AuditOutcome::Refused);
    assert_eq!(log[0].who, "oidc:strangers");
    assert_eq!(log[0].reason.as_deref(), Some("in no group that is let in"));
    served.signs_in(&browser, Role::Viewer).await;
    browser.end().await;
    served.end().await;
}

each_on_both_engines! {
    a_group_gives_a_role_for_its_clinics_until_one_signs_out
    a_group_that_may_look_may_not_release
    whoever_is_in_no_group_is_refused_and_told_and_a_token_still_works
}
