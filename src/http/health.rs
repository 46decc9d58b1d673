//! Health: alive is answering at all; ready is being able to keep what is delivered.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;

use super::Receiver;

/// Answers as long as the process turns.
pub(super) async fn live() -> &'static str {
    "alive\n"
}

/// Answers 200 while the store takes deliveries.
pub(super) async fn ready(State(receiver): State<Arc<Receiver>>) -> (StatusCode, &'static str) {
    match receiver.store().check_schema().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
    }
}
