//! Webhooks: a delivery is verified over its raw bytes, kept with what it proves, answered, and
//! only then attended to.
//!
//! Nothing is said to whoever is refused but a status: 401 for a signature, 404 for a path, 413,
//! 415 and 400 for what cannot be a delivery. 503 asks the provider to try again, and 410 is never
//! answered: it would switch the webhook off.

mod intake;
mod opt_out;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, Semaphore, watch};

use self::intake::Intake;
use crate::clock::{SharedClock, timeout};
use crate::domain::text::words;
use crate::providers::WebhookScheme;
use crate::providers::signatures::{Delivery, Forged, Verified};
use crate::reconcile::{ManagedAccount, Roster};
use crate::store::{Endpoint, NewDelivery, Store, StoreError};

/// The largest body taken, in bytes.
pub const LARGEST: usize = 1 << 20;
/// How long an endpoint is believed to be as it was read: a rotation shows within that.
const REMEMBERED: TimeDelta = TimeDelta::seconds(5);
/// Endpoints remembered at once.
const MOST_REMEMBERED: usize = 10_000;

/// How long a delivery may take to arrive and be kept; providers give up after ten seconds.
const PATIENCE: Duration = Duration::from_secs(9);
/// Deliveries in hand at once, each with a body of up to a mebibyte.
const MOST_AT_ONCE: usize = 256;
/// Hex digits of a token; anything else is no path of ours, and not looked up.
const TOKEN: usize = 48;

/// Endpoints by the hashes of their tokens, which are secrets, and when each was read.
type Remembered = BTreeMap<[u8; 32], (DateTime<Utc>, Arc<Endpoint>)>;

/// Takes deliveries.
pub struct Receiver {
    store: Store,
    clock: SharedClock,
    public_url: String,
    roster: watch::Receiver<Arc<Roster>>,
    intake: Intake,
    endpoints: Mutex<Remembered>,
    places: Semaphore,
    counts: Counts,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("counts", &self.counts).finish_non_exhaustive()
    }
}

words! {
    /// What became of a delivery.
    Verdict {
        /// Kept.
        Accepted = "accepted",
        /// Kept before.
        Repeated = "repeated",
        /// Its signature is not right.
        RefusedSignature = "refused_signature",
        /// Its signature is right, and too old or from the future.
        RefusedStale = "refused_stale",
        /// Too large.
        RefusedSize = "refused_size",
        /// Not what the provider would send.
        RefusedForm = "refused_form",
        /// Of another media type.
        RefusedType = "refused_type",
        /// To an endpoint that nobody made.
        RefusedPath = "refused_path",
        /// Not kept, because the store did not take it: the provider tries again.
        Unavailable = "unavailable",
    }
}

/// What became of deliveries since the start.
#[derive(Debug, Default)]
pub struct Counts([AtomicU64; Verdict::ALL.len()]);

