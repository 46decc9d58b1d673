//! The store's contract: each story is told on SQLite and on PostgreSQL, with the same end.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

#[macro_use]
mod world;

mod audit;
mod deliveries;
mod erasure;
mod figures;
mod keys;
mod leases;
mod ledger;
mod links;
mod members;
mod operations;
mod pages;
mod patients;
mod schema;
