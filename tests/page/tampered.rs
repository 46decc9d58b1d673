//! What must not be believed of a provider, or of whoever comes back from one; over real HTTP.

use std::collections::BTreeMap;
use std::process::Command;

use hmac::{Hmac, KeyInit, Mac};
use listwarden::domain::{Clinics, Role};
use listwarden::store::AuditOutcome;
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};

use crate::issuer::{ACCESS, Issuer, coded, sealed, signed};
use crate::visitor::{Answered, Visitor};
use crate::world::{CLIENT_SECRET, Engine, World};

async fn world(engine: Engine, issuer: &Issuer) -> World {
    World::with(engine, |page| {
        format!(
            "[serve.oidc]\nissuer = \"{}\"\nclient_id = \"listwarden\"\npage_url = \"{page}\"\n\
             session = \"1h\"\nscopes = [\"groups\"]\n[serve.oidc.roles]\nbosses = \"owner\"\n\
             riverside = {{ role = \"auditor\", clinics = [\"riverside\"] }}\n\
             oak = {{ role = \"auditor\", clinics = [\"oak\"] }}\n",
            issuer.url
        )
    })
    .await
}

/// Goes to the provider, and returns what it was asked with.
async fn goes(visitor: &mut Visitor<'_>) -> BTreeMap<String, String> {
    let said = visitor.gets("/sign-in/oidc").await;
    assert_eq!(said.status, 303, "{said:?}");
    let cookie = said.cookie().unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    visitor.takes(&said);
    let url = url::Url::parse(said.leads_to()).unwrap();
    url.query_pairs().into_owned().collect()
}

/// Comes back from the provider with a code.
async fn comes_back(visitor: &Visitor<'_>, state: &str) -> Answered {
    visitor.gets(&format!("/sign-in/oidc/return?code=once&state={state}")).await
}

async fn signs_in(visitor: &mut Visitor<'_>, issuer: &Issuer, groups: &[&str]) -> Answered {
    let asked = goes(visitor).await;
    issuer.gives(signed(&issuer.claims(groups, &asked["nonce"]), "first", 1));
    comes_back(visitor, &asked["state"]).await
}

async fn the_provider_is_asked_by_code_and_pkce_and_the_session_is_a_strict_one(engine: Engine) {
    let issuer = Issuer::new().await;
    let world = world(engine, &issuer).await;
    let mut visitor = Visitor::new(&world, 1);
    let asked = goes(&mut visitor).await;
    let page = world.url("/sign-in/oidc/return");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "listwarden"),
        ("code_challenge_method", "S256"),
        ("scope", "openid groups"),
        ("redirect_uri", &page),
    ] {
        assert_eq!(asked[name], value);
    }
    let said = signs_in(&mut visitor, &issuer, &["riverside", "oak", "strangers"]).await;
    assert_eq!((said.status, said.headers["refresh"].to_str().unwrap()), (200, "0; url=/"));
    let cookie = said.cookie().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    assert!(said.cookie_lasts(3_600), "{cookie}");
    visitor.takes(&said);
    assert!(visitor.gets("/").await.text.contains("oidc:5f7c · auditor"));
    let token = world.store.tokens().await.unwrap().pop().unwrap();
    let both = Clinics::Some([world.riverside.id, world.oak.id].into());
    assert_eq!((token.role, token.clinics.clone()), (Role::Auditor, both));
    let log = world.store.audit_page(None, i64::MAX, 50).await.unwrap();
    assert!(
        !format!("{log:?} {token:?}").contains("post.test"),
        "no claim but the subject is kept"
    );
    world.store.sessions_forget(token.expires_at.unwrap()).await.unwrap();
    assert_eq!(world.store.tokens().await.unwrap().last(), Some(&token));
    let later = token.expires_at.unwrap() + chrono::TimeDelta::days(1);
    world.store.sessions_forget(later).await.unwrap();
    assert!(world.store.tokens().await.unwrap().is_empty());
    assert_eq!(visitor.gets("/").await.leads_to(), "/sign-in?ended");
    world.end().await;
}

/// What is done to the claims of an honest token.
type Change = Box<dyn Fn(&mut Value)>;
/// How claims become a token.
type Sign = fn(&Value) -> String;

async fn a_token_that_was_tampered_with_lets_nobody_in(engine: Engine) {
    let issuer = Issuer::new().await;
    let world = world(engine, &issuer).await;
    let with =
        |name: &'static str, value: Value| move |claims: &mut Value| claims[name] = value.clone();
    let changes: [(&str, Change); 6] = [
        ("its nonce", Box::new(with("nonce", json!("another")))),
        ("its audience", Box::new(with("aud", json!("another")))),
        ("its audience", Box::new(with("aud", json!(["listwarden", "another"])))),
        ("its issuer", Box::new(with("iss", json!("http://127.0.0.1:1")))),
        ("it is over", Box::new(with("exp", json!(1)))),
        ("at_hash", Box::new(with("at_hash", json!(coded(&[0; 32]))))),
    ];
    for (host, (why, change)) in (1..).zip(changes) {
        let mut visitor = Visitor::new(&world, host);
        let asked = goes(&mut visitor).await;
        let mut claims = issuer.claims(&["bosses"], &asked["nonce"]);
        change(&mut claims);
        issuer.gives(signed(&claims, "first", 1));
        refused(&world, &comes_back(&visitor, &asked["state"]).await, why).await;
    }
    let signatures: [(&str, Sign); 4] = [
        ("its signature", |claims| signed(claims, "first", 2)),
        ("its signature is by no key", |claims| signed(claims, "second", 2)),
        ("its signature", |claims| sealed(claims, &json!({ "alg": "none" }), |_| Vec::new())),
        ("its signature", |claims| {
            sealed(claims, &json!({ "alg": "HS256" }), |text| {
                let key = CLIENT_SECRET.as_bytes();
                let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
                mac.update(text);
                mac.finalize().into_bytes().to_vec()
            })
        }),
    ];
    for (host, (why, sign)) in (11..).zip(signatures) {
        let mut visitor = Visitor::new(&world, host);
        let asked = goes(&mut visitor).await;
        issuer.gives(sign(&issuer.claims(&["bosses"], &asked["nonce"])));
        refused(&world, &comes_back(&visitor, &asked["state"]).await, why).await;
    }
    assert!(world.store.tokens().await.unwrap().is_empty());
    let mut visitor = Visitor::new(&world, 20);
    let asked = goes(&mut visitor).await;
    let mut claims = issuer.claims(&["bosses"], &asked["nonce"]);
    claims["at_hash"] = json!(coded(&Sha512::digest(ACCESS)[..32]));
    issuer.gives(signed(&claims, "first", 1));
    assert_eq!(comes_back(&visitor, &asked["state"]).await.status, 200, "an honest one does");
    world.end().await;
}

