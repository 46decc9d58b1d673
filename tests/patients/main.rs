//! Sources of patients against real databases: SQLite, and the PostgreSQL server that
//! `LISTWARDEN_TEST_POSTGRES` names (`.ci/test` starts one).

mod csv;
mod reference;
mod view;
mod world;
