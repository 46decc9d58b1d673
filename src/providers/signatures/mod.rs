//! Who sent a delivery: the signature schemes of the providers, one small module each.
//!
//! Owns the proof and nothing else: no delivery is parsed for its meaning, stored or answered
//! here, and no clock is read. Secrets come as the set that is valid now, so that one can be
//! rotated while deliveries signed with the other are still on their way. What a scheme leaves
//! open (a window, a duplicate) is said in `docs/webhooks.md`.

mod jwt;
mod klaviyo;
mod mailchimp;
mod mailerlite;
mod mandrill;
mod messagebird;
mod parts;
mod plivo;
mod sendgrid;
mod sinch;
mod standard;
mod telnyx;
mod twilio;
mod vonage;

use std::fmt;

use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};
use secrecy::SecretString;

pub use klaviyo::Klaviyo;
pub use mailchimp::Mailchimp;
pub use mailerlite::MailerLite;
pub use mandrill::Mandrill;
pub use messagebird::MessageBird;
pub use plivo::Plivo;
pub use sendgrid::SendGrid;
pub use sinch::Sinch;
pub use standard::StandardWebhooks;
pub use telnyx::Telnyx;
pub use twilio::Twilio;
pub use vonage::Vonage;

/// A request as it reached us, before anything of it is believed.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// The method.
    pub method: &'a Method,
    /// The public URL the provider was given, with the query as it arrived: scheme, host, path
    /// and query verbatim. It comes from configuration, never from a forwarding header.
    pub url: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The raw body; whoever decodes it first cannot verify it.
    pub body: &'a [u8],
}

impl fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("method", self.method).finish_non_exhaustive()
    }
}

/// A way to sign deliveries.
pub trait Signature: fmt::Debug + Send + Sync {
    /// Checks a delivery against the secrets that are valid now; any of them may have signed it.
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged>;
}

/// What a signature proves besides who sent the delivery.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// The id that makes the delivery unique, where the signature covers one. A second delivery
    /// with the same id is a replay or a retry: the receiver keeps the ids it has seen.
    pub unique: Option<String>,
    /// When it was signed, where the signature covers that.
    pub signed_at: Option<DateTime<Utc>>,
}

/// Why a delivery is not believed. Never holds any of the delivery or of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Forged {
    /// A header the signature needs is not there, or empty.
    #[error("the delivery is not signed; check that signing is switched on at the provider")]
    Missing,
    /// A header the signature needs is there twice, so two readers could see two values.
    #[error("a header of the signature is there twice")]
    Repeated,
    /// The signature, or what it is said to cover, cannot be read.
    #[error("the signature cannot be read")]
    Malformed,
    /// The signature names a scheme or an algorithm that this endpoint does not take.
    #[error(
        "the signature is of a scheme this endpoint does not take; compare its settings with the provider's"
    )]
    Unsupported,
    /// The signature is right, but too old or from the future.
    #[error("the signature is right, but too old or from the future; check this machine's clock")]
    Stale,
    /// No valid secret made this signature, or it does not cover the body.
    #[error("the signature does not match")]
    Mismatch,
    /// There is no secret, or one of them cannot be a key, and no other one fits.
    #[error("a signing secret is missing or cannot be a key; copy it from the provider again")]
    Secret,
}