async fn refused(world: &World, said: &Answered, why: &str) {
    assert_eq!(said.status, 403, "{why}: {said:?}");
    assert!(said.text.contains(why), "{why}: {}", said.text);
    assert!(said.cookie().unwrap().starts_with("listwarden-oidc=;"), "no session: {said:?}");
    let log = world.store.audit_page(None, i64::MAX, 1).await.unwrap();
    assert_eq!(log[0].outcome, AuditOutcome::Refused);
    assert_eq!(log[0].reason.as_deref(), Some("an ID token that does not hold"));
}

async fn only_the_browser_that_went_comes_back_and_only_once(engine: Engine) {
    let issuer = Issuer::new().await;
    let world = world(engine, &issuer).await;
    let (mut ours, mut theirs) = (Visitor::new(&world, 1), Visitor::new(&world, 2));
    let said = signs_in(&mut ours, &issuer, &["bosses"]).await;
    assert_eq!(said.status, 200, "{said:?}");
    let asked = goes(&mut ours).await;
    let other = goes(&mut theirs).await;
    issuer.gives(signed(&issuer.claims(&["bosses"], &asked["nonce"]), "first", 1));
    let by = format!("{}&iss=http://127.0.0.1:1", asked["state"]);
    for state in [other["state"].as_str(), "", &by] {
        assert_eq!(comes_back(&ours, state).await.status, 400, "{state}");
    }
    let stranger = Visitor::new(&world, 3);
    assert_eq!(comes_back(&stranger, &asked["state"]).await.status, 400);
    let log = world.store.audit_page(None, i64::MAX, 1).await.unwrap();
    assert_eq!(log[0].reason.as_deref(), Some("no sign-in of this browser"));
    let refused = format!("/sign-in/oidc/return?error=access_denied&state={}", other["state"]);
    let said = theirs.gets(&refused).await;
    assert_eq!(said.status, 403);
    assert!(said.text.contains("let nobody in"), "{}", said.text);
    assert_eq!(comes_back(&ours, &asked["state"]).await.status, 200);
    assert_eq!(comes_back(&ours, &asked["state"]).await.status, 400, "once");
    assert_eq!(world.store.tokens().await.unwrap().len(), 2);
    world.end().await;
}

async fn a_provider_that_is_down_or_has_a_new_key_is_found_out(engine: Engine) {
    let issuer = Issuer::new().await;
    let world = world(engine, &issuer).await;
    issuer.is_down(true);
    let mut visitor = Visitor::new(&world, 1);
    let said = visitor.gets("/sign-in/oidc").await;
    assert_eq!(said.status, 502);
    assert!(said.text.contains("does not answer"), "{}", said.text);
    assert!(examined(&world).await.contains("MEND  the OpenID provider does not answer"));
    let token = world.token(Role::Viewer, &[]).await;
    assert_eq!(Visitor::new(&world, 2).brings(&token).await.status, 303, "a token still works");
    issuer.is_down(false);
    assert_eq!(signs_in(&mut visitor, &issuer, &["bosses"]).await.status, 200);
    let asked = goes(&mut visitor).await;
    issuer.is_down(true);
    let said = comes_back(&visitor, &asked["state"]).await;
    assert_eq!(said.status, 502, "{said:?}");
    issuer.is_down(false);
    issuer.has_key("second", 2);
    let asked = goes(&mut visitor).await;
    issuer.gives(signed(&issuer.claims(&["bosses"], &asked["nonce"]), "second", 2));
    assert_eq!(comes_back(&visitor, &asked["state"]).await.status, 200);
    let found = examined(&world).await;
    let page = world.url("/sign-in/oidc/return");
    assert!(found.contains(&format!("must have the redirect URL {page}")), "{found}");
    world.end().await;
}

/// What `doctor` says.
async fn examined(world: &World) -> String {
    let folder = world.deployment.config.path.parent().unwrap().to_owned();
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_listwarden"));
    doctor.arg("doctor").current_dir(folder);
    let output = tokio::task::spawn_blocking(move || doctor.output().unwrap()).await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

each_on_both_engines! {
    the_provider_is_asked_by_code_and_pkce_and_the_session_is_a_strict_one
    a_token_that_was_tampered_with_lets_nobody_in
    only_the_browser_that_went_comes_back_and_only_once
    a_provider_that_is_down_or_has_a_new_key_is_found_out
}
