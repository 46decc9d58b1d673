//! Sources of patients against real databases: SQLite, and the PostgreSQL server that
//! `LISTWARDEN_TEST_POSTGRES` names (`.ci/test` starts one).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

mod csv;
mod reference;
mod view;
mod world;
