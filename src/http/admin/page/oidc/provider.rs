//! The `OpenID` provider: what it says of itself, and whom it says somebody is. Of what it answers
//! nothing is logged or shown but which check failed.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm as Algorithm,
    CoreProviderMetadata, CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, AsyncHttpClient, AuthType, AuthenticationFlow,
    AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, DiscoveryError,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IdToken, IdTokenFields, IdTokenVerifier, IssuerUrl, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, StandardErrorResponse, StandardTokenResponse, TokenResponse,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::flow::Words;
use crate::clock::{SharedClock, timeout};
use crate::config::OidcSettings;
use crate::providers::{Transport, TransportError};

/// How long the provider may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what the provider says of itself counts; its keys are read anew once one is missing.
const KNOWN_FOR: TimeDelta = TimeDelta::hours(1);
/// The signatures that are taken: those that only the provider can make.
const SIGNATURES: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// Why nobody can be signed in by the provider, and the cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// No answer, or none that says anything.
    #[error(
        "the OpenID provider does not answer: look whether it is up and reachable from here, with a certificate that browsers trust. Until then sign in with a token"
    )]
    Silent,
    /// Not the provider that it should be.
    #[error(
        "what answers there is no OpenID provider of that issuer: [serve.oidc] issuer must be what `issuer` says in its .well-known/openid-configuration, to the last slash"
    )]
    NotTheIssuer,
    /// The provider does not take us for its client.
    #[error(
        "the OpenID provider does not take us for its client: compare client_id, client_secret and the redirect URL with what it has for this client"
    )]
    NotItsClient,
    /// A code that the provider does not take.
    #[error("the OpenID provider does not know this sign-in any more: sign in again")]
    Stale,
    /// A token that must not be believed.
    #[error(
        "the ID token does not hold ({0}): sign in again; if it stays so, look at the provider's clock, keys and client"
    )]
    Token(&'static str),
}

/// Who somebody is, as the provider says.
pub(super) struct Person {
    pub(super) subject: String,
    pub(super) groups: Vec<String>,
}

/// What an ID token says beside what is standard. Personal.
#[derive(Deserialize, Serialize)]
struct Rest(BTreeMap<String, Value>);

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest")
    }
}

impl AdditionalClaims for Rest {}

type Token = IdToken<Rest, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, Algorithm>;
type Fields = IdTokenFields<
    Rest,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    Algorithm,
>;
type Client = openidconnect::Client<
    Rest,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The provider, as far as it is known, and the sign-ins that came back from it.
pub struct Provider {
    transport: Arc<dyn Transport>,
    clock: SharedClock,
    known: Mutex<Option<Known>>,
    spent: Mutex<BTreeMap<Uuid, DateTime<Utc>>>,
}

#[derive(Clone)]
struct Known {
    metadata: CoreProviderMetadata,
    since: DateTime<Utc>,
}

impl Provider {
    /// Asks over `transport`.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, clock: SharedClock) -> Self {
        Self { transport, clock, known: Mutex::default(), spent: Mutex::default() }
    }

    /// Returns where somebody is sent to say who they are.
    pub(super) async fn url(
        &self,
        settings: &OidcSettings,
        words: &Words,
    ) -> Result<url::Url, OidcError> {
        let client = client(self.known(settings).await?.metadata, settings, None)?;
        let (state, nonce) = (words.state.clone(), words.nonce.clone());
        let verifier = PkceCodeVerifier::new(words.verifier.clone());
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        for scope in &settings.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        Ok(request.url().0)
    }

    /// Tells whether a sign-in comes back for the first time.
    pub(super) fn is_first(&self, sign_in: Uuid, until: DateTime<Utc>) -> bool {
        let now = self.clock.now();
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|_, until| *until > now);
        spent.insert(sign_in, until).is_none()
    }

    /// Asks the provider who brought `code`.
    pub(super) async fn person(
        &self,
        settings: &OidcSettings,
        secret: &SecretString,
        code: String,
        words: &Words,
    ) -> Result<Person, OidcError> {
        let known = self.known(settings).await?;
        let answer = client(known.metadata.clone(), settings, Some(secret))?
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| OidcError::NotTheIssuer)?
            .set_pkce_verifier(PkceCodeVerifier::new(words.verifier.clone()))
            .request_async(&self.http())
            .await
            .map_err(|error| refused(&error))?;
        let token = answer.id_token().ok_or(OidcError::Token("there is none"))?;
        let (nonce, access) = (Nonce::new(words.nonce.clone()), answer.access_token());
        let read = |metadata| self.read(metadata, settings, token, &nonce, access);
        match read(&known.metadata) {
            // The provider has a new key, perhaps.
            Err(Unsound::NoKey) => Ok(read(&self.look(settings).await?.metadata)?),
            read => Ok(read?),
        }
    }

    /// Reads a token after everything about it was checked.
    fn read(
        &self,
        metadata: &CoreProviderMetadata,
        settings: &OidcSettings,
        token: &Token,
        nonce: &Nonce,
        access: &AccessToken,
    ) -> Result<Person, Unsound> {
        let client = ClientId::new(settings.client_id.clone());
        let (issuer, keys) = (metadata.issuer().clone(), metadata.jwks().clone());
        let verifier = IdTokenVerifier::new_public_client(client, issuer, keys)
            .set_allowed_algs(SIGNATURES)
            .set_time_fn(|| self.clock.now());
        let claims = token.claims(&verifier, nonce).map_err(|error| Unsound::of(&error))?;
        if let Some(said) = claims.access_token_hash() {
            let key = token.signing_key(&verifier).map_err(|_| Unsound::NoKey)?;
            let algorithm = token.signing_alg().map_err(|_| Unsound::By("its signature"))?;
            let hash = AccessTokenHash::from_token(access, algorithm, key);
            if !hash.is_ok_and(|hash| hash == *said) {
                return Err(Unsound::By("at_hash"));
            }
        }
        let named = claims.additional_claims().0.get(&settings.groups_claim);
        let groups = match named {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(name)) => vec![name.as_str()],
            _ => Vec::new(),
        };
        let groups = groups.into_iter().map(str::to_owned).collect();
        Ok(Person { subject: claims.subject().to_string(), groups })
    }

    async fn known(&self, settings: &OidcSettings) -> Result<Known, OidcError> {
        let found = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fresh = |known: &Known| {
            let same = known.metadata.issuer().as_str() == settings.issuer;
            same && self.clock.now() - known.since < KNOWN_FOR
        };
        match found.filter(fresh) {
            Some(known) => Ok(known),
            None => self.look(settings).await,
        }
    }

    /// Reads what the provider says of itself, and its keys.
    async fn look(&self, settings: &OidcSettings) -> Result<Known, OidcError> {
        let metadata = discover(self.transport.as_ref(), &self.clock, &settings.issuer).await?;
        let known = Known { metadata, since: self.clock.now() };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }

    fn http(&self) -> Http<'_> {
        Http { transport: self.transport.as_ref(), clock: &self.clock }
    }
}

