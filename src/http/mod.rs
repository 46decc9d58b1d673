//! What the world may ask of us: webhooks and health, and on a port apart, figures. Thin: verify,
//! store, wake.

mod health;
pub mod metrics;
pub mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

pub use webhooks::{Counts, Receiver, Verdict};

/// Returns everything that is served.
pub fn router(receiver: Arc<Receiver>) -> Router {
    let health = Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .with_state(receiver.clone());
    webhooks::router(receiver).merge(health)
}
