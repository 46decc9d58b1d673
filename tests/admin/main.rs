//! What admins may ask, over real HTTP, on both databases.

#![cfg(feature = "simulator")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

mod access;
mod acts;
mod rights;
mod table;
mod world;