/// Reads what the provider says of itself, and its keys.
///
/// # Errors
/// [`OidcError`], with the cure.
pub async fn discover(
    transport: &dyn Transport,
    clock: &SharedClock,
    issuer: &str,
) -> Result<CoreProviderMetadata, OidcError> {
    let url = IssuerUrl::new(issuer.to_owned()).map_err(|_| OidcError::NotTheIssuer)?;
    let http = Http { transport, clock };
    CoreProviderMetadata::discover_async(url, &http).await.map_err(|error| match error {
        DiscoveryError::Request(_) => OidcError::Silent,
        _ => OidcError::NotTheIssuer,
    })
}

fn client(
    metadata: CoreProviderMetadata,
    settings: &OidcSettings,
    secret: Option<&SecretString>,
) -> Result<Client, OidcError> {
    let ways = metadata.token_endpoint_auth_methods_supported();
    let basic = ways.is_none_or(|ways| ways.contains(&CoreClientAuthMethod::ClientSecretBasic));
    let secret = secret.map(|secret| ClientSecret::new(secret.expose_secret().trim().to_owned()));
    let id = ClientId::new(settings.client_id.clone());
    let redirect = RedirectUrl::new(settings.redirect()).map_err(|_| OidcError::NotItsClient)?;
    let way = if basic { AuthType::BasicAuth } else { AuthType::RequestBody };
    let client = Client::from_provider_metadata(metadata, id, secret);
    Ok(client.set_redirect_uri(redirect).set_auth_type(way))
}

/// Says why there is no token.
fn refused<E: std::error::Error>(
    error: &RequestTokenError<E, StandardErrorResponse<CoreErrorResponseType>>,
) -> OidcError {
    match error {
        RequestTokenError::ServerResponse(said) => match said.error() {
            CoreErrorResponseType::InvalidGrant => OidcError::Stale,
            _ => OidcError::NotItsClient,
        },
        RequestTokenError::Request(_) | RequestTokenError::Other(_) => OidcError::Silent,
        RequestTokenError::Parse(..) => OidcError::Token("it cannot be read"),
    }
}

/// Why a token is not believed.
enum Unsound {
    /// None of the keys signed it.
    NoKey,
    /// By what it says.
    By(&'static str),
}

impl Unsound {
    /// Says by which check; what the token says stays out.
    fn of(error: &ClaimsVerificationError) -> Self {
        Self::By(match error {
            ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            ) => return Self::NoKey,
            ClaimsVerificationError::SignatureVerification(_) => "its signature",
            ClaimsVerificationError::Expired(_) => "it is over",
            ClaimsVerificationError::InvalidAudience(_) => "its audience",
            ClaimsVerificationError::InvalidIssuer(_) => "its issuer",
            ClaimsVerificationError::InvalidNonce(_) => "its nonce",
            _ => "what it says",
        })
    }
}

impl From<Unsound> for OidcError {
    fn from(unsound: Unsound) -> Self {
        Self::Token(match unsound {
            Unsound::NoKey => "its signature is by no key of the provider",
            Unsound::By(what) => what,
        })
    }
}

/// Requests to the provider, over the program's own transport.
struct Http<'a> {
    transport: &'a dyn Transport,
    clock: &'a SharedClock,
}

impl<'c> AsyncHttpClient<'c> for Http<'_> {
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, TransportError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let sent = self.transport.send(request.map(Bytes::from));
            let answer = timeout(self.clock.as_ref(), PATIENCE, sent).await;
            let answer = answer.map_err(|_| TransportError::Broken(None))??;
            if answer.status().is_server_error() {
                return Err(TransportError::Broken(None));
            }
            Ok(answer.map(|body| body.to_vec()))
        })
    }
}
