//! The admin page: what the API has, for people (docs/admin-page.md).
//!
//! HTML from the server, one stylesheet, one small script that nothing depends on. Each route stands
//! in the table of [`routes`] and goes through the gate of the API: the same acts, the same scope,
//! the same audit log.

mod assets;
mod audit;
mod bar;
mod clinic;
mod diff;
mod door;
mod exposure;
mod frame;
mod held;
mod list;
pub mod oidc;
mod overview;
mod parked;
mod parts;
mod person;
mod plot;
mod receipt;
mod rights;
mod runs;
mod session;
mod settings;
mod sign_in;
mod suppressions;
mod timeline;
mod webhooks;
mod wishes;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;

use super::Admin;
use super::gate::{Gate, guard};
use super::problem::Problem;
use super::route::Route;
use crate::config::RETURN;

/// The largest form taken, in bytes.
const LARGEST: usize = 64 << 10;

/// Returns every route of the page but those to sign in by.
#[must_use]
pub fn routes() -> Vec<Route> {
    [
        overview::routes(),
        clinic::routes(),
        list::routes(),
        held::routes(),
        exposure::routes(),
        runs::routes(),
        person::routes(),
        suppressions::routes(),
        rights::routes(),
        wishes::routes(),
        receipt::routes(),
        timeline::routes(),
        parked::routes(),
        webhooks::routes(),
        audit::routes(),
        settings::routes(),
        sign_in::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the page.
pub(super) fn router(admin: &Arc<Admin>) -> Router {
    let mut gated = Router::new();
    for route in routes() {
        let gate = from_fn_with_state(Gate::of(admin, &route), guard);
        gated = gated.route(route.path, route.handler.clone().route_layer(gate));
    }
    let gated = gated.route_layer(from_fn_with_state(admin.clone(), door::signed_in));
    let open = Router::new()
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/sign-in/oidc", get(oidc::begin))
        .route(RETURN, get(oidc::back))
        .route("/assets/{name}", get(assets::asset));
    gated
        .merge(open)
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(from_fn(frame::in_words))
        .with_state(admin.clone())
}

/// Nothing is there.
pub(super) async fn lost() -> Response {
    frame::problem(&Problem::missing("page"), None)
}
