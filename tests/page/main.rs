//! The admin page: who may, over real HTTP, and as people meet it, in headless Chromium against the
//! real binary; on both databases.

#![cfg(feature = "simulator")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

mod access;
mod browser;
mod journey;
mod served;
mod views;
#[expect(dead_code, reason = "the tests of the API use what these do not")]
#[path = "../admin/world.rs"]
mod world;
