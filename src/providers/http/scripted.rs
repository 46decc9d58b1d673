//! A transport that answers from a script and keeps what it was asked: for unit tests only.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use http::{Request, Response};

use crate::clock::ManualClock;
use crate::providers::{Transport, TransportError};

/// What comes back for one request.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    Json(u16, &'static str),
    Html(u16),
    File(&'static [u8]),
    Later(u16, u64),
    Unreachable,
    Broken,
}

#[derive(Debug, Default)]
pub struct Scripted {
    replies: Mutex<VecDeque<Result<Response<Bytes>, TransportError>>>,
    asked: Mutex<Vec<String>>,
    bodies: Mutex<Vec<Bytes>>,
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let signed = request.headers().contains_key("authorization");
        let asked = format!("{} {}", request.method(), request.uri());
        let asked = if signed { asked } else { format!("{asked} unsigned") };
        self.asked.lock().unwrap().push(asked);
        self.bodies.lock().unwrap().push(request.body().clone());
        self.replies.lock().unwrap().pop_front().expect("the script has an answer left")
    }
}

fn reply(reply: Reply) -> Result<Response<Bytes>, TransportError> {
    let answer = |status: u16, kind: &str, body: &'static [u8]| {
        Response::builder()
            .status(status)
            .header("content-type", kind)
            .body(Bytes::from_static(body))
            .unwrap()
    };
    match reply {
        Reply::Json(status, body) => {
            Ok(answer(status, "application/json; charset=utf-8", body.as_bytes()))
        }
        Reply::File(bytes) => Ok(answer(200, "application/gzip", bytes)),
        Reply::Html(status) => Ok(answer(status, "text/html", b"<html>")),
        Reply::Later(status, seconds) => {
            let mut answer = answer(status, "application/problem+json", b"{}");
            answer.headers_mut().insert("retry-after", seconds.into());
            Ok(answer)
        }
        Reply::Unreachable => Err(TransportError::Unreachable(None)),
        Reply::Broken => Err(TransportError::Broken(None)),
    }
}

/// A transport that plays `replies`, and a clock for its client to live by.
pub fn script(replies: Vec<Reply>) -> (Arc<Scripted>, Arc<ManualClock>) {
    let transport = Arc::new(Scripted {
        replies: Mutex::new(replies.into_iter().map(reply).collect()),
        asked: Mutex::default(),
        bodies: Mutex::default(),
    });
    (transport, Arc::new(ManualClock::new(DateTime::UNIX_EPOCH, 1)))
}

impl Scripted {
    /// Returns the requests made so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Returns the bodies sent so far.
    pub fn bodies(&self) -> Vec<Bytes> {
        self.bodies.lock().unwrap().clone()
    }
}
