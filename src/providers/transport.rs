//! How requests leave: `reqwest` in production, a simulator's router in process under test.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

/// Sends one HTTP request and returns the whole answer.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends `request` (absolute URI) and reads the answer to its end.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError>;
}

/// Why there is no answer. Never names a host, a path or a body.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The request certainly did not reach the server.
    #[error("the provider could not be reached")]
    Unreachable(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// The request may have taken effect, or not.
    #[error("the provider did not answer in full; the request may have taken effect")]
    Broken(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// The answer is larger than we read.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl TransportError {
    /// Tells whether the request may have taken effect.
    #[must_use]
    pub const fn is_doubtful(&self) -> bool {
        !matches!(self, Self::Unreachable(_))
    }
}

/// The production transport: TLS by rustls with bundled roots, pooled connections.
pub struct HttpTransport {
    client: reqwest::Client,
    largest: usize,
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpTransport")
    }
}

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for an answer: list providers cut off at 120 s themselves.
const ANSWER: Duration = Duration::from_secs(130);
/// Largest answer read, in bytes: a batch result of thousands of operations fits.
const LARGEST: usize = 64 << 20;

impl HttpTransport {
    /// Builds the transport.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, TransportError> {
        Self::build().map_err(|error| TransportError::Unreachable(Some(error)))
    }

    fn build() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let roots =
            webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<rustls::RootCertStore>();
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("listwarden/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, largest: LARGEST })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request).map_err(unreachable)?;
        let mut answer = self.client.execute(request).await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                unreachable(error)
            } else {
                broken(error)
            }
        })?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > self.largest {
                return Err(TransportError::TooLarge(self.largest));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

fn unreachable(error: reqwest::Error) -> TransportError {
    TransportError::Unreachable(Some(Box::new(error.without_url())))
}

fn broken(error: reqwest::Error) -> TransportError {
    TransportError::Broken(Some(Box::new(error.without_url())))
}
