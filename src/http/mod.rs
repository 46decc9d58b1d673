//! What the world may ask of us: webhooks and health; and, each on a listener of its own, what admins
//! may, and figures. Thin: verify, store, wake.

pub mod admin;
mod health;
pub mod metrics;
pub mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

pub use webhooks::{Counts, Receiver, Verdict};

/// Returns everything that is served to the world.
pub fn router(receiver: Arc<Receiver>) -> Router {
    let health = Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .with_state(receiver.clone());
    webhooks::router(receiver).merge(health)
}
