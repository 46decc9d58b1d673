//! The law, line by line: every test is named after the line of `docs/law.md` that it holds to.
//!
//! A small world of one address on one list is built in a sentence, decided, and asserted on.
//! `every` walks through all combinations of states; `histories` draws random ones.

#![expect(clippy::unwrap_used, reason = "a world that a test builds is whole")]

mod coming_back;
mod day_one;
mod entering;
mod events;
mod every;
mod histories;
mod leaving;
mod seen_there;
mod texting;
mod who;
mod world;
