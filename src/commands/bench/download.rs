//! The yardstick: the very pages of a full sweep, downloaded and thrown away.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::{Method, Request, Response};

use super::process::instant;
use crate::providers::transport::{HttpTransport, Transport, TransportError};

/// Pages under way at once, as many as the program asks for.
const AT_ONCE: usize = 9;

/// The production transport, which remembers the pages that were asked for.
#[derive(Debug)]
pub struct Recorder {
    http: HttpTransport,
    pages: Mutex<Vec<Request<Bytes>>>,
}

impl Recorder {
    /// Has seen nothing yet.
    pub fn new() -> Result<Self, TransportError> {
        Ok(Self { http: HttpTransport::new()?, pages: Mutex::default() })
    }

    /// Downloads them all again and returns how long that took.
    pub async fn replay(&self) -> anyhow::Result<Duration> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ensure!(!pages.is_empty(), "no page was asked for");
        let began = instant();
        let pages = stream::iter(pages).map(|page| self.download(page));
        pages.buffer_unordered(AT_ONCE).try_for_each(async |()| Ok(())).await?;
        Ok(began.elapsed())
    }

    async fn download(&self, page: Request<Bytes>) -> anyhow::Result<()> {
        let status = self.http.send(page).await?.status();
        ensure!(status.is_success(), "a page was answered with {status}");
        Ok(())
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        if request.method() == Method::GET && request.uri().path().ends_with("/members") {
            self.pages.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        }
        self.http.send(request).await
    }
}
