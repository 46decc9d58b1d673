//! Two clinics, a list each, their audiences at a simulated provider, and the program serving
//! admins over real HTTP, on either engine.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use listwarden::clock::{Clock, SystemClock};
use listwarden::commands::{Deployment, serve};
use listwarden::config::{Config, Environment};
use listwarden::domain::{
    Address, Answer, ClinicId, Clinics, Consent, ContactId, LinkId, PatientId, PatientRecord,
    PatientStatus, Personal, Role, RunId, Verb,
};
use listwarden::providers::transport::HttpTransport;
use listwarden::reconcile::Scope;
use listwarden::simulator::mailchimp::{Running, Simulator};
use listwarden::store::{NewReview, NewToken, Park, ReviewKind, Store};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

const KEY: &str = "0123456789abcdef0123456789abcdef-us6";
/// What an `OpenID` provider knows us by.
pub const CLIENT_SECRET: &str = "said to nobody else";
pub const ADDRESS: &str = "ann1@post.test";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// What one clinic has that a path can name.
#[derive(Debug, Clone)]
pub struct Names {
    pub id: ClinicId,
    pub list: &'static str,
    pub run: RunId,
    pub contact: ContactId,
    pub patient: PatientId,
    pub link: LinkId,
    pub resync: Uuid,
    pub review: Uuid,
}

pub struct World {
    pub store: Store,
    pub riverside: Names,
    pub oak: Names,
    pub simulator: Simulator,
    pub audience: String,
    pub deployment: Deployment,
    admin: String,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<anyhow::Result<()>>,
    _provider: Running,
    _folder: TempDir,
    databases: Vec<(String, String)>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub body: Value,
    pub headers: reqwest::header::HeaderMap,
}

impl World {
    pub async fn new(engine: Engine) -> Self {
        Self::with(engine, |_| String::new()).await
    }

