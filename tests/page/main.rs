//! The admin page: who may, over real HTTP, and as people meet it, in headless Chromium against the
//! real binary; on both databases.

#![cfg(feature = "simulator")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

/// Makes each of these scenarios a test on either engine.
macro_rules! each_on_both_engines {
    ($($name:ident)+) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(super::Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(super::Engine::Postgres).await;
            }
        }
    )+};
}

mod access;
mod browser;
mod issuer;
mod journey;
mod oidc;
mod served;
#[path = "../admin/table.rs"]
mod table;
mod tampered;
mod views;
mod visitor;
mod words;
#[expect(dead_code, reason = "the tests of the API use what these do not")]
#[path = "../admin/world.rs"]
mod world;
