//! An `OpenID` provider that says whatever a test wants it to.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use listwarden::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub const ACCESS: &str = "an access token";

/// What it says, and to whom; nothing while it is down.
#[derive(Default)]
struct Says {
    down: bool,
    keys: Vec<(String, u8)>,
    id_token: String,
}

#[derive(Clone)]
pub struct Issuer {
    pub url: String,
    says: Arc<Mutex<Says>>,
}

impl Issuer {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Self { url, says: Arc::default() };
        issuer.has_key("first", 1);
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(itself))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(issuer.clone());
        tokio::spawn(axum::serve(listener, routes).into_future());
        issuer
    }

    pub fn is_down(&self, down: bool) {
        self.says.lock().unwrap().down = down;
    }

    /// Shows one key more.
    pub fn has_key(&self, id: &str, of: u8) {
        self.says.lock().unwrap().keys.push((id.to_owned(), of));
    }

    /// Gives this to whoever brings a code next.
    pub fn gives(&self, id_token: String) {
        self.says.lock().unwrap().id_token = id_token;
    }

    /// What an honest one would say of somebody.
    pub fn claims(&self, groups: &[&str], nonce: &str) -> Value {
        let now = SystemClock.now().timestamp();
        json!({
            "iss": self.url, "sub": "5f7c", "aud": "listwarden", "exp": now + 300, "iat": now,
            "nonce": nonce, "groups": groups, "email": "ann@post.test",
        })
    }

    fn answer(&self, said: impl FnOnce(&Says) -> Value) -> Response {
        let says = self.says.lock().unwrap();
        if says.down {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        axum::Json(said(&says)).into_response()
    }
}

async fn itself(State(issuer): State<Issuer>) -> Response {
    let url = &issuer.url;
    issuer.answer(|_| {
        json!({
            "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
        })
    })
}

async fn keys(State(issuer): State<Issuer>) -> Response {
    issuer.answer(|says| {
        let keys = says.keys.iter().map(|(id, of)| {
            let x = SigningKey::from_bytes(&[*of; 32]).verifying_key().to_bytes();
            json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": id, "x": coded(&x) })
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    })
}

async fn token(State(issuer): State<Issuer>) -> Response {
    issuer.answer(
        |says| json!({ "access_token": ACCESS, "token_type": "Bearer", "id_token": says.id_token }),
    )
}

/// Signs claims as the key `id`, whichever key it is.
pub fn signed(claims: &Value, id: &str, of: u8) -> String {
    let key = SigningKey::from_bytes(&[of; 32]);
    sealed(claims, &json!({ "alg": "EdDSA", "kid": id }), |text| key.sign(text).to_vec())
}

/// Puts a token together.
pub fn sealed(claims: &Value, header: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let [header, claims] = [header, claims].map(|part| coded(part.to_string().as_bytes()));
    let text = format!("{header}.{claims}");
    let signature = coded(&sign(text.as_bytes()));
    format!("{text}.{signature}")
}

pub fn coded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
