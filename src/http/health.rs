//! Health: alive is that nothing of the process has died; ready is being able to keep what is
//! delivered.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;

use super::Receiver;

/// Answers 200 as long as deliveries can be written.
pub(super) async fn live(State(receiver): State<Arc<Receiver>>) -> (StatusCode, &'static str) {
    if receiver.is_alive() {
        (StatusCode::OK, "alive\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "deliveries cannot be written any more\n")
    }
}

/// Answers 200 while the store takes deliveries.
pub(super) async fn ready(State(receiver): State<Arc<Receiver>>) -> (StatusCode, &'static str) {
    match receiver.store().check_schema().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
    }
}
