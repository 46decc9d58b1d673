//! Full runs: the real program on a small world, over real HTTP, on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a world that a test builds is whole")]

mod attending;
mod brake;
mod check;
mod day_one;
mod doubt;
mod ending;
mod erasing;
mod exposure;
mod families;
mod kills;
mod laws;
mod leases;
mod leaving;
mod life;
mod lists;
mod noted;
mod notifying;
mod offboard;
mod on_record;
mod privacy;
mod restored;
mod returning;
mod rights;
mod seen_there;
mod shared;
mod short;
mod shuffled;
mod texts;
mod transport;
mod weather;
mod webhooks;
mod wishes;
mod world;
