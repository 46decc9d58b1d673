//! A connection to a script: for unit tests only.

use std::sync::Arc;

use super::{Connection, Settings};
use crate::clock::{Clock, ManualClock};
pub use crate::providers::http::scripted::Reply;
use crate::providers::http::scripted::{Scripted, script};

/// A connection to a script, its record, and the clock both live by.
pub fn scripted(replies: Vec<Reply>) -> (Connection, Arc<Scripted>, Arc<ManualClock>) {
    let (transport, clock) = script(replies);
    let settings = Settings { base_url: Some("http://x.test/3.0".into()), ..Settings::default() };
    let key = "0123-us6".into();
    let shared: Arc<dyn Clock> = clock.clone();
    let connection = Connection::new(settings, &key, transport.clone(), shared).unwrap();
    (connection, transport, clock)
}
