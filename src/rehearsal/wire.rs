//! What lies between the program and the rest of the world: the wire to the providers, the door for
//! their webhooks, the barrier before the store, and the way to a clinic's records. Here faults
//! strike, and here every change is looked at.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Method, Request, Response};
use tower::ServiceExt;

use super::RouterTransport;
use super::faults::{Kind, Weather};
use super::stages::Stage;
use super::turnstile::{Busy, Turnstile};
use crate::patients::{Cause, Note, PatientSource, SourceCursor, SourceError, SourcePage};
use crate::providers::Transport;
use crate::providers::transport::TransportError;
use crate::simulator::{Answer, Attempt, WebhookSender};
use crate::store::{Barrier, Pass};

/// Looks at what the providers hold before and after the program changed something.
pub trait Watch: Send + Sync {
    /// Judges what the program has just done at a provider, by its host; where pages drifted, staff
    /// put somebody away meanwhile.
    fn after(&self, host: &str, drifted: bool);

    /// Takes down a request that set out at `at` and of which the program cannot know what became.
    fn in_doubt(&self, body: &[u8], at: DateTime<Utc>);

    /// Takes down that a delivery was acknowledged.
    fn acknowledged(&self, attempt: &Attempt);
}

/// The program's way to every provider.
pub struct Wire {
    /// Time and turns.
    pub turnstile: Arc<Turnstile>,
    /// The providers.
    pub stages: Vec<Arc<dyn Stage>>,
    /// What is in the air.
    pub weather: Arc<Weather>,
    /// Who looks on.
    pub watch: Arc<dyn Watch>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    async fn takes(&self, kind: Option<Kind>) {
        let millis = match kind {
            Some(Kind::Slow) => 20_000 + u64::from(self.turnstile.draw(150_000)),
            _ => 5 + u64::from(self.turnstile.draw(150)),
        };
        self.turnstile.park(Duration::from_millis(millis)).await;
    }
}

/// A request under way: it is in doubt unless an answer says what became of it, also where the process
/// is killed meanwhile.
struct UnderWay {
    watch: Arc<dyn Watch>,
    body: Bytes,
    at: DateTime<Utc>,
    is_settled: bool,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.is_settled {
            self.watch.in_doubt(&self.body, self.at);
        }
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let stage = self.stages.iter().find(|stage| stage.host() == host);
        let Some(stage) = stage else { return Err(TransportError::Unreachable(None)) };
        let of_job = request.method() == Method::GET && request.uri().path().contains("/batches/");
        let fault = self.weather.draw(Kind::REQUESTS);
        let fault = fault.filter(|kind| *kind != Kind::JobLost || of_job);
        let slow = fault.filter(|kind| *kind == Kind::Slow);
        let (watch, body, at) = (self.watch.clone(), request.body().clone(), self.turnstile.now());
        let mut under_way = UnderWay { watch, body, at, is_settled: false };
        self.takes(None).await;
        if let Some(kind @ Kind::Unreachable) = fault {
            under_way.is_settled = true;
            self.weather.count(kind);
            return Err(TransportError::Unreachable(None));
        }
        let struck = fault.filter(|kind| *kind == Kind::Slow || stage.strikes(*kind));
        if let Some(kind) = struck {
            self.weather.count(kind);
        }
        let answer = RouterTransport::new(stage.router()).send(request).await;
        stage.clears_up();
        self.watch.after(&host, struck == Some(Kind::PageDrift));
        self.takes(slow).await;
        // What a server answers in distress says nothing of what it did before.
        under_way.is_settled =
            answer.as_ref().is_ok_and(|answer| !answer.status().is_server_error());
        answer
    }
}

/// The way of webhooks to the serving process.
pub struct Post {
    /// What is in the air.
    pub weather: Arc<Weather>,
    /// The serving process; none while none serves.
    pub routes: Arc<Mutex<Option<Router>>>,
    /// Who looks on: at the very providers that hold this, so that neither keeps the other alive.
    pub watch: Weak<dyn Watch>,
}

impl Post {
    async fn ask(&self, request: Result<Request<Body>, http::Error>) -> Answer {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (Some(routes), Ok(request)) = (routes, request) else { return Answer::Silence };
        match routes.oneshot(request).await {
            Ok(answer) => Answer::Status(answer.status().as_u16()),
            Err(never) => match never {},
        }
    }

    async fn deliver(&self, attempt: &Attempt) -> Answer {
        let mut request = Request::post(&attempt.url);
        for (name, value) in &attempt.headers {
            request = request.header(*name, value);
        }
        let answer = self.ask(request.body(Body::from(attempt.body.clone()))).await;
        if matches!(answer, Answer::Status(200..300)) {
            self.acknowledged(attempt);
        }
        answer
    }

    fn acknowledged(&self, attempt: &Attempt) {
        if let Some(watch) = self.watch.upgrade() {
            watch.acknowledged(attempt);
        }
    }

