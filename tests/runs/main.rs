//! Full runs: the real program on a small world, over real HTTP, on SQLite and on PostgreSQL.

mod laws;
mod world;