impl Counts {
    /// Returns how many came to `verdict`.
    #[must_use]
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.0[verdict as usize].load(Ordering::Relaxed)
    }

    fn count(&self, verdict: Verdict) {
        self.0[verdict as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Receiver {
    /// Starts taking deliveries; `wake` is called when some were kept.
    ///
    /// `public_url` is how providers reach us, up to our own path: signatures cover it.
    #[must_use]
    pub fn start(
        store: Store,
        clock: SharedClock,
        public_url: &str,
        roster: watch::Receiver<Arc<Roster>>,
        wake: Arc<Notify>,
    ) -> Self {
        Self {
            intake: Intake::start(store.clone(), clock.clone(), wake),
            public_url: public_url.trim_end_matches('/').to_owned(),
            store,
            clock,
            roster,
            endpoints: Mutex::default(),
            places: Semaphore::new(MOST_AT_ONCE),
            counts: Counts::default(),
        }
    }

    /// Returns what became of deliveries since the start.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Tells whether deliveries can still be written.
    pub fn is_alive(&self) -> bool {
        self.intake.is_alive()
    }

    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    async fn take(&self, token: &str, request: Request<Body>) -> Result<Response, Refused> {
        let (parts, body) = request.into_parts();
        let endpoint = self.endpoint(token).await?.ok_or(Refused::Unknown)?;
        let roster = self.roster.borrow().clone();
        let account = roster.account(endpoint.clinic, &endpoint.account).ok_or(Refused::Later)?;
        let scheme = account.scheme.as_deref().ok_or(Refused::Unknown)?;
        let media_type = media_type(&parts.headers, scheme)?;
        if announced(&parts.headers).is_some_and(|length| length > LARGEST) {
            return Err(Refused::TooLarge);
        }
        let body = to_bytes(body, LARGEST).await.map_err(|_| Refused::TooLarge)?;
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let url = format!("{}{target}", self.public_url);
        let delivery =
            Delivery { method: &parts.method, url: &url, headers: &parts.headers, body: &body };
        let verified = self.verified(&endpoint, account, scheme, &delivery)?;
        let mut notices =
            scheme.read(&delivery, endpoint.origin).map_err(|_| Refused::Malformed)?;
        for notice in &mut notices {
            notice.list = notice.list.take().or_else(|| endpoint.audience.clone());
        }
        let key = key(verified.as_ref(), &body);
        let opt_outs = if verified.is_some() {
            let now = self.clock.now();
            opt_out::proven(&self.store, &roster, account, &key, &notices, now)
        } else {
            Vec::new()
        };
        let delivery = NewDelivery {
            clinic: endpoint.clinic,
            endpoint: endpoint.id,
            key,
            media_type,
            proven: verified.is_some(),
            opt_outs,
            body: body.to_vec(),
        };
        let new = self.intake.keep(delivery).await.ok_or(Refused::Later)?;
        self.counts.count(if new { Verdict::Accepted } else { Verdict::Repeated });
        let (media_type, text) = scheme.answer();
        Ok(([(CONTENT_TYPE, media_type)], text).into_response())
    }

    /// Checks the signature; none where the endpoint is not signed, and so proves nothing.
    fn verified(
        &self,
        endpoint: &Endpoint,
        account: &ManagedAccount,
        scheme: &dyn WebhookScheme,
        delivery: &Delivery<'_>,
    ) -> Result<Option<Verified>, Refused> {
        let agreed = &account.webhook_secrets;
        if !endpoint.signed && agreed.is_empty() {
            return Ok(None);
        }
        let secrets: Vec<SecretString> = endpoint.secret.iter().chain(agreed).cloned().collect();
        match scheme.verify(delivery, &secrets, self.clock.now()) {
            Ok(verified) => Ok(Some(verified)),
            Err(reason) => {
                tracing::warn!(endpoint = %endpoint.id, account = account.account, %reason, "a delivery was refused");
                Err(if reason == Forged::Stale { Refused::Stale } else { Refused::Forged })
            }
        }
    }

    /// Finds the endpoint of a path's token, as it was a few seconds ago at most.
    async fn endpoint(&self, token: &str) -> Result<Option<Arc<Endpoint>>, StoreError> {
        if token.len() != TOKEN || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let (now, hash) = (self.clock.now(), Sha256::digest(token).into());
        if let Some((read_at, endpoint)) = self.remembered().get(&hash)
            && now - *read_at < REMEMBERED
        {
            return Ok(Some(endpoint.clone()));
        }
        let found = self.store.endpoint_by_token(token).await?.map(Arc::new);
        let mut remembered = self.remembered();
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        match &found {
            Some(endpoint) => drop(remembered.insert(hash, (now, endpoint.clone()))),
            None => drop(remembered.remove(&hash)),
        }
        Ok(found)
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a delivery was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Unknown,
    Forged,
    Stale,
    TooLarge,
    MediaType,
    Malformed,
    Later,
}

impl Refused {
    const fn verdict(self) -> Verdict {
        match self {
            Self::Unknown => Verdict::RefusedPath,
            Self::Forged => Verdict::RefusedSignature,
            Self::Stale => Verdict::RefusedStale,
            Self::TooLarge => Verdict::RefusedSize,
            Self::MediaType => Verdict::RefusedType,
            Self::Malformed => Verdict::RefusedForm,
            Self::Later => Verdict::Unavailable,
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a delivery could not be looked up");
        Self::Later
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Forged | Self::Stale => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Later => StatusCode::SERVICE_UNAVAILABLE,
        }
        .into_response()
    }
}

/// Returns the routes that providers send to.
pub(super) fn router(receiver: Arc<Receiver>) -> Router {
    Router::new().route("/webhooks/{token}", get(probe).post(receive)).with_state(receiver)
}

/// Answers a provider that looks whether the URL works; such a look is not signed.
async fn probe(State(receiver): State<Arc<Receiver>>, Path(token): Path<String>) -> Response {
    match receiver.endpoint(&token).await {
        Ok(Some(_)) => StatusCode::OK.into_response(),
        Ok(None) => Refused::Unknown.into_response(),
        Err(error) => Refused::from(error).into_response(),
    }
}

async fn receive(
    State(receiver): State<Arc<Receiver>>,
    Path(token): Path<String>,
    request: Request<Body>,
) -> Response {
    let answer = match receiver.places.try_acquire() {
        Ok(_place) => {
            let taken = receiver.take(&token, request);
            timeout(receiver.clock.as_ref(), PATIENCE, taken).await.unwrap_or(Err(Refused::Later))
        }
        Err(_) => Err(Refused::Later),
    };
    answer.unwrap_or_else(|refused| {
        receiver.counts.count(refused.verdict());
        refused.into_response()
    })
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Returns the delivery's media type, if its provider sends in it.
fn media_type(headers: &HeaderMap, scheme: &dyn WebhookScheme) -> Result<String, Refused> {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = sent.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let known = scheme.media_types().iter().any(|known| known.eq_ignore_ascii_case(essence));
    if known { Ok(essence.to_ascii_lowercase()) } else { Err(Refused::MediaType) }
}

/// What makes a delivery the same when it comes again: the id that the signature covers, else the
/// body, which is the same in every retry.
fn key(verified: Option<&Verified>, body: &[u8]) -> String {
    match verified.and_then(|verified| verified.unique.as_ref()) {
        Some(id) => format!("id:{id}"),
        None => format!("body:{}", hex::encode(Sha256::digest(body))),
    }
}