    /// Somebody else sends the same with a word changed; nobody may believe it.
    async fn forge(&self, attempt: &Attempt) {
        let signed =
            attempt.headers.iter().any(|(name, _)| name.to_lowercase().contains("signature"));
        if !signed {
            return;
        }
        let body = attempt.body.replacen("list", "lisp", 1).replacen("from", "form", 1) + "0";
        let mut request = Request::post(&attempt.url);
        for (name, value) in &attempt.headers {
            request = request.header(*name, value);
        }
        if matches!(self.ask(request.body(Body::from(body))).await, Answer::Status(200..300)) {
            self.acknowledged(&Attempt { body: "FORGED".to_owned(), ..attempt.clone() });
        }
    }
}

#[async_trait]
impl WebhookSender for Post {
    async fn post(&self, attempt: &Attempt) -> Answer {
        match self.weather.strikes(&[Kind::HookLost, Kind::HookTwice, Kind::HookForged]) {
            Some(Kind::HookLost) => return Answer::Status(200),
            Some(Kind::HookTwice) => {
                self.deliver(attempt).await;
            }
            Some(Kind::HookForged) => self.forge(attempt).await,
            _ => {}
        }
        self.deliver(attempt).await
    }

    async fn check(&self, url: &str, _user_agent: &str) -> Answer {
        self.ask(Request::get(url).body(Body::empty())).await
    }
}

/// Stands before the store: each statement is a turn of its own, and some are refused.
///
/// It begins when nobody else of its actor can go on, so that how fast the database is decides
/// nothing.
#[derive(Debug)]
pub struct Gate {
    turnstile: Arc<Turnstile>,
    weather: Arc<Weather>,
    /// How long the next to come stands still.
    holds_up: Mutex<Option<Duration>>,
}

impl Gate {
    /// Opens.
    #[must_use]
    pub fn new(turnstile: &Arc<Turnstile>, weather: &Arc<Weather>) -> Self {
        let holds_up = Mutex::default();
        Self { turnstile: turnstile.clone(), weather: weather.clone(), holds_up }
    }

    /// Has the next to come stand still before.
    pub fn hold_up(&self, wait: Duration) {
        *self.holds_up.lock().unwrap_or_else(PoisonError::into_inner) = Some(wait);
    }
}

#[async_trait]
impl Barrier for Gate {
    async fn enter(&self) -> Pass {
        let wait = self.holds_up.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(wait) = wait {
            self.turnstile.park(wait).await;
        }
        Box::new(database(&self.turnstile).await)
    }

    fn allow(&self, writes: bool) -> Result<(), sqlx::Error> {
        let kinds: &[Kind] = if writes {
            &[Kind::StoreAway, Kind::StoreReadOnly, Kind::StoreFull]
        } else {
            &[Kind::StoreAway]
        };
        match self.weather.strikes(kinds) {
            None => Ok(()),
            Some(Kind::StoreAway) => {
                Err(sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into()))
            }
            Some(_) => Err(sqlx::Error::Protocol("refused".to_owned())),
        }
    }
}

/// Waits for the turn in which a database may be asked.
async fn database(turnstile: &Arc<Turnstile>) -> Busy {
    turnstile.park(Duration::ZERO).await;
    turnstile.busy()
}

/// A clinic's records as the program reads them.
#[derive(Debug)]
pub struct Records {
    /// The records.
    pub inner: Arc<dyn PatientSource>,
    /// Time and turns.
    pub turnstile: Arc<Turnstile>,
    /// What is in the air.
    pub weather: Arc<Weather>,
}

impl Records {
    fn is_there(&self) -> Result<(), SourceError> {
        if self.weather.strikes(&[Kind::SourceAway]).is_none() {
            return Ok(());
        }
        let cause = Cause { text: "gone away".to_owned(), transient: true };
        Err(SourceError::Query { doing: "asking the clinic", cause })
    }
}

#[async_trait]
impl PatientSource for Records {
    async fn rows(
        &self,
        since: Option<DateTime<Utc>>,
        after: Option<&SourceCursor>,
    ) -> Result<SourcePage, SourceError> {
        self.is_there()?;
        let short = self.weather.strikes(&[Kind::SourceShort, Kind::SourceEmpty]);
        let _busy = database(&self.turnstile).await;
        let mut page = self.inner.rows(since, after).await?;
        match short {
            Some(Kind::SourceEmpty) => page = SourcePage::default(),
            Some(_) => page.rows.truncate(page.rows.len() * 2 / 3),
            None => {}
        }
        Ok(page)
    }

    async fn count(&self) -> Result<u64, SourceError> {
        self.is_there()?;
        if self.weather.draw(&[Kind::SourceEmpty]).is_some() {
            return Ok(0);
        }
        let _busy = database(&self.turnstile).await;
        self.inner.count().await
    }

    async fn write_back(&self, notes: &[Note]) -> Result<(), SourceError> {
        self.is_there()?;
        let _busy = database(&self.turnstile).await;
        self.inner.write_back(notes).await
    }

    async fn now(&self) -> Result<Option<DateTime<Utc>>, SourceError> {
        self.inner.now().await
    }
}
