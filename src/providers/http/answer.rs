//! What may come of a request, in words that no provider owns.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Response;

use super::headers::{is_json, retry_after};
use crate::providers::{ProviderError, Refusal, TransportError};

/// Says what an answer means; each provider has its own.
pub type Judge = fn(&Answer<'_>) -> Result<(), Setback>;

/// An answer, as far as it must be read to know what it means.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// Whether it is JSON, and so the provider's own word rather than the network's.
    pub json: bool,
    /// The body; personal.
    pub body: &'a [u8],
    /// How long we are asked to wait.
    pub retry_after: Option<Duration>,
}

impl<'a> Answer<'a> {
    /// Reads the answer that came at `now`.
    pub fn of(response: &'a Response<Bytes>, now: DateTime<Utc>) -> Self {
        Self {
            status: response.status().as_u16(),
            json: is_json(response.headers()),
            body: response.body(),
            retry_after: retry_after(response.headers(), now),
        }
    }
}

/// Why a request did not work.
#[derive(Debug)]
pub enum Setback {
    /// It will not work, however often it is sent.
    Failed(Failure),
    /// It may work later.
    Trouble(Trouble),
}

/// Why a request will not work.
#[derive(Debug)]
pub enum Failure {
    /// There is no such thing, in the provider's own words; what, is for the caller to know.
    NotFound,
    /// A refusal of one member, or of the request where it is about none.
    Refused {
        /// Why.
        refusal: Refusal,
        /// HTTP status.
        status: u16,
        /// The problem's title.
        title: String,
    },
    /// Nothing else will work either.
    Error(ProviderError),
}

impl Failure {
    /// Returns the error for a request that is about the list itself.
    pub fn of_list(self) -> ProviderError {
        match self {
            Self::NotFound => ProviderError::ListGone,
            other => other.of_account(),
        }
    }

    /// Returns the error for a request that is about neither a member nor a list.
    pub fn of_account(self) -> ProviderError {
        match self {
            Self::NotFound => {
                ProviderError::Rejected { status: 404, title: "Resource Not Found".to_owned() }
            }
            Self::Refused { status, title, .. } => ProviderError::Rejected { status, title },
            Self::Error(error) => error,
        }
    }
}

/// Why a request did not work for now.
#[derive(Debug)]
pub enum Trouble {
    /// Turned away before anything was done.
    Throttled(Option<Duration>),
    /// Never reached the provider.
    Unreachable(TransportError),
    /// Cut off, or failed within the provider: it may have taken effect.
    Broken(Option<TransportError>),
}

impl Trouble {
    /// Tells whether the request may have taken effect.
    pub const fn is_doubtful(&self) -> bool {
        matches!(self, Self::Broken(_))
    }

    /// Returns how long the provider asked us to wait.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled(after) => *after,
            _ => None,
        }
    }

    /// Returns the error once no try is left; `writes` tells whether the request changes anything.
    pub fn into_error(self, writes: bool) -> ProviderError {
        match self {
            Self::Throttled(retry_after) => ProviderError::Throttled { retry_after },
            Self::Unreachable(error) => ProviderError::Unavailable(Some(error)),
            Self::Broken(error) if writes => ProviderError::Doubtful(error),
            Self::Broken(error) => ProviderError::Unavailable(error),
        }
    }
}

impl From<TransportError> for Trouble {
    fn from(error: TransportError) -> Self {
        if error.is_doubtful() { Self::Broken(Some(error)) } else { Self::Unreachable(error) }
    }
}

/// Returns a provider's title or field name if it can be nothing else.
pub fn plain(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || " _-/".contains(c);
    if !text.is_empty() && text.len() <= 60 && text.chars().all(harmless) {
        text.to_owned()
    } else {
        "untitled".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_that_could_hold_an_address_is_left_out() {
        assert_eq!(plain("Member Exists"), "Member Exists");
        assert_eq!(plain("ann@mail.test exists"), "untitled");
    }
}