    /// With more in the deployment's file, once it is known where admins are served.
    pub async fn with(engine: Engine, more: impl FnOnce(&str) -> String) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let simulator = Simulator::new(Arc::new(SystemClock));
        let account = simulator.open_account("Practices", KEY);
        let audiences = ["Newsletter", "Tips"].map(|name| {
            let audience = simulator.open_audience(account, name).unwrap();
            simulator.set_double_optin(&audience, true).unwrap();
            audience
        });
        let provider = simulator.serve_locally().await.unwrap();
        let folder = TempDir::new().unwrap();
        let mut databases = Vec::new();
        let urls = match engine {
            Engine::Sqlite => ["store", "riverside", "oak"].map(|n| format!("sqlite://{n}.db")),
            Engine::Postgres => {
                let mut urls = Vec::new();
                for _ in 0..3 {
                    urls.push(fresh_database(&mut databases).await);
                }
                urls.try_into().unwrap()
            }
        };
        let listeners = [listen().await, listen().await];
        let admin = format!("http://{}", listeners[1].local_addr().unwrap());
        write_files(folder.path(), &provider.url(), &audiences, &urls, &more(&admin));
        let deployment = open(folder.path()).await;
        deployment.store.migrate().await.unwrap();
        let store = deployment.store.clone();
        let riverside = names(&deployment, "riverside", "news").await;
        let oak = names(&deployment, "oak", "tips").await;
        let [public, listener] = listeners;
        let (stop, stopped) = oneshot::channel();
        let until = async move {
            stopped.await.ok();
            Ok(())
        };
        let serving = open(folder.path()).await;
        let served = tokio::spawn(serve::serve(serving, public, Some(listener), None, until));
        let [audience, _] = audiences;
        Self {
            store,
            riverside,
            oak,
            simulator,
            audience,
            deployment,
            admin,
            stop: Some(stop),
            served,
            _provider: provider,
            _folder: folder,
            databases,
        }
    }

    pub async fn end(mut self) {
        self.stop.take().unwrap().send(()).ok();
        self.served.await.unwrap().unwrap();
        self.store.close().await;
        drop(self.deployment);
        for (server, name) in self.databases {
            execute(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }

    pub async fn token(&self, role: Role, clinics: &[&Names]) -> String {
        self.token_until(role, clinics, None).await.1
    }

    /// Makes a token; for all clinics where none is named.
    pub async fn token_until(
        &self,
        role: Role,
        clinics: &[&Names],
        hours: Option<i64>,
    ) -> (Uuid, String) {
        let some: BTreeSet<_> = clinics.iter().map(|names| names.id).collect();
        let hours = hours.map(|hours| SystemClock.now() + chrono::TimeDelta::hours(hours));
        let new = NewToken {
            name: format!("{role} of the test"),
            role,
            clinics: if some.is_empty() { Clinics::All } else { Clinics::Some(some) },
            expires_at: hours,
            by: "test".to_owned(),
        };
        let (id, text) = self.store.token_create(&new).await.unwrap();
        (id, text.expose_secret().to_owned())
    }

    /// Asks from an address of the machine's own, which tells who knocks too often.
    pub async fn asks(
        &self,
        from: Ipv4Addr,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Answered {
        let url = self.url(path);
        let client = client(from);
        let mut request = client.request(method.parse().unwrap(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answered { status, body, headers }
    }

    /// Returns where a path is served to admins.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.admin)
    }

    /// Asks for what was answered with that tag before.
    pub async fn again(
        &self,
        path: &str,
        token: &str,
        tag: &reqwest::header::HeaderValue,
    ) -> Answered {
        let request = client(Ipv4Addr::LOCALHOST).get(self.url(path));
        let answer = request.bearer_auth(token).header("if-none-match", tag).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answered { status, headers, body: Value::String(answer.text().await.unwrap()) }
    }

    /// Asks for what goes on after it was begun.
    pub async fn watches(&self, path: &str, token: &str) -> reqwest::Response {
        let request = client(Ipv4Addr::LOCALHOST).get(format!("{}{path}", self.admin));
        request.bearer_auth(token).send().await.unwrap()
    }

    pub async fn get(&self, path: &str, token: &str) -> Answered {
        self.asks(Ipv4Addr::LOCALHOST, "GET", path, Some(token), None).await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Answered {
        self.asks(Ipv4Addr::LOCALHOST, "POST", path, Some(token), Some(&body)).await
    }
}

fn client(from: Ipv4Addr) -> reqwest::Client {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(20));
    client.local_address(IpAddr::from(from)).build().unwrap()
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Fills a clinic, runs it once, and returns what there is to be named.
async fn names(deployment: &Deployment, clinic: &'static str, list: &'static str) -> Names {
    let config = deployment.expect_clinic(clinic).unwrap();
    let records = deployment.reference(config).unwrap().unwrap();
    records.migrate().await.unwrap();
    records.upsert(&(1..4).map(patient).collect::<Vec<_>>()).await.unwrap();
    let mut practice = deployment.practice(config).await.unwrap();
    let scope = Scope { list: None, full: true };
    let outcome = deployment.reconciler().reconcile(&mut practice, &scope).await.unwrap();
    let store = &deployment.store;
    let id = practice.id;
    let address = Address::email(ADDRESS).unwrap();
    let contact = store.contact_find(id, &address).await.unwrap().unwrap().id;
    let patient = store.patient_find(id, "1").await.unwrap().unwrap().id;
    let link = store.links_of_contact(id, contact).await.unwrap()[0].link.id;
    let minute = Duration::from_mins(1);
    let lease = store.lease_acquire(clinic, SystemClock.id(), minute).await.unwrap().unwrap();
    let next_try = SystemClock.now() + Duration::from_hours(1);
    let park = Park { reason: "the provider refused it".to_owned(), next_try };
    store.parked_put(&lease, id, &[(link, Verb::Invite, park)]).await.unwrap();
    let resync = store.resync_ask(id, None, false).await.unwrap();
    let taken = store.resync_take().await.unwrap().unwrap();
    store.resync_end(&taken, "waiting").await.unwrap();
    let review = NewReview {
        kind: ReviewKind::OwnWords,
        contact,
        list: None,
        evidence: "text message 1".to_owned(),
        at: SystemClock.now(),
    };
    store.review_add(&lease, id, &review).await.unwrap();
    let review = store.reviews_open(id).await.unwrap()[0].id;
    let run = outcome.lists[0].run.unwrap();
    Names { id, list, run, contact, patient, link, resync, review }
}

pub fn patient(n: usize) -> PatientRecord {
    let at = SystemClock.now() - Duration::from_hours(2_400);
    let asked = Consent {
        answer: Answer::Granted,
        at: Some(at),
        method: Some("website form".to_owned()),
        wording: Some("v3".to_owned()),
        actor: Some("portal".to_owned()),
        ..Consent::default()
    };
    PatientRecord {
        source_id: n.to_string(),
        given_name: Personal::new("Ann"),
        family_name: Personal::new("Lee"),
        email: Address::email(&format!("ann{n}@post.test")).ok(),
        mobile: None,
        birth_date: "1980-05-01".parse().ok(),
        status: PatientStatus::Active,
        restricted: false,
        tags: BTreeSet::new(),
        privacy_policy: Some(true),
        email_consent: asked,
        sms_consent: Consent::default(),
        updated_at: at,
    }
}

fn write_files(
    folder: &Path,
    provider: &str,
    audiences: &[String; 2],
    urls: &[String; 3],
    more: &str,
) {
    fs::create_dir_all(folder.join("clinics")).unwrap();
    let store = &urls[0];
    fs::write(
        folder.join("listwarden.toml"),
        format!("[store]\nurl = \"{store}\"\n[serve]\npublic_url = \"http://hooks.test\"\n{more}"),
    )
    .unwrap();
    fs::create_dir_all(folder.join("secrets")).unwrap();
    fs::write(folder.join("secrets/master_key"), "5a".repeat(32)).unwrap();
    fs::write(folder.join("secrets/oidc_client_secret"), CLIENT_SECRET).unwrap();
    let clinics = [("riverside", "news", &urls[1]), ("oak", "tips", &urls[2])];
    for ((clinic, list, source), audience) in clinics.into_iter().zip(audiences) {
        fs::create_dir_all(folder.join("secrets").join(clinic)).unwrap();
        fs::write(folder.join("secrets").join(clinic).join("key"), KEY).unwrap();
        let text = format!(
            "time_zone = \"Europe/London\"\n[source]\nkind = \"reference\"\nurl = \"{source}\"\n\
             [accounts.main]\nprovider = \"mailchimp\"\napi_key = \"key\"\n\
             base_url = \"{provider}/3.0\"\n[lists.{list}]\naccount = \"main\"\n\
             audience = \"{audience}\"\nunknown = \"report\"\nunproven = \"hold\"\n"
        );
        fs::write(folder.join(format!("clinics/{clinic}.toml")), text).unwrap();
    }
}

async fn open(folder: &Path) -> Deployment {
    let config = Config::load(&folder.join("listwarden.toml"), &Environment::default()).unwrap();
    let transport = Arc::new(HttpTransport::new().unwrap());
    Deployment::of(config, Arc::new(SystemClock), transport).await.unwrap()
}

async fn fresh_database(databases: &mut Vec<(String, String)>) -> String {
    let server = std::env::var("LISTWARDEN_TEST_POSTGRES")
        .expect("these tests need PostgreSQL: run them by `bash .ci/test`");
    let name = format!("admin_{}", SystemClock.id().simple());
    execute(&server, &format!("CREATE DATABASE {name}")).await;
    let (base, _) = server.rsplit_once('/').unwrap();
    databases.push((server.clone(), name.clone()));
    format!("{base}/{name}")
}

async fn execute(server: &str, sql: &str) {
    let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

/// Declares scenarios, each a test on either engine.
macro_rules! on_both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($world:ident: &World) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn scenario($world: &World) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let world = World::new(Engine::Sqlite).await;
                scenario(&world).await;
                world.end().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let world = World::new(Engine::Postgres).await;
                scenario(&world).await;
                world.end().await;
            }
        }
    )+};
}
pub(crate) use on_both_engines;

/// What each route is sent.
pub fn body(path: &str, names: &Names) -> Option<Value> {
    let last = path.rsplit('/').next().unwrap();
    Some(match last {
        "approve" | "resyncs" | "rotate" => json!({}),
        "acceptances" => json!({ "what": "withdrawals" }),
        "refuse" | "dismiss" | "close" => json!({ "reason": "not what we want" }),
        "erase" => json!({ "reason": "letter of 3 March", "confirm": "riverside" }),
        "restrict" | "unrestrict" | "object" => json!({ "evidence": "call of 3 March" }),
        "prefer" => json!({ "channel": "email", "not": true, "evidence": "call of 3 March" }),
        "explain" => json!({ "who": ADDRESS }),
        "check" => json!({ "list": names.list, "addresses": [ADDRESS, "nobody"] }),
        "suppressions" => json!({
            "address": "stranger@post.test", "kind": "objected", "reason": "asked in person",
        }),
        "lift" => json!({
            "address": ADDRESS, "patient": "1", "method": "on paper", "wording": "v3",
            "at": SystemClock.now(), "reason": "asked anew in person",
        }),
        _ => return None,
    })
}
